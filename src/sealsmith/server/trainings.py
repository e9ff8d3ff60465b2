"""Trainings as the service hands them in, watches and ends them: a tenant's pictures, and a job of the queue.

Every question goes to the database, in a thread of its own. Not for: doing them (jobs/worker.py).
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..catalog import Artefact, ArtefactKind, Catalog, NewArtefact, Page
from ..catalog.paging import MAX_PAGE
from ..errors import DatabaseError, MissingError, SealExistsError, SealMissingError, SealsmithError
from ..jobs import TRAIN, Event, Job, Queue
from ..jobs.queue import MAX_EVENTS
from ..jobs.train_payload import TrainPayload

LOOK_S: Final = 0.5
"""Between two looks for what has happened."""
SHOWN = (ArtefactKind.PREVIEW, ArtefactKind.CURVE)
"""What a training leaves beside its seal."""


@dataclass(frozen=True)
class Training:
    """A training, and the files it has left by now."""

    job: Job
    files: tuple[Artefact, ...]


class Trainings:
    """The trainings of all tenants, on one base."""

    def __init__(self, catalog: Catalog, base: str):
        """`base`: the word by which workers know the base that seals are for."""
        self._catalog, self._queue, self._base = catalog, Queue(catalog), base

    async def submit(self, tenant: str, file: Path, wanted: TrainPayload) -> Training:
        """Hands in a training on a file that was inspected; its own `pictures` and `base` are filled in.

        Raises: SealExistsError for a name that is taken; QuotaError, of storage or of trainings at once.
        """
        return await asyncio.to_thread(self._submit, tenant, file, wanted)

    async def get(self, tenant: str, training: str) -> Training:
        """Raises: MissingError, also where it is somebody else's."""
        return await asyncio.to_thread(self._get, tenant, training)

    async def page(self, tenant: str, after: str | None, limit: int) -> Page[Job]:
        """The newest first. Raises: ConfigError."""
        return await asyncio.to_thread(self._queue.page, tenant, TRAIN, after, limit)

    async def file(self, tenant: str, training: str, file: str) -> tuple[Artefact, bytes]:
        """A file that a training has left, and its content. Raises: MissingError, StoreError."""
        return await asyncio.to_thread(self._file, tenant, training, file)

    async def cancel(self, tenant: str, training: str) -> Training:
        """Stops it; it can be resumed. Raises: MissingError."""
        await asyncio.to_thread(self._queue.cancel, tenant, training)
        return await self.get(tenant, training)

    async def resume(self, tenant: str, training: str) -> Training:
        """Goes on with one that failed or was cancelled. Raises: MissingError, ConflictError, QuotaError."""
        await asyncio.to_thread(self._queue.resume, tenant, training)
        return await self.get(tenant, training)

    async def forget(self, tenant: str, training: str) -> None:
        """Removes one that has ended, with its pictures and files; its seal stays.

        Raises: MissingError, ConflictError.
        """
        await asyncio.to_thread(self._forget, tenant, training)

    async def events(self, tenant: str, training: str, after: int) -> AsyncIterator[Event]:
        """What happens from event `after` + 1 on, until the training rests or is removed.

        While the database is gone nothing happens.
        """
        while True:
            try:
                job = await asyncio.to_thread(self._queue.get, tenant, training)
                fresh = await asyncio.to_thread(self._queue.events, tenant, training, after)
            except MissingError:
                return
            except DatabaseError:
                await asyncio.sleep(LOOK_S)
                continue
            for event in fresh:
                after = event.number
                yield event
            if job.state.is_last and len(fresh) < MAX_EVENTS:
                return
            if not fresh:
                await asyncio.sleep(LOOK_S)

    def _submit(self, tenant: str, file: Path, wanted: TrainPayload) -> Training:
        self._check_name(tenant, wanted.name)
        new = NewArtefact(ArtefactKind.UPLOAD, file.read_bytes(), "application/octet-stream", file.name)
        upload = self._catalog.artefacts.add(tenant, new)
        payload = {**wanted.to_dict(), "pictures": upload.id, "base": self._base}
        try:
            return Training(self._queue.submit(tenant, TRAIN, payload), ())
        except SealsmithError:
            self._catalog.artefacts.delete(tenant, upload.id)
            raise

    def _check_name(self, tenant: str, name: str) -> None:
        try:
            record = self._catalog.seals.named(tenant, name)
        except SealMissingError:
            return
        if record.tenant == tenant:
            raise SealExistsError(
                f"another seal is called {name!r} already: {record.digest[:12]}",
                "give another name, or remove that one first",
            )

    def _job(self, tenant: str, training: str) -> Job:
        job = self._queue.get(tenant, training)
        if job.kind != TRAIN:
            raise MissingError(f"there is no training {training!r}", "GET /v1/trainings lists them")
        return job

    def _get(self, tenant: str, training: str) -> Training:
        job = self._job(tenant, training)
        return Training(job, tuple(self._files(tenant, training)))

    def _files(self, tenant: str, training: str) -> list[Artefact]:
        """The oldest first of each kind."""
        pages = (self._catalog.artefacts.page(tenant, kind, training, limit=MAX_PAGE) for kind in SHOWN)
        return [file for page in pages for file in reversed(page.items)]

    def _file(self, tenant: str, training: str, file: str) -> tuple[Artefact, bytes]:
        artefact = self._catalog.artefacts.get(tenant, file)
        if artefact.job != training or artefact.kind not in SHOWN:
            raise MissingError(f"the training has no file {file!r}", "GET it to see what there is")
        return artefact, self._catalog.artefacts.read(tenant, file)

    def _forget(self, tenant: str, training: str) -> None:
        job, artefacts = self._job(tenant, training), self._catalog.artefacts
        self._queue.delete(tenant, training)
        for file in self._files(tenant, training):
            artefacts.delete(tenant, file.id)
        artefacts.delete(tenant, job.payload["pictures"])
