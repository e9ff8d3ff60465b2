"""What our engine alone was found to cost with many seals, as values and tables. Pure.

Not for: measuring (engine_scale.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from .report import markdown_table

Runs = Mapping[str, tuple[float, ...]]
HERE, PROCESS = "here", "process"


@dataclass(frozen=True)
class ScaleFigures:
    """Run by run."""

    images_per_s: Runs
    """By how many seals are registered, and what memory holds of them; the fewest first."""
    files_bytes: int
    """Of the most registered seals."""
    process_s: Runs
    """A burst in this process (HERE), and through the client of the engine's own (PROCESS)."""
    memory_share: float | None
    """What seals in memory took at their peak, as a multiple of their tensors; None where no system tells."""

    @property
    def kept(self) -> dict[str, float]:
        """The pace over so many seals, as a share of that over the fewest."""
        paces = {name: median(runs) for name, runs in self.images_per_s.items()}
        fewest = next(iter(paces.values()))
        return {name: pace / fewest for name, pace in paces.items()}

    @property
    def process_share(self) -> float:
        """What the engine's own process adds to a burst."""
        return median(self.process_s[PROCESS]) / median(self.process_s[HERE]) - 1

    def to_dict(self) -> dict[str, Any]:
        return {
            "registered": {
                name: {"images_per_s": median(runs), "runs": list(runs), "kept": self.kept[name]}
                for name, runs in self.images_per_s.items()
            },
            "files_bytes": self.files_bytes,
            "process": {
                "burst_s": _facts(self.process_s),
                "added_share": self.process_share,
            },
            "memory_share": self.memory_share,
        }


def scale_tables(figures: ScaleFigures) -> list[str]:
    """Paragraphs of Markdown."""
    rows = [["registered seals", "pictures a second", "slowest–fastest", "of the first row"]]
    for name, runs in figures.images_per_s.items():
        spread = f"{min(runs):.3g}–{max(runs):.3g}"
        rows.append([name, f"{median(runs):.3g}", spread, f"{figures.kept[name]:.3f}"])
    memory = "not told by this system" if figures.memory_share is None else f"{figures.memory_share:.2f}"
    return [
        f"Our engine over more and more seals (the most: {figures.files_bytes / 2**20:.0f} MiB of files), requests "
        "by Zipf's law:\n\n" + markdown_table(rows),
        f"- The engine in its own process adds {figures.process_share:+.1%} to a burst.\n"
        f"- A seal in memory takes, at the peak of loading, as a multiple of its tensors: {memory}.",
    ]


def _facts(runs: Runs) -> dict[str, Any]:
    return {name: {"median": median(values), "runs": list(values)} for name, values in runs.items()}
