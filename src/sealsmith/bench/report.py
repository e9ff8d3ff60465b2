"""Figures and what must stand beside them: workload, baseline, machine, commit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One thing measured, ours and, where there is one, the baseline's, run by run."""

    name: str
    workload: str
    ours_runs: tuple[float, ...]
    baseline: str | None = None
    baseline_runs: tuple[float, ...] = ()
    goal: float | None = None
    """What the project sets itself on two cores."""
    goal_ratio: float | None = None
    """What share of the baseline's it allows itself."""
    unit: str = "s"
    scale: float = 1.0
    """The workload named is so many times what was run. Other than 1, the figure is extrapolated."""

    @property
    def ours(self) -> float:
        """Median of the workload's runs, in `unit`."""
        return median(self.ours_runs) * self.scale

    @property
    def stock(self) -> float | None:
        """Median of the baseline's runs, in `unit`, or None without one."""
        return median(self.baseline_runs) * self.scale if self.baseline_runs else None

    @property
    def ratio(self) -> float | None:
        """Ours as a share of the baseline's: below 1 is faster, or smaller."""
        return None if self.stock is None else self.ours / self.stock

    @property
    def is_within_goal(self) -> bool | None:
        """Whether the goals that are set are reached; None without one."""
        reached = []
        if self.goal is not None:
            reached.append(self.ours <= self.goal)
        if self.goal_ratio is not None and self.ratio is not None:
            reached.append(self.ratio <= self.goal_ratio)
        return all(reached) if reached else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "workload": self.workload,
            "unit": self.unit,
            "ours": {"median": self.ours, "runs": list(self.ours_runs)},
            "baseline": None
            if self.stock is None
            else {"name": self.baseline, "median": self.stock, "runs": list(self.baseline_runs)},
            "ratio": self.ratio,
            "goal": self.goal,
            "goal_ratio": self.goal_ratio,
            "within_goal": self.is_within_goal,
            "extrapolated_by": None if self.scale == 1 else self.scale,
        }


@dataclass(frozen=True)
class Report:
    """All figures of one run."""

    figures: tuple[Figure, ...]
    machine: dict[str, str | int]
    commit: str | None
    command: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "command": self.command,
            "commit": self.commit,
            "machine": self.machine,
            "figures": [figure.to_dict() for figure in self.figures],
        }


def table(report: Report) -> str:
    """The report as a Markdown table with its circumstances below."""
    rows: list[tuple[str, ...]] = [("workload", "ours", "stock diffusers", "ours / stock", "goal")]
    rows += [_row(figure) for figure in report.figures]
    measured_on = machine_words(report.machine, report.commit)
    lines = [markdown_table(rows), "", f"{measured_on}; medians, `{report.command}`"]
    if any(figure.scale != 1 for figure in report.figures):
        lines.append("*: extrapolated in proportion from a shorter run, its fixed costs included")
    return "\n".join(lines)


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, the first of them the head, as a Markdown table that is even to read as text."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def machine_words(facts: Mapping[str, str | int], commit: str | None) -> str:
    """What `machine` found, and the commit, as one line."""
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['threads']} threads; Python {facts['python']}, "
        f"torch {facts['torch']}, diffusers {facts['diffusers']}, sealsmith {facts['sealsmith']} "
        f"at {commit or 'no commit'}"
    )


def _row(figure: Figure) -> tuple[str, ...]:
    star = "" if figure.scale == 1 else "*"
    return (
        figure.workload,
        f"{figure.ours:.3g} {figure.unit}{star}",
        "" if figure.stock is None else f"{figure.stock:.3g} {figure.unit}{star}",
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        _goal(figure),
    )


def _goal(figure: Figure) -> str:
    goals = [] if figure.goal is None else [f"≤ {figure.goal:g} {figure.unit}"]
    goals += [] if figure.goal_ratio is None else [f"≤ {figure.goal_ratio:g} of stock's"]
    return ", ".join(goals)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "| " + " | ".join(padded) + " |"
