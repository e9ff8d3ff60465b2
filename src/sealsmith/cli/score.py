"""`sealsmith score`: what a seal does, measured, as a table, as JSON and as a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from .console import console, note, output, print_json
from .options import BaseOption, DeviceOption, MemoryOption, PrecisionOption

if TYPE_CHECKING:
    from PIL import Image

    from ..adapters import Seal
    from ..bases import Base
    from ..score import Scorecard, ScoreSettings


def score_command(
    seal: Annotated[Path, typer.Argument(help="A seal file.")],
    base: BaseOption = "sealworld",
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "auto",
    memory: MemoryOption = "auto",
    pictures: Annotated[
        Path | None,
        typer.Option(help="What the seal should look like; the file's own record if not given."),
    ] = None,
    prompts: Annotated[int, typer.Option(help="Prompts in contexts it was not trained in.")] = 8,
    seeds: Annotated[int, typer.Option(help="Pictures of each prompt.")] = 2,
    steps: Annotated[int | None, typer.Option(help="Denoising steps; the base decides if not given.")] = None,
    guidance: Annotated[
        float | None, typer.Option(help="Weight of the prompt; the base decides if not given.")
    ] = None,
    strength: Annotated[float, typer.Option(help="Strength of the seal.")] = 1.0,
    html: Annotated[Path | None, typer.Option(help="Also write a page with every picture here.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """Measure what a seal does: the scorecard."""
    from ..adapters import atomic_write, check_writable, read_seal
    from ..bases import Wanted, open_base
    from ..score import ScoreSettings, score_page, scorecard_table

    if html is not None:
        if html.suffix.lower() not in {".html", ".htm"}:
            raise ConfigError(f"--html is {str(html)!r}", "name a file that ends in .html")
        check_writable(html)
    settings = ScoreSettings.whole(prompts, seeds, num_steps=steps, guidance=guidance, strength=strength)
    read = read_seal(seal)
    opened = open_base(base, device, Wanted(precision, memory))
    note(f"plan: {opened.plan}")
    card = _measure(opened, read, _reference_pictures(read, pictures), settings)
    if html is not None:
        atomic_write(html, score_page(read, card).encode())
        console.print(f"page: {html}")
    if as_json:
        print_json(card.to_dict())
    else:
        output.print(scorecard_table(card))


def _reference_pictures(seal: "Seal", path: Path | None) -> "list[Image.Image]":
    """The pictures the user named, read as training reads them."""
    if path is None:
        return []
    from ..train.pictures import read_picture_set

    header = seal.header
    read = read_picture_set(path, trigger=header.trigger, class_noun=header.class_noun)
    for warning in read.warnings:
        console.print(f"warning: {warning}")
    return read.portraits


def _measure(
    base: "Base", seal: "Seal", pictures: "list[Image.Image]", settings: "ScoreSettings"
) -> "Scorecard":
    """The scorecard, its pictures counted on stderr while they are drawn."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..score import judge_of, score_seal

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("drawing", total=None)
        return score_seal(
            base,
            seal,
            pictures,
            settings,
            judge_of(base.family),
            lambda done, total: bar.update(task, completed=done, total=total),
        )
