"""Studies as the service hands them in: long looks at seals that a tenant may use, jobs of the queue.

They have a priority below that of trainings, and a bound of their own, so that no study keeps a training waiting
but the one that is at work. Not for: watching and ending them (long_work.py), or doing them (jobs/worker.py).
"""

import asyncio

from ..catalog import ArtefactKind, Catalog
from ..jobs import STUDIES
from ..jobs.queue import STUDY_PRIORITY
from ..jobs.study_payload import StudyPayload
from .long_work import JobWatch, LongWork, Ongoing


class Studies(LongWork):
    """The studies of all tenants, on one base."""

    def __init__(self, catalog: Catalog, base: str, watch: JobWatch):
        """`base`: the word by which workers know the base that seals are for."""
        super().__init__(catalog, "study", STUDIES, (ArtefactKind.STUDY,), "/v1/studies", watch)
        self._base = base

    async def submit(self, tenant: str, kind: str, wanted: StudyPayload) -> Ongoing:
        """Hands in a study of seals that the tenant was found to be allowed to use; its `base` is filled in.

        Raises: QuotaError for a study too many.
        """
        return await asyncio.to_thread(self._submit, tenant, kind, wanted)

    def _submit(self, tenant: str, kind: str, wanted: StudyPayload) -> Ongoing:
        payload = {**wanted.to_dict(), "base": self._base}
        job = self._queue.submit(tenant, kind, payload, priority=STUDY_PRIORITY)
        return Ongoing(job, ())
