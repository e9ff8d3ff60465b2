"""A tenant's jobs of some kinds as the service watches and ends them, with the files they have left.

Every question goes to the database, in a thread of its own. Not for: handing them in (trainings.py, studies.py), or
doing them (jobs/worker.py).
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from ..catalog import Artefact, ArtefactKind, Catalog, Page
from ..catalog.paging import MAX_PAGE
from ..errors import DatabaseError, FullError, MissingError
from ..jobs import Backlog, Event, Job, Queue, Story
from .watching import Watch, Watched

LOOK_S: Final = 0.5
"""Between two looks for what has happened."""

JobWatch = Watch[str, Story]
"""Looks after jobs by their ids, of all tenants: who may listen to one is asked before."""


def job_watch(catalog: Catalog) -> JobWatch:
    """What asks the database once a while for all jobs that are listened to."""
    return Watch(partial(_look, Queue(catalog)), LOOK_S)


@dataclass(frozen=True)
class Ongoing:
    """A job, and the files it has left by now."""

    job: Job
    files: tuple[Artefact, ...]


class LongWork:
    """The jobs of all tenants, of some kinds."""

    def __init__(
        self,
        catalog: Catalog,
        name: str,
        kinds: Collection[str],
        files: Collection[ArtefactKind],
        listed: str,
        watch: JobWatch,
    ):
        """`name`: what errors call one; `files`: what it leaves; `listed`: the route that lists them."""
        self._catalog, self._queue, self._watch = catalog, Queue(catalog), watch
        self._name, self._kinds, self._shown, self._listed = name, kinds, files, listed

    async def backlog(self) -> Backlog:
        """How much there is to do for all tenants, of every kind of job. Raises: DatabaseError."""
        return await asyncio.to_thread(self._queue.backlog)

    async def get(self, tenant: str, job: str) -> Ongoing:
        """Raises: MissingError, also where it is somebody else's."""
        return await asyncio.to_thread(self._get, tenant, job)

    async def page(self, tenant: str, kinds: Collection[str], after: str | None, limit: int) -> Page[Job]:
        """Those of some kinds, or of all, the newest first. Raises: ConfigError."""
        return await asyncio.to_thread(self._queue.page, tenant, kinds or self._kinds, after, limit)

    async def file(self, tenant: str, job: str, file: str) -> tuple[Artefact, bytes]:
        """A file that it has left, and its content. Raises: MissingError, StoreError."""
        return await asyncio.to_thread(self._file, tenant, job, file)

    async def cancel(self, tenant: str, job: str) -> Ongoing:
        """Stops it; it can be resumed. Raises: MissingError."""
        return await asyncio.to_thread(self._cancel, tenant, job)

    async def resume(self, tenant: str, job: str) -> Ongoing:
        """Goes on with one that failed or was cancelled. Raises: MissingError, ConflictError, QuotaError."""
        return await asyncio.to_thread(self._resume, tenant, job)

    async def forget(self, tenant: str, job: str) -> None:
        """Removes one that has ended, with what was handed in for it and its files.

        Raises: MissingError, ConflictError.
        """
        await asyncio.to_thread(self._forget, tenant, job)

    async def events(self, tenant: str, job: str, after: int) -> AsyncIterator[Event]:
        """What happens from event `after` + 1 on, until the job rests or is removed.

        While the database is gone nothing happens. What has happened before is read for this listener alone, what
        happens from now on once for all.
        """
        with self._watch.of(job) as watched:
            while not watched.is_gone:
                news = watched.news
                try:
                    story = await self._story(watched, tenant, job, after)
                except MissingError:
                    return
                except (DatabaseError, FullError):
                    await asyncio.sleep(LOOK_S)
                    continue
                fresh = story.after(after) or ()
                for event in fresh:
                    after = event.number
                    yield event
                if story.is_over and after >= story.num_events:
                    return
                if not fresh:
                    await news.wait()

    async def _story(self, watched: Watched[Story], tenant: str, job: str, after: int) -> Story:
        """One that has the event after that number, if there is one. Raises: MissingError, DatabaseError."""
        if watched.value is not None and watched.value.after(after) is not None:
            return watched.value
        return await asyncio.to_thread(self._queue.story, tenant, job, after)

    def _job(self, tenant: str, job: str) -> Job:
        found = self._queue.get(tenant, job)
        if found.kind not in self._kinds:
            raise MissingError(f"there is no {self._name} {job!r}", f"GET {self._listed} lists them")
        return found

    def _get(self, tenant: str, job: str) -> Ongoing:
        return Ongoing(self._job(tenant, job), tuple(self._files(tenant, job)))

    def _cancel(self, tenant: str, job: str) -> Ongoing:
        self._job(tenant, job)
        self._queue.cancel(tenant, job)
        return self._get(tenant, job)

    def _resume(self, tenant: str, job: str) -> Ongoing:
        self._job(tenant, job)
        self._queue.resume(tenant, job)
        return self._get(tenant, job)

    def _files(self, tenant: str, job: str) -> list[Artefact]:
        """The oldest first of each kind."""
        return [file for kind in self._shown for file in reversed(self._of_kind(tenant, job, kind))]

    def _of_kind(self, tenant: str, job: str, kind: ArtefactKind) -> list[Artefact]:
        """The newest first."""
        files: list[Artefact] = []
        after: str | None = None
        while True:
            page = self._catalog.artefacts.page(tenant, kind, job, after, MAX_PAGE)
            files += page.items
            if page.next is None:
                return files
            after = page.next

    def _file(self, tenant: str, job: str, file: str) -> tuple[Artefact, bytes]:
        artefact = self._catalog.artefacts.get(tenant, file)
        if artefact.job != job or artefact.kind not in self._shown:
            raise MissingError(f"the {self._name} has no file {file!r}", "GET it to see what there is")
        return artefact, self._catalog.artefacts.read(tenant, file)

    def _forget(self, tenant: str, job: str) -> None:
        self._queue.delete(tenant, job, self._uploads(self._job(tenant, job)))

    def _uploads(self, job: Job) -> Collection[str]:
        """Ids of the files that were handed in with a job."""
        return ()


async def _look(queue: Queue, known: Mapping[str, Story | None]) -> Mapping[str, Story]:
    """What has become of jobs; while the database is gone, nothing."""
    try:
        return await asyncio.to_thread(queue.stories, known)
    except (DatabaseError, FullError):
        return {job: story or Story(0, is_over=False) for job, story in known.items()}
