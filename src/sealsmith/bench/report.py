"""Figures and what must stand beside them: workload, baseline, machine, commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One thing measured: seconds of ours and, where there is one, of the baseline, run by run."""

    name: str
    workload: str
    ours_s: tuple[float, ...]
    baseline: str | None = None
    baseline_s: tuple[float, ...] = ()
    goal_s: float | None = None
    """What the project sets itself on two cores."""
    scale: float = 1.0
    """The workload named is so many times what was run. Other than 1, the figure is extrapolated."""

    @property
    def ours(self) -> float:
        """Median seconds of the workload."""
        return median(self.ours_s) * self.scale

    @property
    def stock(self) -> float | None:
        """Median seconds of the baseline, or None without one."""
        return median(self.baseline_s) * self.scale if self.baseline_s else None

    @property
    def ratio(self) -> float | None:
        """Our time as a share of the baseline's: below 1 is faster."""
        return None if self.stock is None else self.ours / self.stock

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "workload": self.workload,
            "ours": {"median_s": self.ours, "runs_s": list(self.ours_s)},
            "baseline": None
            if self.stock is None
            else {"name": self.baseline, "median_s": self.stock, "runs_s": list(self.baseline_s)},
            "ratio": self.ratio,
            "goal_s": self.goal_s,
            "within_goal": None if self.goal_s is None else self.ours <= self.goal_s,
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
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    facts = report.machine
    lines += [
        "",
        f"{facts['processor']}, {facts['cores']} cores, {facts['threads']} threads; "
        f"Python {facts['python']}, torch {facts['torch']}, diffusers {facts['diffusers']}, "
        f"sealsmith {facts['sealsmith']} "
        f"at {report.commit or 'no commit'}; medians, `{report.command}`",
    ]
    if any(figure.scale != 1 for figure in report.figures):
        lines.append("*: extrapolated in proportion from a shorter run, its fixed costs included")
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, ...]:
    star = "" if figure.scale == 1 else "*"
    return (
        figure.workload,
        f"{figure.ours:.3g} s{star}",
        "" if figure.stock is None else f"{figure.stock:.3g} s{star}",
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        "" if figure.goal_s is None else f"≤ {figure.goal_s:g} s",
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "| " + " | ".join(padded) + " |"
