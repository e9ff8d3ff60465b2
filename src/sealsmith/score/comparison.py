"""Methods side by side: from what was measured in each cell (a method, a seed) to one row a method.

Pure: what is trained, drawn and written is in bench/matrix.py, the page in comparison_page.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from .figures import Observation
from .statistics import Interval, bootstrap_interval, mean, nested_interval, wilson_interval

NUM_RESAMPLES, RESAMPLING_SEED = 2000, 7000


@dataclass(frozen=True)
class TrainingFacts:
    """What one training cost, and what it left."""

    size_bytes: int
    """Of the seal file."""
    num_parameters: int
    """Trained ones, whatever the file holds of them."""
    num_steps: int
    seconds: float
    """Spent on steps."""
    peak_mib: float | None
    """How far the process' memory rose; None where the system does not tell."""
    loss: float
    """Of the last step."""


@dataclass(frozen=True)
class CellPicture:
    """One picture that calls the seal, as it lies in the cell's folder."""

    path: Path
    prompt: str
    seed: int
    is_seal: bool | None
    """Whether the judge found the seal in it; None without a judge."""


@dataclass(frozen=True)
class Cell:
    """One method trained once: finished, or failed with a reason."""

    method: str
    seed: int
    facts: TrainingFacts | None = None
    verdict: str = ""
    """The scorecard's: "pass" or "fail"; empty when there is none."""
    reasons: tuple[str, ...] = ()
    """The scorecard's."""
    observations: Mapping[str, Sequence[Observation]] = field(default_factory=dict)
    pictures: tuple[CellPicture, ...] = ()
    failure: str = ""
    """Why there is no scorecard; empty when there is one."""
    subject: str = ""
    """Which of several picture sets it learned from; empty where there is one."""


@dataclass(frozen=True)
class Column:
    """One figure of the table."""

    key: str
    name: str
    kind: Literal["fact", "rate", "rise", "mean"]
    """Where it comes from: a training's facts, or pictures as hits, rises of hits, or numbers."""
    words: Callable[[float], str]
    meaning: str


@dataclass(frozen=True)
class Measured:
    """A mean over a method's cells, and its 95 % interval; neither where nothing was measured."""

    value: float | None = None
    ci: Interval | None = None


@dataclass(frozen=True)
class Row:
    """One method."""

    method: str
    num_cells: int
    """Trainings asked for."""
    num_scored: int
    num_passed: int
    """By the scorecard's verdict."""
    figures: Mapping[str, Measured]
    notes: tuple[str, ...]
    """Why trainings failed, each with its seeds."""


@dataclass(frozen=True)
class Comparison:
    """Everything there is to say about a matrix of methods and seeds."""

    settings: Mapping[str, Any]
    """What every cell had in common."""
    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = ()
    """What was not measured, and why."""

    @property
    def rows(self) -> tuple[Row, ...]:
        methods = dict.fromkeys(cell.method for cell in self.cells)
        return tuple(row_of([cell for cell in self.cells if cell.method == method]) for method in methods)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that at least one row has a value in; no steps where they are everyone's budget."""
        rows = self.rows
        known = {"num_steps"} if "steps" in self.settings.get("budget", {}) else set()
        return tuple(
            column
            for column in COLUMNS
            if column.key not in known and any(row.figures[column.key].value is not None for row in rows)
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; a row's figures are {value, ci}."""
        return {
            "settings": dict(self.settings),
            "rows": [asdict(row) for row in self.rows],
            "cells": [_cell(cell) for cell in self.cells],
            "notes": list(self.notes),
        }


def _cell(cell: Cell) -> dict[str, Any]:
    """Without its single pictures, which lie in its folder."""
    return {
        "method": cell.method,
        "subject": cell.subject,
        "seed": cell.seed,
        "facts": None if cell.facts is None else asdict(cell.facts),
        "verdict": cell.verdict,
        "reasons": list(cell.reasons),
        "failure": cell.failure,
    }


def row_of(cells: Sequence[Cell]) -> Row:
    """The row of one method's cells, of which there is at least one."""
    scored = [cell for cell in cells if not cell.failure]
    seeds_of: dict[tuple[str, str], list[int]] = {}
    for cell in cells:
        for reason in (cell.failure,) if cell.failure else cell.reasons:
            seeds_of.setdefault((cell.subject, reason), []).append(cell.seed)
    return Row(
        cells[0].method,
        len(cells),
        len(scored),
        sum(cell.verdict == "pass" for cell in scored),
        {column.key: measured(column, cells) for column in COLUMNS},
        tuple(
            f"{f'{subject}, ' * bool(subject)}{_seeds(seeds)}: {reason}"
            for (subject, reason), seeds in seeds_of.items()
        ),
    )


def pooled(comparisons: Mapping[str, Comparison]) -> Comparison:
    """One comparison of several, on equal terms but for the picture sets, which are the keys."""
    first = next(iter(comparisons.values()))
    pictures = {name: each.settings["pictures"] for name, each in comparisons.items()}
    cells = [replace(cell, subject=name) for name, each in comparisons.items() for cell in each.cells]
    return Comparison(dict(first.settings) | {"pictures": pictures}, tuple(cells), first.notes)


def measured(column: Column, cells: Sequence[Cell]) -> Measured:
    """The column's mean over the cells that have it; its interval over seeds, and over prompts within them.

    Rates' intervals are never narrower than Wilson's, which knows what resampling cannot imagine.
    """
    if column.kind == "fact":
        return _fact(column.key, cells)
    runs = [cell.observations[column.key] for cell in cells if cell.observations.get(column.key)]
    if not runs:
        return Measured()
    values = [value for run in runs for _, value in run]
    low, high = nested_interval(runs, NUM_RESAMPLES, RESAMPLING_SEED)
    if column.kind == "rate":
        least, most = wilson_interval(round(sum(values)), len(values))
        return Measured(mean(values), (min(low, least), max(high, most)))
    if column.kind == "rise":
        high = max(high, wilson_interval(max(0, round(sum(values))), len(values))[1])
        return Measured(max(0.0, mean(values)), (max(0.0, low), max(0.0, high)))
    return Measured(mean(values), (low, high))


def markdown(comparison: Comparison) -> str:
    """The table, what its columns mean, and what failed, in Markdown."""
    columns, rows = comparison.columns, comparison.rows
    lines = ["| method | passed | " + " | ".join(column.name for column in columns) + " |"]
    lines.append("| --- | --- |" + " ---: |" * len(columns))
    for row in rows:
        figures = (words(column, row.figures[column.key]) for column in columns)
        lines.append(f"| `{row.method}` | {passed(row)} | " + " | ".join(figures) + " |")
    lines += ["", *(f"- {column.name}: {column.meaning}" for column in columns)]
    notes = [f"`{row.method}`, {note}" for row in rows for note in row.notes] + list(comparison.notes)
    lines += ["", *(f"- {note}" for note in notes)] if notes else []
    return "\n".join(lines) + "\n"


def words(column: Column, figure: Measured) -> str:
    """A figure as the table has it: "94 % (88 % – 98 %)"; a dash where nothing was measured."""
    if figure.value is None:
        return "–"
    value = column.words(figure.value)
    if figure.ci is None or figure.ci[0] == figure.ci[1]:
        return value
    return f"{value} ({column.words(figure.ci[0])} – {column.words(figure.ci[1])})"


def passed(row: Row) -> str:
    return f"{row.num_passed} of {row.num_cells}"


def _fact(key: str, cells: Sequence[Cell]) -> Measured:
    known = [getattr(cell.facts, key) for cell in cells if cell.facts is not None]
    values = [float(value) for value in known if value is not None]
    if not values:
        return Measured()
    return Measured(
        mean(values), bootstrap_interval(values, range(len(values)), NUM_RESAMPLES, RESAMPLING_SEED)
    )


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def _bytes(count: float) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.1f} KiB"


def _count(number: float) -> str:
    return f"{number / 1e6:.2f} M" if number >= 1e6 else f"{number:,.0f}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


COLUMNS = (
    Column("size_bytes", "size", "fact", _bytes, "of the seal file."),
    Column("num_parameters", "parameters", "fact", _count, "that were trained."),
    Column("num_steps", "steps", "fact", lambda number: f"{number:.0f}", "of the optimizer."),
    Column("seconds", "training", "fact", _seconds, "time spent on steps."),
    Column("peak_mib", "memory", "fact", lambda mib: f"{mib:.0f} MiB",
           "how far the process' memory rose while training."),
    Column("fidelity", "fidelity", "rate", _percent,
           "of the pictures that call the seal, how many show it and no other emblem."),
    Column("adherence", "adherence", "rate", _percent,
           "how many of them have the mark, the surface and the colour as asked."),
    Column("leak", "leak", "rise", _percent,
           "how much more often than with the base alone the seal appears when nobody called it."),
    Column("bleeding", "bleeding", "mean", "{:+.3f}".format,
           "how much more pictures that do not call the seal resemble it because it is loaded."),
    Column("drift", "drift", "mean", "{:.3f}".format,
           "how far other pictures moved, 0 to 1, when the seal was loaded."),
    Column("margin", "margin", "mean", "{:+.2f}".format,
           "likeness to the seal with the trigger, less without it."),
    Column("composition", "composition", "rate", _percent,
           "of the pictures that call this seal and a second one, how many show both."),
)  # fmt: skip
