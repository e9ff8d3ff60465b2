"""Methods side by side: from what was measured in each cell (a method, a picture set, a seed) to one row a method.

Pure: what is trained, drawn and written is in bench/matrix.py. Not for: how it reads (comparison_table.py,
comparison_page.py, comparison_document.py) or what two methods' trainings say as pairs (paired.py).
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from .cells import Cell
from .comparison_columns import COLUMNS, Column
from .paired import NUM_RESAMPLES, RESAMPLING_SEED, paired_ratio
from .statistics import Interval, mean, nested_interval, wilson_interval


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
    def methods(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.method for cell in self.cells))

    @property
    def reference(self) -> str | None:
        """The row that others' pace is held against: LoRA as it is; None where there is none."""
        return next((name for name in ("lora", "lora:gaussian") if name in self.methods), None)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        return tuple(
            row_of([cell for cell in self.cells if cell.method == method], self._pace(method))
            for method in self.methods
        )

    def _pace(self, method: str) -> Measured:
        if self.reference is None or method == self.reference:
            return Measured()
        found = paired_ratio(self.cells, "steps_to_most", method, self.reference)
        return Measured() if found is None else Measured(found.value, found.ci)

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
            "cells": [cell.to_dict() for cell in self.cells],
            "notes": list(self.notes),
        }


def row_of(cells: Sequence[Cell], pace: Measured = Measured()) -> Row:
    """The row of one method's cells, of which there is at least one; `pace` is known of pairs only."""
    scored = [cell for cell in cells if not cell.failure]
    seeds_of: dict[tuple[str, str], list[int]] = {}
    for cell in cells:
        for reason in (cell.failure,) if cell.failure else cell.reasons:
            seeds_of.setdefault((cell.subject, reason), []).append(cell.seed)
    figures = {column.key: measured(column, cells) for column in COLUMNS if column.kind != "ratio"}
    return Row(
        cells[0].method,
        len(cells),
        len(scored),
        sum(cell.verdict == "pass" for cell in scored),
        figures | {"pace": pace},
        tuple(
            f"{f'{subject}, ' * bool(subject)}{_seeds(seeds)}: {reason}"
            for (subject, reason), seeds in seeds_of.items()
        ),
    )


def measured(column: Column, cells: Sequence[Cell]) -> Measured:
    """The column's mean over the cells that have it, and its interval.

    That resamples the picture sets and the seeds within them; of one set the seeds, and the prompts within them.
    Rates' intervals are never narrower than Wilson's, which knows what resampling cannot imagine.
    """
    if column.kind == "fact":
        return _over(_by_subject(cells, lambda cell: _fact(cell, column.key)))
    runs = [cell.observations[column.key] for cell in cells if cell.observations.get(column.key)]
    if len({cell.subject for cell in cells}) > 1:
        found = _over(_by_subject(cells, lambda cell: [v for _, v in cell.observations.get(column.key, ())]))
    else:
        found = _over(runs)
    if found.value is None or found.ci is None:
        return found
    values, (low, high) = [value for run in runs for _, value in run], found.ci
    if column.kind == "rate":
        least, most = wilson_interval(round(sum(values)), len(values))
        return Measured(found.value, (min(low, least), max(high, most)))
    if column.kind == "rise":
        high = max(high, wilson_interval(max(0, round(sum(values))), len(values))[1])
        return Measured(max(0.0, found.value), (max(0.0, low), max(0.0, high)))
    return found


Runs = Sequence[Sequence[tuple[Hashable, float]]]


def _over(runs: Runs) -> Measured:
    if not runs:
        return Measured()
    values = [value for run in runs for _, value in run]
    return Measured(mean(values), nested_interval(runs, NUM_RESAMPLES, RESAMPLING_SEED))


def _by_subject(cells: Sequence[Cell], values_of: Callable[[Cell], Sequence[float]]) -> Runs:
    """The cells' values as one run a picture set, whose groups are the seeds."""
    runs: dict[str, list[tuple[Hashable, float]]] = {}
    for cell in cells:
        if values := values_of(cell):
            runs.setdefault(cell.subject, []).extend((cell.seed, value) for value in values)
    return list(runs.values())


def _fact(cell: Cell, key: str) -> list[float]:
    value = cell.value(key)
    return [] if value is None else [value]


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
