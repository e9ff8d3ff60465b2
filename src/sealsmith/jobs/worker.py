"""A worker: takes jobs, one after the other, and watches over the process that does each.

    claim -> process begins -> [ hear it, beat the lease, pass progress on ] -> it ends -> done, stopped or failed

A worker may die at any moment: its lease runs out, its process ends with it, and another worker takes the job up
from where its folder says it was. Not for: who may write what (leases.py), or the process itself (process.py).
"""

import logging
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from ..catalog import Catalog
from ..errors import DatabaseError, FullError, LeaseError, WorkerError
from .leases import Leases
from .process import DONE, FAILED, STOPPED, Assignment, JobProcess, begin_with, last_words, warm
from .queue import ATTENTION, CONFLICTS, SCORE, SWEEP, TRAIN
from .values import Failure, Job, JobState, Lease

HANDLERS: Mapping[str, str] = {
    TRAIN: "sealsmith.jobs.training:run",
    SCORE: "sealsmith.jobs.score_study:run",
    ATTENTION: "sealsmith.jobs.attention_study:run",
    SWEEP: "sealsmith.jobs.sweep_study:run",
    CONFLICTS: "sealsmith.jobs.conflicts_study:run",
}
"""Kind of job -> what does it: `module:function`, a `work.Handler`."""

Report = Callable[[Job, JobState | None], None]
"""Hears of a job's attempt, as it was when it began, and the job's state after it; None: it is no longer ours."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker works. All times in seconds."""

    folder: Path
    """For what jobs go on from: a folder each. Workers that share it take up each other's jobs where they were."""
    bases: tuple[str, ...] = ("sealworld",)
    """Words for the bases it works with."""
    device: str = "cpu"
    """Where these compute."""
    name: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    lease_s: float = 60.0
    """A job whose worker was silent for so long is another worker's."""
    poll_s: float = 1.0
    """Between two looks for a job."""
    beat_s: float = 2.0
    """Between two beats of a lease, with which a worker also learns that its job is to be cancelled."""
    progress_s: float = 0.5
    """Progress is written down at most so often."""
    sweep_s: float = 3600.0
    """Between two looks for folders that nobody needs."""
    grace_s: float = 60.0
    """How long a process may take to save its work when it is to stop."""


class Worker:
    """Takes jobs and has them done."""

    def __init__(
        self,
        catalog: Catalog,
        database: SecretStr,
        store: str,
        settings: WorkerSettings,
        handlers: Mapping[str, str] = HANDLERS,
        context: BaseContext | None = None,
        report: Report = lambda job, state: None,
    ):
        """`database`, `store`: the catalog's addresses, which a job's process opens itself.

        `context`: how processes are begun; None: as `begin_with` does. `report`: hears of every attempt's end.
        """
        self._catalog, self._leases = catalog, Leases(catalog)
        self._database, self._store = database, store
        self._settings, self._handlers = settings, handlers
        self._context, self._report = context or begin_with(handlers), report
        self._is_warm = False
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Lets the job at hand save its work and go back into the queue, and ends. From any thread or signal."""
        self._stopping.set()

    def run(self, until_idle: bool = False) -> None:
        """Works until it is stopped; `until_idle`: or nothing is left to do now."""
        sweep_at = time.monotonic()
        while not self._stopping.is_set():
            try:
                if time.monotonic() >= sweep_at:
                    self._sweep()
                    sweep_at = time.monotonic() + self._settings.sweep_s
                is_idle = not self.run_one()
            except (DatabaseError, FullError) as error:
                log.warning("no job can be had: %s", error)
                is_idle = True
            if is_idle and until_idle:
                return
            if is_idle:
                self._stopping.wait(self._settings.poll_s)

    def run_one(self) -> bool:
        """Does the next job, if there is one; whether there was. Raises: DatabaseError when none can be had."""
        settings = self._settings
        if not self._is_warm:
            if not self._leases.has_work(self._handlers):
                return False
            warm(self._context)  # before a lease begins to run out
            self._is_warm = True
        lease = self._leases.claim(self._handlers, settings.name, settings.lease_s)
        if lease is None:
            return False
        job = lease.job
        folder = settings.folder / job.id
        assignment = Assignment(
            lease,
            self._handlers[job.kind],
            folder,
            settings.bases,
            settings.device,
            self._database,
            self._store,
        )
        if self._context.get_start_method() == "fork":
            self._catalog.close()  # the process must not find its connections; they open again when needed
        watch = _Watch(JobProcess(self._context, assignment), lease, self._leases, settings, self._stopping)
        state = watch.to_the_end()
        self._report(job, state)
        if state is JobState.DONE:
            shutil.rmtree(folder, ignore_errors=True)
        return True

    def _sweep(self) -> None:
        """Removes folders of jobs from which nothing can go on."""
        found = list(self._settings.folder.glob("*/"))  # before asking: another worker may just begin one
        kept = self._leases.unfinished()
        for folder in found:
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)


class _Watch:
    """One attempt of a job, watched from its beginning to its end."""

    def __init__(
        self,
        process: JobProcess,
        lease: Lease,
        leases: Leases,
        settings: WorkerSettings,
        stopping: threading.Event,
    ):
        self._process, self._lease, self._leases = process, lease, leases
        self._settings, self._stopping = settings, stopping
        self._beaten = self._shown = time.monotonic()
        self._news: dict[str, Any] | None = None
        self._kill_at: float | None = None
        """By when it must have ended; None: it was not asked to."""
        self._was_killed = False
        self._said: tuple[str, Any] | None = None
        self._state: JobState | None = None
        self._is_lost = False

    def to_the_end(self) -> JobState | None:
        """What became of the job; None: it is another worker's now, or nobody knows."""
        while True:
            try:
                message = self._process.hear(self._patience_s())
            except EOFError:
                break
            if message is not None:
                self._take(*message)
            self._care()
        status = self._process.finish()
        if not self._is_lost:
            self._write(lambda: self._settle(status))
        return self._state

    def _patience_s(self) -> float:
        return min(self._settings.progress_s, self._settings.beat_s)

    def _take(self, kind: str, what: Any) -> None:
        if kind == "progress":
            self._news = what
        elif kind == "note":
            self._write(lambda: self._leases.note(self._lease, what))
        else:
            self._said = kind, what

    def _care(self) -> None:
        """Beats the lease and shows progress when it is time, and sees to it that what is to stop does."""
        now = time.monotonic()
        has_news = self._news is not None and now - self._shown >= self._settings.progress_s
        if self._said is None and (has_news or now - self._beaten >= self._settings.beat_s):
            self._write(self._beat)
        if self._stopping.is_set():
            self._ask_to_stop()
        if self._kill_at is not None and now >= self._kill_at and not self._was_killed:
            log.warning("job %s did not stop in time and is killed", self._lease.job.id)
            self._was_killed = True
            self._process.kill()

    def _beat(self) -> None:
        news, self._news = self._news, None
        state = self._leases.beat(self._lease, news)
        self._beaten = time.monotonic()
        if news is not None:
            self._shown = self._beaten
        if state is JobState.CANCELLING:
            self._ask_to_stop()

    def _write(self, act: Callable[[], object]) -> None:
        """Writes something about the job; without a lease its process has no business any more.

        A lease ends when its job is done, too, which may be before the process can say so.
        """
        try:
            try:
                act()
            except LeaseError as error:
                if self._leases.is_done(self._lease):
                    self._said, self._state = (DONE, ""), JobState.DONE
                else:
                    log.warning("%s", error)
                    self._lose()
        except (DatabaseError, FullError) as error:
            log.warning("job %s: %s", self._lease.job.id, error)
            if time.monotonic() - self._beaten > self._settings.lease_s:
                self._lose()

    def _lose(self) -> None:
        self._is_lost = True
        self._process.kill()

    def _ask_to_stop(self) -> None:
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._settings.grace_s
            self._process.stop()

    def _settle(self, status: int) -> None:
        """Writes down how the attempt ended. Raises: LeaseError, DatabaseError."""
        kind, what = self._said or ("", Failure.of(last_words(status)))
        if kind == DONE:
            self._state = JobState.DONE
            return
        if self._news is not None:
            self._leases.beat(self._lease, self._news)
        if kind != FAILED and self._kill_at is not None:  # it was asked to stop, and has, in order or not
            self._state = self._leases.stop(self._lease)
            return
        if kind == STOPPED:
            what = Failure.of(WorkerError(f"the job stopped by itself: {what}", "see the worker's log"))
        self._state = self._leases.fail(self._lease, what)
