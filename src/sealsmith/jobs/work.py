"""What a job's handler is given, and how it tells where it stands. A handler runs in a process of its own.

A handler is a function of one `Work`: it gives an `Outcome`, or raises an error of our tree. When it is to stop it
meets KeyboardInterrupt, as by Ctrl-C, saves what it wants to go on from into `folder`, and raises `Cancelled`. What
is in `folder` is there again in the next attempt, on machines that share it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..catalog import Artefact, Catalog, NewArtefact
from ..errors import OutputError
from .leases import Leases
from .values import Job, Lease, Outcome

Tell = Callable[[str, Any], None]
"""Sends a message to the worker: its kind ("progress" or "note"), and what it says."""


@dataclass(frozen=True)
class Work:
    """One attempt of a job."""

    lease: Lease
    folder: Path
    """Of this job alone."""
    bases: tuple[str, ...]
    """Words for the bases that this worker works with."""
    progress: "Relay"
    catalog: Catalog
    device: str = "cpu"
    """Where this worker's bases compute."""

    @property
    def job(self) -> Job:
        return self.lease.job

    def fetch(self, artefact: str, path: Path) -> None:
        """Writes one of the tenant's artefacts to `path`. Raises: MissingError, StoreError, OutputError."""
        data = self.catalog.artefacts.read(self.job.tenant, artefact)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            raise OutputError(
                f"cannot write {str(path)!r}: {error.strerror}", "see whether there is room"
            ) from error

    def keep(self, new: NewArtefact) -> Artefact:
        """Keeps a file of the job for its tenant to see at once; one of the same kind and name stays as it was.

        Raises: LeaseError, QuotaError, StoreError.
        """
        return Leases(self.catalog).keep(self.lease, new)


Handler = Callable[[Work], Outcome]


@dataclass
class Relay:
    """A job's progress on its way to the worker; a `train.Progress`."""

    tell: Tell
    _stage: str = ""
    _total: int = 0
    _first: int = 0
    _began: float = field(default_factory=time.monotonic)

    def start(self, stage: str, total: int, done: int = 0) -> None:
        """A stage of `total` units begins at `done`."""
        self._stage, self._total, self._first, self._began = stage, total, done, time.monotonic()
        self.advance(done)

    def advance(self, done: int, loss: float | None = None) -> None:
        """`done` units of the stage are finished."""
        progress: dict[str, Any] = {"stage": self._stage, "done": done, "total": self._total}
        progress["left_s"] = self._left_s(done)
        self.tell("progress", progress if loss is None else progress | {"loss": loss})

    def note(self, message: str) -> None:
        """A piece of news for the tenant, one sentence."""
        self.tell("note", message)

    def _left_s(self, done: int) -> float | None:
        """Seconds to the stage's end at its pace so far; None before its first unit."""
        num_done = done - self._first
        if num_done < 1:
            return None
        return round((time.monotonic() - self._began) / num_done * (self._total - done), 1)
