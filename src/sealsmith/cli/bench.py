"""`sealsmith bench`: this machine's speed beside stock diffusers', in one run."""

import shlex
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ConfigError
from .options import BaseOption


class Suite(StrEnum):
    """What can be measured."""

    SPEED = "speed"
    TRAINING = "training"
    COMPATIBILITY = "compatibility"


_SUITE_OF = {
    "--quick": Suite.TRAINING,
    "--variants": Suite.TRAINING,
    "--plot": Suite.TRAINING,
    "--demo": Suite.SPEED,
}
"""Options that only one suite has."""


def bench_command(
    suite: Annotated[Suite, typer.Argument(help="What to measure.")] = Suite.SPEED,
    repeats: Annotated[
        int | None, typer.Option(min=0, help="speed: pictures of each side; training: emblems.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=0, help="Steps of each training; speed: 0 leaves trainings out.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="training: three arms, one emblem.")] = False,
    with_variants: Annotated[
        bool, typer.Option("--variants", help="training: ours with one thing changed each, too.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="training: a PNG of likeness against seconds.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="speed: run `sealsmith demo` too.")] = False,
    base: BaseOption = "sealworld",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file for the JSON report.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure this machine's speed beside stock diffusers'."""
    from ..adapters.files import atomic_write, check_writable
    from .console import print_json

    _check_options(suite, {"--quick": quick, "--variants": with_variants, "--plot": plot, "--demo": demo})
    for path in filter(None, (out, plot)):
        check_writable(path)
    if suite is Suite.COMPATIBILITY:
        _write_compatibility(out)
        return
    if suite is Suite.TRAINING:
        facts, table = _training(base, steps, repeats, quick, with_variants, plot)
    else:
        facts, table = _speed(base, steps, repeats, demo)
    if out is not None:
        import json

        atomic_write(out, (json.dumps(facts, indent=2) + "\n").encode())
    if as_json:
        print_json(facts)
    else:
        typer.echo(table)


def _check_options(suite: Suite, options: Mapping[str, object]) -> None:
    """Raises: ConfigError when an option was given that is for another suite."""
    for name, value in options.items():
        if value and suite is not _SUITE_OF[name]:
            raise ConfigError(
                f"{name} is not for the suite {suite.value}",
                f"`sealsmith bench {_SUITE_OF[name].value} {name}`",
            )


def _speed(base: str, steps: int | None, repeats: int | None, demo: bool) -> tuple[dict[str, Any], str]:
    """The speed suite's report, as JSON and as a table."""
    from ..bases import open_base
    from ..bench import SpeedPlan, measure_speed, table
    from .console import note

    plan = SpeedPlan(**_given(picture_repeats=repeats, training_steps=steps), demo=demo)
    report = measure_speed(open_base(base), plan, _command(), note)
    return report.to_dict(), table(report)


def _training(
    base: str, steps: int | None, repeats: int | None, quick: bool, with_variants: bool, plot: Path | None
) -> tuple[dict[str, Any], str]:
    """The training suite's report, as JSON and as tables; `plot` is written where there is something to plot."""
    import io
    from dataclasses import replace

    from ..adapters.files import atomic_write
    from ..bases import open_base
    from ..bench import TrainingPlan, measure_training, training_plot, training_tables
    from .console import note

    plan = TrainingPlan.quick() if quick else TrainingPlan()
    if steps is not None:
        plan = replace(plan, num_steps=steps, every=max(1, min(plan.every, steps // 4)))
    plan = replace(plan, **_given(num_emblems=repeats), with_variants=with_variants)
    report = measure_training(open_base(base), plan, _command(), note)
    if plot is not None and report.is_told:
        png = io.BytesIO()
        title = "Likeness gained by seconds of training; 100 % is where ours ends"
        training_plot((*report.ingredients, *report.variants), title).save(png, "PNG")
        atomic_write(plot, png.getvalue())
        note(f"plot: {plot}")
    return report.to_dict(), training_tables(report)


def _given(**options: int | None) -> dict[str, Any]:
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
