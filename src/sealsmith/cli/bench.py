"""`sealsmith bench`: this machine's speed beside stock diffusers', in one run."""

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .options import BaseOption


class Suite(StrEnum):
    """What can be measured."""

    SPEED = "speed"
    COMPATIBILITY = "compatibility"


def bench_command(
    suite: Annotated[Suite, typer.Argument(help="What to measure.")] = Suite.SPEED,
    repeats: Annotated[int, typer.Option(min=0, help="Pictures of each side; 0 leaves pictures out.")] = 7,
    steps: Annotated[
        int,
        typer.Option(min=0, help="Steps of each training; fewer than 400 are extrapolated, 0 leaves it out."),
    ] = 400,
    demo: Annotated[bool, typer.Option("--demo", help="Run `sealsmith demo` too.")] = False,
    base: BaseOption = "sealworld",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A file for the JSON report.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure this machine's speed beside stock diffusers'."""
    if suite is Suite.COMPATIBILITY:
        _write_compatibility(out)
        return
    import json

    from ..adapters.files import atomic_write, check_writable
    from ..bases import open_base
    from ..bench import SpeedPlan, measure_speed, table
    from .console import note, print_json

    if out is not None:
        check_writable(out)
    plan = SpeedPlan(picture_repeats=repeats, training_steps=steps, demo=demo)
    command = shlex.join(["sealsmith", *sys.argv[1:]])
    report = measure_speed(open_base(base), plan, command, note)
    if out is not None:
        atomic_write(out, (json.dumps(report.to_dict(), indent=2) + "\n").encode())
    if as_json:
        print_json(report.to_dict())
    else:
        typer.echo(table(report))


def _write_compatibility(out: Path | None) -> None:
    """The matrix of dialects and families, as a page to `out` or to stdout."""
    import tempfile

    from ..adapters.files import atomic_write, check_writable
    from ..bench.compatibility import compatibility, page
    from .console import note

    if out is not None:
        check_writable(out)
    with tempfile.TemporaryDirectory() as folder:
        rows = compatibility(Path(folder), note)
    text = page(rows, shlex.join(["sealsmith", *sys.argv[1:]]))
    if out is None:
        typer.echo(text)
    else:
        atomic_write(out, text.encode())
