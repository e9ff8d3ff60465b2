"""`sealsmith bench`: this machine's speed beside stock diffusers', in one run."""

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ..errors import ConfigError
from .options import BaseOption
from .parameters import takes

if TYPE_CHECKING:
    from PIL.Image import Image


class Suite(StrEnum):
    """What can be measured."""

    SPEED = "speed"
    TRAINING = "training"
    ENGINE = "engine"
    COMPATIBILITY = "compatibility"
    SOAK = "soak"
    SERVE = "serve"


_SUITES_OF = {
    "--repeats": (Suite.SPEED, Suite.TRAINING, Suite.ENGINE, Suite.SERVE),
    "--steps": (Suite.SPEED, Suite.TRAINING, Suite.ENGINE, Suite.SERVE),
    "--quick": (Suite.TRAINING, Suite.ENGINE, Suite.SERVE),
    "--variants": (Suite.TRAINING,),
    "--plot": (Suite.TRAINING, Suite.ENGINE),
    "--threads": (Suite.ENGINE,),
    "--demo": (Suite.SPEED,),
    "--streams": (Suite.SERVE,),
    "--minutes": (Suite.SOAK, Suite.SERVE),
    "--requests": (Suite.SOAK, Suite.SERVE),
    "--tiny": (Suite.SOAK, Suite.SERVE),
}
"""Options that not every suite has."""


@dataclass(frozen=True)
class BenchOptions:
    """What `sealsmith bench` takes."""

    context: typer.Context
    suite: Annotated[Suite, typer.Argument(help="What to measure.")] = Suite.SPEED
    repeats: Annotated[
        int | None,
        typer.Option(min=0, help="speed: pictures of each side; training: emblems; engine, serve: rounds."),
    ] = None
    steps: Annotated[
        int | None,
        typer.Option(
            min=0, help="Steps of each training, 0 leaves them out of speed; engine, serve: of a picture."
        ),
    ] = None
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="training: three arms, one emblem; engine: one workload; serve: four minutes."
        ),
    ] = False
    variants: Annotated[
        bool, typer.Option("--variants", help="training: ours with one thing changed each, too.")
    ] = False
    plot: Annotated[
        Path | None, typer.Option(help="A PNG: training, likeness against seconds; engine, pace and waiting.")
    ] = None
    threads: Annotated[int | None, typer.Option(min=1, help="engine: PyTorch's threads, of every arm.")] = (
        None
    )
    demo: Annotated[bool, typer.Option("--demo", help="speed: run `sealsmith demo` too.")] = False
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="soak: begin nothing new after so long; serve: of steady load."),
    ] = None
    requests: Annotated[
        int | None, typer.Option(min=1, help="soak: how many, if the time allows; serve: of isolation.")
    ] = None
    streams: Annotated[int | None, typer.Option(min=1, help="serve: how many are held open.")] = None
    tiny: Annotated[bool, typer.Option("--tiny", help="soak, serve: on a tiny random base.")] = False
    base: BaseOption = "sealworld"
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file for the JSON report.")] = None
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False


@takes(BenchOptions)
def bench_command(options: BenchOptions) -> None:
    """Measure this machine's speed beside stock diffusers'."""
    from ..adapters.files import atomic_write, check_writable
    from .console import print_json

    _check_options(options)
    for path in filter(None, (options.out, options.plot)):
        check_writable(path)
    if options.suite is Suite.COMPATIBILITY:
        _write_compatibility(options.out)
        return
    with _ending_in_order():
        facts, table = _MEASURED[options.suite](options)
    if options.out is not None:
        import json

        atomic_write(options.out, (json.dumps(facts, indent=2) + "\n").encode())
    if options.as_json:
        print_json(facts)
    else:
        typer.echo(table)
    if not facts.get("is_met", True):
        raise typer.Exit(1)


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Told to end by SIGTERM, a suite ends what it has started, as it does after Ctrl-C."""

    def end(*_: object) -> NoReturn:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _check_options(options: BenchOptions) -> None:
    """Raises: ConfigError for an option of another suite, and for a base that would not be used."""
    suite = options.suite
    for name, suites in _SUITES_OF.items():
        value = getattr(options, name.removeprefix("--"))
        is_given = value is not None and value is not False  # 0 is given
        if is_given and suite not in suites:
            raise ConfigError(
                f"{name} is not for the suite {suite.value}",
                " or ".join(f"`sealsmith bench {other.value} {name}`" for other in suites),
            )
    base_from = options.context.get_parameter_source("base")
    if options.tiny and base_from is not None and base_from.name == "COMMANDLINE":
        raise ConfigError(
            f"--tiny makes a base of its own, and --base is {options.base!r}", "give one of them"
        )


def _speed(options: BenchOptions) -> tuple[dict[str, Any], str]:
    """The speed suite's report, as JSON and as a table."""
    from ..bases import open_base
    from ..bench import SpeedPlan, measure_speed, table
    from .console import note

    plan = SpeedPlan(
        **_given(picture_repeats=options.repeats, training_steps=options.steps), demo=options.demo
    )
    report = measure_speed(open_base(options.base), plan, _command(), note)
    return report.to_dict(), table(report)


def _training(options: BenchOptions) -> tuple[dict[str, Any], str]:
    """The training suite's report, as JSON and as tables; `plot` is written where there is something to plot."""
    from dataclasses import replace

    from ..bases import open_base
    from ..bench import TrainingPlan, measure_training, training_plot, training_tables
    from .console import note

    plan = TrainingPlan.quick() if options.quick else TrainingPlan()
    steps, plot = options.steps, options.plot
    if steps is not None:
        plan = replace(plan, num_steps=steps, every=max(1, min(plan.every, steps // 4)))
    plan = replace(plan, **_given(num_emblems=options.repeats), with_variants=options.variants)
    report = measure_training(open_base(options.base), plan, _command(), note)
    if plot is not None and report.is_told:
        title = "Likeness gained by seconds of training; 100 % is where ours ends"
        _write_plot(plot, training_plot((*report.ingredients, *report.variants), title))
    return report.to_dict(), training_tables(report)


def _soak(options: BenchOptions) -> tuple[dict[str, Any], str]:
    """The soak's report, as JSON and as a page."""
    from dataclasses import replace

    from ..engine.supervisor import beside_others

    os.environ.update(beside_others())  # before PyTorch is here, which reads it
    from ..bench.soak import SoakPlan, soak
    from ..bench.soak_report import soak_page
    from .console import note

    plan = SoakPlan(base=None if options.tiny else options.base)
    plan = replace(plan, **_given(minutes=options.minutes))
    if options.requests is not None:
        plan = plan.with_requests(options.requests)
    report = soak(plan, _command(), note)
    return report.to_dict(), soak_page(report)


def _serve(options: BenchOptions) -> tuple[dict[str, Any], str]:
    """The service's report, as JSON and as a page."""
    from dataclasses import replace

    from ..bench.http_bench import ServePlan, measure_serving
    from ..bench.http_report import serve_page
    from .console import note

    plan = ServePlan.quick() if options.quick else ServePlan()
    given = _given(
        num_steps=options.steps,
        repeats=options.repeats,
        minutes=options.minutes,
        num_streams=options.streams,
    )
    plan = replace(plan, base=None if options.tiny else options.base, **given)
    if options.requests is not None:
        plan = plan.with_requests(options.requests)
    report = measure_serving(plan, _command(), note)
    return report.to_dict(), serve_page(report)


def _engine(options: BenchOptions) -> tuple[dict[str, Any], str]:
    """The engine suite's report, as JSON and as tables; `plot` is written."""
    from dataclasses import replace

    from ..bench import EnginePlan, engine_plot, engine_tables, measure_engine
    from .console import note

    plan = EnginePlan.quick() if options.quick else EnginePlan()
    given = _given(num_steps=options.steps, repeats=options.repeats, num_threads=options.threads)
    report = measure_engine(options.base, replace(plan, **given), _command(), note)
    if options.plot is not None:
        _write_plot(options.plot, engine_plot(report))
    return report.to_dict(), engine_tables(report)


_MEASURED: Mapping[Suite, Callable[[BenchOptions], tuple[dict[str, Any], str]]] = {
    Suite.SPEED: _speed,
    Suite.TRAINING: _training,
    Suite.ENGINE: _engine,
    Suite.SOAK: _soak,
    Suite.SERVE: _serve,
}
"""What measures each suite, and returns its report as JSON and as a table."""


def _write_plot(path: Path, picture: "Image") -> None:
    import io

    from ..adapters.files import atomic_write
    from .console import note

    png = io.BytesIO()
    picture.save(png, "PNG")
    atomic_write(path, png.getvalue())
    note(f"plot: {path}")


def _given(**options: float | None) -> dict[str, Any]:
    """The options that were given; the plan knows better defaults for the others."""
    return {name: value for name, value in options.items() if value is not None}


def _command() -> str:
    return shlex.join(["sealsmith", *sys.argv[1:]])


def _write_compatibility(out: Path | None) -> None:
    """The matrix of dialects and families, as a page to `out` or to stdout."""
    import tempfile

    from ..adapters.files import atomic_write
    from ..bench.compatibility import compatibility, page
    from .console import note

    with tempfile.TemporaryDirectory() as folder:
        rows = compatibility(Path(folder), note)
    text = page(rows, _command())
    if out is None:
        typer.echo(text)
    else:
        atomic_write(out, text.encode())
