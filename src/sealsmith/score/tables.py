"""The scorecard as a table for a terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .readings import readings
from .scorecard import Scorecard, Verdict

STYLES: dict[Verdict, str] = {"pass": "bold green", "fail": "bold red", "unproven": "bold yellow"}


def scorecard_table(card: Scorecard) -> RenderableType:
    """The figures, their intervals and meanings, with the verdict and its reasons below."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("figure", no_wrap=True)
    table.add_column("value", justify="right", style="bold", no_wrap=True)
    table.add_column("95 % interval", no_wrap=True)
    table.add_column("what it says", style="dim", overflow="fold")
    for reading in readings(card):
        table.add_row(reading.name, reading.value, reading.interval_words, reading.meaning)
    verdict = Text.assemble("\nverdict: ", (card.verdict, STYLES[card.verdict]), f" {_pictures(card)}")
    return Group(table, verdict, *(Text(f"  - {reason}") for reason in card.reasons))


def _pictures(card: Scorecard) -> str:
    return f"({len(card.shots)} pictures)" if card.shots else ""
