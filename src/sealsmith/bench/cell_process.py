"""Cells of a comparison, each in a process of its own, several at a time.

So a cell's peak of memory is its own, and one that crashes or is killed costs nobody else anything. The processes
are forked from one that has imported everything and opened nothing.

    cell's process --(start, advance, note)--> pipe --> the comparison's progress
    the pipe breaks when the comparison ends, however it does: the cell saves its training and ends too

Not for: what is done in a cell (cell.py).
"""

import faulthandler
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol, TextIO

from ..errors import Cancelled, SealsmithError
from ..processes import clean_processes
from ..train import Progress
from .cell import Job, run_cell
from .cell_files import ERRORS, FAILURE, is_finished, read_failure, write_failure

Work = Callable[[Job, Progress], None]


class CellProgress(Progress, Protocol):
    """A cell's progress, as the comparison shows it."""

    def end(self) -> None:
        """The cell is done, or has failed."""


class MatrixProgress(Protocol):
    """What a comparison reports to."""

    def count(self, done: int, total: int) -> None:
        """So many cells are done, of so many."""

    def begin(self, name: str) -> CellProgress:
        """The cell of that name begins."""


def run_cells(jobs: Sequence[Job], at_once: int, progress: MatrixProgress, work: Work = run_cell) -> None:
    """Makes the cells, in order, so many at once; each leaves a scorecard in its folder, or why there is none.

    Raises: nothing that happens in a cell. When this is left early, the cells at work save their trainings and end.
    """
    if not jobs:
        return
    context = _context()
    waiting, running, done = deque(jobs), list[CellProcess](), 0
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                job = waiting.popleft()
                running.append(CellProcess(context, job, work, progress.begin(job.name)))
            for cell in _that_spoke(running):
                if cell.hear():
                    continue
                running.remove(cell)
                cell.finish()
                done += 1
                progress.count(done, len(jobs))
    finally:
        for cell in running:
            cell.connection.close()
        for cell in running:
            cell.join()


class CellProcess:
    """A cell at work, as the comparison's process sees it."""

    def __init__(self, context: BaseContext, job: Job, work: Work, progress: CellProgress):
        self._job = job
        self._progress = progress
        (job.folder / FAILURE).unlink(missing_ok=True)
        self.connection, other_end = context.Pipe(duplex=False)
        self._process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=_work, args=(job, work, other_end), name=job.name
        )
        self._process.start()
        other_end.close()  # so that the pipe ends with the process

    def hear(self) -> bool:
        """Passes one message on; whether there was one, and not the end."""
        try:
            told = self.connection.recv()
        except (EOFError, OSError):
            return False
        getattr(self._progress, told[0])(*told[1:])
        return True

    def finish(self) -> None:
        """What the process left is in the cell's folder; where that is nothing, the reason now is."""
        self._process.join()
        self.connection.close()
        folder = self._job.folder
        if not is_finished(folder) and not read_failure(folder):
            write_failure(folder, _last_words(self._process.exitcode, folder))
        if failure := read_failure(folder):
            self._progress.note(f"{self._job.name} failed: {failure}")
        self._progress.end()

    def join(self) -> None:
        """Waits until the process has ended; it will when its connection is closed, once it has saved itself."""
        self._process.join()


@dataclass(frozen=True)
class Relay:
    """A training's progress on its way to another process."""

    connection: Connection

    def start(self, stage: str, total: int, done: int = 0) -> None:
        self._tell("start", stage, total, done)

    def advance(self, done: int, loss: float | None = None) -> None:
        self._tell("advance", done, loss)

    def note(self, message: str) -> None:
        self._tell("note", message)

    def _tell(self, *message: object) -> None:
        """Raises: KeyboardInterrupt when nobody listens any more, which a training answers by saving itself."""
        try:
            self.connection.send(message)
        except OSError as error:
            raise KeyboardInterrupt from error


def _work(job: Job, work: Work, connection: Connection) -> None:
    """The life of a cell's process. Other errors than these are bugs: Python prints them, and they are kept."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches a whole group; the pipe says when to stop
    job.folder.mkdir(parents=True, exist_ok=True)
    with (job.folder / ERRORS).open("w", encoding="utf-8") as errors, suppress(KeyboardInterrupt, Cancelled):
        _redirected(errors)
        try:
            work(job, Relay(connection))
        except (SealsmithError, RuntimeError, MemoryError) as error:  # torch's own: no memory, no convergence
            if isinstance(error, Cancelled):
                raise
            write_failure(job.folder, str(error).strip().partition("\n")[0] or type(error).__name__)
        else:
            (job.folder / ERRORS).unlink()


def _redirected(errors: TextIO) -> None:
    """What this process, its libraries and their crashes say goes to the file from now on."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(errors.fileno(), 2 if stream is sys.stderr else 1)
    faulthandler.enable(errors)


def _last_words(exit_code: int | None, folder: Path) -> str:
    """Why a process ended without a word of its own."""
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        why = ", as a system does that runs out of memory" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{why}"
    said = []
    with suppress(OSError):
        said = (folder / ERRORS).read_text(encoding="utf-8", errors="replace").split("\n")
    lines = [line.strip() for line in said if line.strip()]
    return f"its process broke down: {lines[-1] if lines else f'exit status {exit_code}'}"


def _that_spoke(running: Sequence[CellProcess]) -> list[CellProcess]:
    ready = wait([cell.connection for cell in running])
    return [cell for cell in running if cell.connection in ready]


def _context() -> BaseContext:
    """How processes are begun that have the imports."""
    context = clean_processes([run_cell.__module__])
    if context.get_start_method() == "forkserver":
        from multiprocessing import forkserver

        with _silent_stderr():
            forkserver.ensure_running()
    return context


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Processes that are begun within it never speak: what libraries say on import was said already."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
