"""`sealsmith trigger suggest`: rare words that could call a new seal, with how the base reacts to them."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import console, note, output, print_json
from .options import BaseOption, DeviceOption

if TYPE_CHECKING:
    from ..bases import Base
    from ..train.trigger_suggest import Suggestion


class Task(StrEnum):
    """What can be done about triggers."""

    SUGGEST = "suggest"


def trigger_command(
    task: Annotated[Task, typer.Argument(help="What to do.")] = Task.SUGGEST,
    class_noun: Annotated[
        str | None, typer.Option("--class", help="What the seal is; the base's own noun if not given.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many words.")] = 5,
    seals_folder: Annotated[
        Path, typer.Option(help="Your other seals: their triggers are not suggested again.")
    ] = Path("seals"),
    base: BaseOption = "sealworld",
    device: DeviceOption = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Find a rare word that can call a new seal."""
    from ..bases import open_base
    from ..train.trigger_suggest import used_triggers

    taken = used_triggers(seals_folder)
    opened = open_base(base, device)
    noun = class_noun or opened.family.class_noun
    suggestions = _measure(opened, noun, count, taken)
    if as_json:
        print_json(_report(opened, noun, taken, suggestions))
        return
    _print_table(suggestions)
    if taken:
        note(f"in use by seals in {seals_folder}: {', '.join(sorted(taken))}")
    note(f"next: sealsmith train PICTURES --trigger {suggestions[0].token} --out FOLDER")


def _measure(base: "Base", noun: str, count: int, taken: set[str]) -> "list[Suggestion]":
    from rich.progress import Progress

    from ..train.trigger_suggest import suggest_triggers

    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("measuring words", total=None)
        return suggest_triggers(
            base, noun, count, taken, lambda done, total: progress.update(bar, completed=done, total=total)
        )


def _print_table(suggestions: "list[Suggestion]") -> None:
    """One row a word; figures are in those of ordinary words."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("trigger")
    for name in ("reaction", "reading", "embedding"):
        table.add_column(name, justify="right")
    for suggestion in suggestions:
        figures = (suggestion.reaction, suggestion.reading, suggestion.norm)
        table.add_row(suggestion.token, *(f"{figure:.2f}" for figure in figures))
    output.print(table)
    note("1 is what an ordinary word has; the lower the reaction, the less there is to unlearn")


def _report(base: "Base", noun: str, taken: set[str], suggestions: "list[Suggestion]") -> dict[str, object]:
    from dataclasses import asdict

    return {
        "base": {"name": base.name, "digest": base.digest},
        "class_noun": noun,
        "taken": sorted(taken),
        "suggestions": [asdict(suggestion) for suggestion in suggestions],
    }
