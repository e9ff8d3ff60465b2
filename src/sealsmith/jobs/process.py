"""A job's own process: it works, tells, finishes the job itself, and ends when it is told to or nobody listens.

    worker's process --("stop")--> pipe --> KeyboardInterrupt in the handler, which saves and gives up
                     <--("progress", "note", then one of "done", "stopped", "failed")-- pipe
    the worker's end breaks, however the worker ends: the process ends at once, since the job is no longer its own

Not for: leases and what becomes of a failed job (worker.py), or what a job does (handlers).
"""

import importlib
import os
import signal
import sys
import threading
import traceback
from _thread import interrupt_main
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from ..errors import Cancelled, LeaseError, SealsmithError, WorkerError
from ..processes import clean_processes
from .values import Failure, Lease

LOCK_NAME = "lock"
LOCK_WITHIN_S = 60.0
"""How long the process of an earlier attempt may take to end."""
END_WITHIN_S = 30.0
"""How long a process may take to end when it has nothing more to say."""
WORK = f"{__package__}.work"
"""What every job's process needs."""
STOP = "stop"
DONE, STOPPED, FAILED = "done", "stopped", "failed"


@dataclass(frozen=True)
class Assignment:
    """Everything that a process needs to do one attempt of a job."""

    lease: Lease
    handler: str
    """`module:function`, a `work.Handler`."""
    folder: Path
    bases: tuple[str, ...]
    device: str
    database: SecretStr
    store: str


def begin_with(handlers: Mapping[str, str]) -> BaseContext:
    """How processes are begun that have the handlers' imports, and nothing that cannot be shared."""
    return clean_processes([WORK, *(handler.partition(":")[0] for handler in handlers.values())])


def warm(context: BaseContext) -> None:
    """Waits until processes begin at once: where a server forks them, until that has its imports.

    On a busy machine that may take longer than a lease lasts.
    """
    if context.get_start_method() == "forkserver":
        first = context.Process(target=_nothing)  # type: ignore[attr-defined]
        first.start()
        first.join()


def _nothing() -> None:
    """All that the first process does."""


class JobProcess:
    """A process at work on a job, as the worker sees it."""

    def __init__(self, context: BaseContext, assignment: Assignment):
        heard, told = context.Pipe(duplex=False)
        orders, self._orders = context.Pipe(duplex=False)
        inherited = (heard, self._orders) if context.get_start_method() == "fork" else ()
        self._heard: Connection = heard
        self._process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=_live, args=(assignment, told, orders, inherited), name=f"job {assignment.lease.job.id}"
        )
        self._process.start()
        told.close()  # so that the pipe ends with the process
        orders.close()

    def hear(self, within_s: float) -> tuple[str, Any] | None:
        """The next message, or None when there was none in that time. Raises: EOFError when it has ended."""
        if not wait([self._heard], within_s):
            return None
        try:
            return self._heard.recv()
        except OSError as error:
            raise EOFError from error

    def stop(self) -> None:
        """Asks it to save its work and to end; that takes a moment."""
        with suppress(OSError):  # it has ended already
            self._orders.send(STOP)

    def kill(self) -> None:
        self._process.kill()

    def finish(self) -> int:
        """Waits for its end, after it has said its last; its exit status, negative: the signal that ended it."""
        self._process.join(END_WITHIN_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._heard.close()
        self._orders.close()
        assert self._process.exitcode is not None
        return self._process.exitcode


def last_words(status: int) -> WorkerError:
    """Why a process ended without a word of its own."""
    if status < 0:
        name = signal.Signals(-status).name
        why = ", as by a system that runs out of memory" if name == "SIGKILL" else ""
        return WorkerError(f"the job's process was ended by {name}{why}", "see the worker's log")
    return WorkerError(f"the job's process broke down with status {status}", "see the worker's log")


def _live(
    assignment: Assignment, told: Connection, orders: Connection, inherited: tuple[Connection, ...]
) -> None:
    """The life of a job's process."""
    for connection in inherited:
        connection.close()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a group is ended as a whole; the worker says when to stop
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(sys.stderr.fileno(), 1)  # stdout is the worker's own
    listener = _Listener(orders)
    try:
        said = _attempt(assignment, told, listener)
    except KeyboardInterrupt:
        said = (STOPPED, "")
    listener.end()
    told.send(said)
    told.close()


def _attempt(assignment: Assignment, told: Connection, listener: "_Listener") -> tuple[str, Any]:
    """Does the job; what there is to say at its end."""
    from filelock import FileLock, Timeout

    from ..catalog import open_catalog
    from .leases import Leases
    from .work import Relay, Work

    def tell(kind: str, what: Any) -> None:
        told.send((kind, _without_paths(what, assignment) if isinstance(what, str) else what))

    try:
        assignment.folder.mkdir(parents=True, exist_ok=True)
        with (
            FileLock(assignment.folder / LOCK_NAME, LOCK_WITHIN_S),
            open_catalog(assignment.database, assignment.store) as catalog,
        ):
            work = Work(
                assignment.lease,
                assignment.folder,
                assignment.bases,
                Relay(tell),
                catalog,
                assignment.device,
            )
            outcome = _handler(assignment.handler)(work)
            listener.end()  # it is as good as done: nothing may interrupt that
            Leases(catalog).finish(assignment.lease, outcome)
            return DONE, ""
    except Cancelled as cancelled:
        return STOPPED, str(cancelled)
    except LeaseError as error:  # another worker has it; there is nothing to say about the job
        return STOPPED, str(error)
    except SealsmithError as error:
        return FAILED, replace(Failure.of(error), message=_without_paths(str(error), assignment))
    except Timeout:
        busy = WorkerError("another process is still at work in the job's folder", "wait for it to end")
        return FAILED, Failure.of(busy)
    except Exception as error:  # noqa: BLE001 - the border: the job's process has nobody above it
        traceback.print_exc(file=sys.stderr)
        died = WorkerError(
            f"this should not have happened: {type(error).__name__}: {error}", "see the worker's log"
        )
        return FAILED, Failure.of(died)


def _without_paths(message: str, assignment: Assignment) -> str:
    """What a tenant is told names no folder of this machine."""
    return message.replace(f"{assignment.folder}{os.sep}", "").replace(
        str(assignment.folder), "the job's folder"
    )


def _handler(name: str) -> Any:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


class _Listener:
    """A thread that listens to the worker: it interrupts the main thread, or ends all when there is no worker."""

    def __init__(self, orders: Connection):
        self._orders = orders
        self._lock = threading.Lock()
        self._is_over = False
        threading.Thread(target=self._listen, name="orders", daemon=True).start()

    def end(self) -> None:
        """From now on the main thread is not interrupted any more."""
        with self._lock:
            self._is_over = True

    def _listen(self) -> None:
        while True:
            try:
                self._orders.recv()
            except (EOFError, OSError):
                os._exit(1)
            with self._lock:
                if not self._is_over:
                    interrupt_main()
