"""Handlers of jobs that need no torch: what they do is in the job's payload."""

import os
import signal
import time
from pathlib import Path

from sealsmith.catalog import ArtefactKind, NewArtefact, SealFacts
from sealsmith.errors import Cancelled, ConfigError
from sealsmith.jobs import NewSeal, Outcome
from sealsmith.jobs.work import Work

HANDLERS = {
    name: f"{__name__}:{name}"
    for name in ("count", "die", "refuse", "break_down", "wait", "ignore", "train", "till_told")
}


def count(work: Work) -> Outcome:
    """Counts on from where it was, one a unit; makes a seal of how far it came, and an artefact on the way."""
    total, path = work.job.payload["total"], work.folder / "counted"
    done = len(path.read_bytes()) if path.exists() else 0
    work.progress.note(f"counting in {work.folder}")
    work.progress.start("counting", total, done)
    while done < total:
        done += 1
        with path.open("ab") as file:
            file.write(b".")
        work.progress.advance(done, loss=1 / done)
        if done == work.job.payload.get("die_at") and work.job.attempts == 1:
            os.kill(os.getpid(), signal.SIGKILL)
    work.keep(NewArtefact(ArtefactKind.PREVIEW, b"seen", "image/png", "half.png"))
    work.keep(NewArtefact(ArtefactKind.PREVIEW, b"seen", "image/png", "half.png"))
    seal = NewSeal(b"." * done, SealFacts("counted", "b" * 64, "sealworld", "zwx"))
    curve = NewArtefact(ArtefactKind.CURVE, b"1\n2\n", "application/jsonl", "log.jsonl")
    return Outcome({"attempt": work.job.attempts}, (seal,), (curve,))


train = count


def die(work: Work) -> Outcome:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it is dead")


def refuse(work: Work) -> Outcome:
    raise ConfigError(f"{work.folder / 'pictures'} holds nothing", "upload something")


def break_down(work: Work) -> Outcome:
    raise RuntimeError("no memory")


def wait(work: Work) -> Outcome:
    """Waits until it is stopped, and says where it was."""
    work.progress.start("waiting", 1)
    try:
        while True:
            time.sleep(0.01)
    except KeyboardInterrupt as interrupt:
        (work.folder / "stopped").write_text("in order")
        raise Cancelled("stopped while waiting") from interrupt


def till_told(work: Work) -> Outcome:
    """Waits, in its first attempt, until there is a file `go`; then it makes a seal."""
    work.progress.start("waiting", 1)
    while work.job.attempts == 1 and not (work.folder / "go").exists():
        time.sleep(0.01)
    return Outcome({}, (NewSeal(b"told", SealFacts("told", "b" * 64, "sealworld", "zwx")),))


def ignore(work: Work) -> Outcome:
    """Waits, and will not be stopped."""
    work.progress.start("ignoring", 1)
    while True:
        try:
            time.sleep(0.01)
        except KeyboardInterrupt:
            Path(work.folder / "ignored").touch()
