"""`sealsmith sweep`: one seal along one or two axes, as a sheet of pictures with figures, and a strength to use."""

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from .console import console, note, output, print_json
from .options import BaseOption, DeviceOption, MemoryOption, PrecisionOption

if TYPE_CHECKING:
    from rich.table import Table

    from ..adapters import Seal
    from ..bases import Base
    from ..score import ScoreSettings
    from ..score.axes import Axis
    from ..score.sweep import Sweep

FORMS = {"fidelity": ".0%", "likeness": ".2f", "adherence": ".0%", "leak": ".0%", "drift": ".3f"}
"""A cell's figures as the table shows them."""
CHECKPOINT = re.compile(r"step-(\d+)\.safetensors")


def sweep_command(
    seal: Annotated[Path, typer.Argument(help="A seal file.")],
    x: Annotated[
        str, typer.Option(help="Columns: strength, guidance, steps, rank, checkpoint, seed or prompt.")
    ] = "strength=0:1.4:0.2",
    y: Annotated[str | None, typer.Option(help="Rows, likewise; one row if not given.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The sheet; a page is put beside it.")] = Path(
        "sweep.png"
    ),
    base: BaseOption = "sealworld",
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "auto",
    memory: MemoryOption = "auto",
    prompts: Annotated[int, typer.Option(help="Prompts a cell, in unseen contexts.")] = 4,
    seeds: Annotated[int, typer.Option(help="Pictures of each prompt.")] = 1,
    steps: Annotated[int | None, typer.Option(help="Denoising steps; the base decides if not given.")] = None,
    guidance: Annotated[
        float | None, typer.Option(help="Weight of the prompt; the base decides if not given.")
    ] = None,
    strength: Annotated[float, typer.Option(help="Strength of the seal where it is no axis.")] = 1.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """Try one seal at many strengths, or anything else, and recommend one."""
    from ..adapters import atomic_write, check_writable, read_seal
    from ..bases import Wanted, open_base
    from ..score import ScoreSettings
    from ..score.axes import parse_axis
    from ..score.sheet import contact_sheet, sheet_page, title_of

    if out.suffix.lower() != ".png":
        raise ConfigError(f"--out is {str(out)!r}", "name a file that ends in .png")
    checkpoints = checkpoints_beside(seal)
    columns = parse_axis(x, tuple(checkpoints))
    rows = None if y is None else parse_axis(y, tuple(checkpoints))
    settings = ScoreSettings.of_cell(prompts, seeds, num_steps=steps, guidance=guidance, strength=strength)
    page = out.with_suffix(".html")
    for path in (out, page):
        check_writable(path)
    read = read_seal(seal)
    opened = open_base(base, device, Wanted(precision, memory))
    note(f"plan: {opened.plan}")
    found = _measure(opened, read, columns, rows, settings, checkpoints)
    buffer = io.BytesIO()
    contact_sheet(found, title_of(read, (columns, rows))).save(buffer, "PNG")
    atomic_write(out, buffer.getvalue())
    atomic_write(page, sheet_page(found, read).encode())
    note(f"sheet: {out}, page: {page}")
    if as_json:
        print_json(found.to_dict() | {"sheet": str(out), "page": str(page)})
        return
    output.print(_table(found))
    _print_recommendation(found)


def checkpoints_beside(seal: Path) -> dict[int, Path]:
    """The checkpoints of the training that the seal's folder is of, by step, ascending."""
    found = {
        int(match[1]): path
        for path in seal.parent.glob("step-*.safetensors")
        if (match := CHECKPOINT.fullmatch(path.name))
    }
    return dict(sorted(found.items()))


def _measure(
    base: "Base",
    seal: "Seal",
    x: "Axis",
    y: "Axis | None",
    settings: "ScoreSettings",
    checkpoints: dict[int, Path],
) -> "Sweep":
    """The sweep, its cells counted on stderr while they are measured."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..score import judge_of
    from ..score.sweep import sweep

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("cells", total=None)
        return sweep(
            base,
            seal,
            x,
            y,
            settings,
            judge_of(base.family),
            checkpoints,
            lambda cells, total: bar.update(task, completed=len(cells), total=total),
        )


def _table(found: "Sweep") -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for axis in (found.x, found.y):
        if axis is not None:
            table.add_column(axis.name, overflow="fold")
    for column in FORMS:
        table.add_column(column, justify="right")
    for cell in found.cells:
        places = [axis.label(cell.at[axis.name]) for axis in (found.x, found.y) if axis is not None]
        table.add_row(
            *(place.removeprefix(f"{axis} ") for place, axis in zip(places, cell.at, strict=True)),
            *(_number(cell.figures[name], form) for name, form in FORMS.items()),
        )
    return table


def _print_recommendation(found: "Sweep") -> None:
    from ..score.sweep import RULE

    recommended = found.recommended
    if recommended.strength is None:
        output.print(f"no strength is recommended: {recommended.reason}", soft_wrap=True)
        return
    words = f"recommended strength: {recommended.strength:g}: {recommended.reason}"
    output.print(words, soft_wrap=True, style="bold")
    output.print(f"rule: {RULE}", soft_wrap=True)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else f"{value:{form}}"
