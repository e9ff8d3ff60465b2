"""The whole embedded base in one sitting on one GPU: from pictures to files that `world.assemble` reads.

    python runs/train_base.py --call-minutes 9 --out results
    python runs/train_base.py --unpack results

Say the first again and again: it starts what is missing or was interrupted, in a process of its own that outlives
the call, waits as long as the call may last, and leaves what there is by then in `--out`: the averaged weights of
every stage in parts of at most 15 MiB, and `status.json`. It exits with 0 when all is done, with 75 when it is to
be called again, with 1 when a stage failed. The second puts results into `world/runs/`. See README.md beside this.
"""

import argparse
import fcntl
import io
import json
import math
import multiprocessing
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
for place in (ROOT, ROOT / "src"):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

from world import glyphs  # noqa: E402 - after the path to it
from world.configs import CONFIGS, Config  # noqa: E402

if TYPE_CHECKING:
    from world.training import Run, Start

# Whoever calls and waits imports no torch: that takes as long as much of a rehearsal.

PART_BYTES = 15 * 2**20
MOST_PARTS = 6
"""A call hands back eight files at most: these, the status and one to spare."""
PRECISE = ("text_encoder.",)
"""Shipped in single precision: `world.assemble` says why."""
AGAIN = 75
"""The exit status "temporary failure", as sysexits.h has it."""
POLL_S = 2.0


@dataclass(frozen=True)
class Stage:
    """One part of the whole, in a process of its own."""

    name: str
    needs: tuple[str, ...]
    work: Callable[[Config, str, "Start"], None]


def _render(config: Config, device: str, start: "Start") -> None:
    from world import denoiser

    denoiser.prepare(config)


def _autoencoder(config: Config, device: str, start: "Start") -> None:
    from world import autoencoder

    settings = config.autoencoder
    if start != "fresh" and autoencoder.fits_shipped(settings):
        print("the shipped one's shape: it stays, and what the shipped denoiser knows of its latents")
        return
    autoencoder.train(settings, autoencoder.whole(config), device, math.inf)


def _denoiser(config: Config, device: str, start: "Start") -> None:
    from world import denoiser

    denoiser.train(config, device, math.inf, start)


def _judge(config: Config, device: str, start: "Start") -> None:
    from world import judge

    judge.train(config, math.inf, start, device)


def _decoder(config: Config, device: str, start: "Start") -> None:
    from world import autoencoder

    settings = config.autoencoder
    if settings.decoder_steps:
        autoencoder.train(settings, autoencoder.decoder(config), device, math.inf)


STAGES = (
    Stage("render", (), _render),
    Stage("autoencoder", (), _autoencoder),
    Stage("denoiser", ("render", "autoencoder"), _denoiser),
    Stage("judge", ("render", "autoencoder"), _judge),
    Stage("decoder", ("denoiser", "judge"), _decoder),
)
"""The processor renders while the GPU learns the autoencoder, and again, for the judge, beside the denoiser."""


class Sitting:
    """What is done, on disk: an empty file for each stage that is, a log and a lock for each that was begun."""

    def __init__(self, config: Config):
        self.config = config
        self.folder = glyphs.RUNS / f"train-{config.denoiser.name}"
        self.folder.mkdir(parents=True, exist_ok=True)

    def log(self, stage: str) -> Path:
        return self.folder / f"{stage}.log"

    def is_done(self, stage: str) -> bool:
        return (self.folder / f"{stage}.done").exists()

    def has_failed(self, stage: str) -> bool:
        return (self.folder / f"{stage}.failed").exists()

    def state(self) -> dict[str, str]:
        """Of every stage one word."""
        words = {"done": self.is_done, "failed": self.has_failed, "begun": lambda s: self.log(s).exists()}
        return {
            stage.name: next((word for word, holds in words.items() if holds(stage.name)), "waiting")
            for stage in STAGES
        }

    def last_lines(self) -> dict[str, str]:
        """What each stage said last."""
        found = {}
        for stage in STAGES:
            if self.log(stage.name).exists():
                lines = self.log(stage.name).read_text(errors="replace").splitlines()
                found[stage.name] = lines[-1] if lines else ""
        return found


def held(path: Path) -> IO[str] | None:
    """The lock at `path`, until it is closed or its process ends; None where another process has it."""
    lock = path.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def is_at_it(sitting: Sitting) -> bool:
    """Whether the conductor or a stage lives; a stage may outlive its conductor."""
    for name in ("conductor", *(stage.name for stage in STAGES)):
        lock = held(sitting.folder / f"{name}.lock")
        if lock is None:
            return True
        lock.close()
    return False


def conduct(sitting: Sitting, device: str, start: "Start") -> None:
    """Run every stage that is not done, each as soon as what it needs is there, unless somebody is at it."""
    if is_at_it(sitting):
        return
    lock = held(sitting.folder / "conductor.lock")
    if lock is None:
        return
    for stage in STAGES:
        (sitting.folder / f"{stage.name}.failed").unlink(missing_ok=True)
    # A process that was forked after CUDA was asked for anything cannot use it; forking alone spares the imports.
    context: Any = multiprocessing.get_context("fork" if device == "cpu" else "spawn")
    if device == "cpu":
        from world import autoencoder, denoiser, judge  # noqa: F401 - for all that are forked
    running: dict[str, Any] = {}
    while True:
        for name in [name for name, process in running.items() if not process.is_alive()]:
            running.pop(name).join()
            if not sitting.is_done(name):
                (sitting.folder / f"{name}.failed").touch()
        for number, stage in enumerate(STAGES):
            is_new = not (sitting.is_done(stage.name) or sitting.has_failed(stage.name))
            if is_new and stage.name not in running and all(map(sitting.is_done, stage.needs)):
                running[stage.name] = context.Process(target=_play, args=(sitting, number, device, start))
                running[stage.name].start()
        if not running:
            break
        time.sleep(0.2)
    lock.close()


def _play(sitting: Sitting, number: int, device: str, start: "Start") -> None:
    """One stage, its words in its log."""
    stage = STAGES[number]
    lock = held(sitting.folder / f"{stage.name}.lock")
    log = os.open(sitting.log(stage.name), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if lock is None:
        raise SystemExit("another process is at this stage")
    stage.work(sitting.config, device, start)
    (sitting.folder / f"{stage.name}.done").touch()


def begin(arguments: argparse.Namespace) -> subprocess.Popen:
    """Conduct in a session of its own, which goes on when this call has ended."""
    command = [
        sys.executable,
        __file__,
        "--conduct",
        "--config",
        arguments.config,
        "--device",
        arguments.device,
    ]
    if arguments.fresh:
        command.append("--fresh")
    sitting = Sitting(CONFIGS[arguments.config])
    with sitting.log("conductor").open("a") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def wait(sitting: Sitting, conductor: subprocess.Popen, minutes: float) -> int:
    """Show how the stages do until all have ended or the minutes have; the exit status."""
    until, shown = time.monotonic() + 60 * minutes, ""
    while True:
        has_ended = conductor.poll() is not None and not is_at_it(sitting)
        lines = json.dumps(sitting.state() | {"last": sitting.last_lines()})
        if lines != shown:
            print(lines, flush=True)
            shown = lines
        if has_ended or time.monotonic() > until:
            break
        time.sleep(POLL_S if minutes > 1 else 0.2)
    state = sitting.state()
    if all(word == "done" for word in state.values()):
        return 0
    return 1 if has_ended else AGAIN


def parts(sitting: Sitting) -> dict[str, "Run"]:
    """The trainings by their folders' names."""
    from world.training import Run

    config = sitting.config
    names = (
        f"autoencoder-{config.autoencoder.name}",
        f"decoder-{config.autoencoder.name}",
        f"denoiser-{config.denoiser.name}",
        f"judge-{config.judge.name}",
    )
    return {
        name: Run(glyphs.RUNS / name) for name in names if (glyphs.RUNS / name / "checkpoint.json").exists()
    }


def pack(sitting: Sitting, out: Path) -> None:
    """Write what is there as `results-000.part` and so on, and `status.json`."""
    from world.training import Run, results_of

    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("results-*.part"):
        old.unlink()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, run in parts(sitting).items():
            small = Run(sitting.folder / "packed" / name)
            small.save(results_of(_loaded(run), PRECISE))
            for file in sorted(small.folder.iterdir()):
                archive.add(file, f"{name}/{file.name}")
            for extra in ("log.jsonl", "tokenizer"):
                if (run.folder / extra).exists():
                    archive.add(run.folder / extra, f"{name}/{extra}")
        for log in sorted(sitting.folder.glob("*.log")):
            archive.add(log, f"{sitting.folder.name}/{log.name}")
    whole = packed.getvalue()
    pieces = [whole[at : at + PART_BYTES] for at in range(0, len(whole), PART_BYTES)]
    if len(pieces) > MOST_PARTS:
        raise SystemExit(f"{len(pieces)} parts are more than the {MOST_PARTS} that a call hands back")
    for number, piece in enumerate(pieces):
        (out / f"results-{number:03d}.part").write_bytes(piece)
    status = {"stages": sitting.state(), "last": sitting.last_lines(), "bytes": len(whole)}
    (out / "status.json").write_text(json.dumps(status, indent=1) + "\n")


def _loaded(run: "Run") -> dict[str, Any]:
    """The last checkpoint, though its training may write the next one meanwhile and remove this."""
    try:
        return run.load() or {}
    except FileNotFoundError:
        return run.load() or {}


def unpack(folder: Path) -> None:
    """Put packed results into `world/runs/`, in the place of what trainings of these names left there."""
    whole = b"".join(part.read_bytes() for part in sorted(folder.glob("results-*.part")))
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        archive.extractall(glyphs.RUNS, filter="data")
        print("\n".join(sorted({name.partition("/")[0] for name in archive.getnames()})))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", choices=sorted(CONFIGS), default="cuda")
    parser.add_argument("--miniature", action="store_true", help="all of it, tiny: a rehearsal")
    parser.add_argument("--device", default="", help="that of the configuration")
    parser.add_argument("--call-minutes", type=float, default=9.0, help="how long this call may wait")
    parser.add_argument("--out", type=Path, help="where results go")
    parser.add_argument(
        "--fresh", action="store_true", help="from random weights even where the shipped ones fit"
    )
    parser.add_argument(
        "--unpack", type=Path, metavar="FOLDER", help="put results into world/runs/, and no more"
    )
    parser.add_argument("--conduct", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.unpack:
        unpack(arguments.unpack)
        return 0
    if arguments.miniature:
        arguments.config = "miniature"
    arguments.device = arguments.device or ("cuda" if arguments.config == "cuda" else "cpu")
    sitting = Sitting(CONFIGS[arguments.config])
    if arguments.conduct:
        conduct(sitting, arguments.device, "fresh" if arguments.fresh else "shipped if it fits")
        return 0
    status = wait(sitting, begin(arguments), arguments.call_minutes)
    if arguments.out:
        pack(sitting, arguments.out)
    return status


if __name__ == "__main__":
    sys.exit(main())
