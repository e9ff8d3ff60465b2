"""One training of a comparison as a value: what it cost, and what was measured about its seal.

Pure; what several of them say together is in comparison.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .figures import Observation
from .learning import Curve, steps_to
from .statistics import mean


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
    num_threads: int
    """It computed with; how long it took depends on them."""


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
    """The scorecard's; empty when there is none."""
    reasons: tuple[str, ...] = ()
    """The scorecard's."""
    observations: Mapping[str, Sequence[Observation]] = field(default_factory=dict)
    pictures: tuple[CellPicture, ...] = ()
    failure: str = ""
    """Why there is no scorecard; empty when there is one."""
    subject: str = ""
    """Which picture set it learned from."""
    curve: Curve = ()
    """Its likeness along the training; empty where that was not asked for."""

    def value(self, key: str) -> float | None:
        """The cell's own figure of a column: of pictures, their mean; None where it has none."""
        if key == "steps_to_most":
            return steps_to(self.curve)
        if key in self.observations:
            seen = [value for _, value in self.observations[key]]
            return mean(seen) if seen else None
        found = getattr(self.facts, key, None)
        return None if found is None else float(found)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it, without its single pictures, which lie in its folder."""
        return {
            "method": self.method,
            "subject": self.subject,
            "seed": self.seed,
            "facts": None if self.facts is None else asdict(self.facts),
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "failure": self.failure,
            "curve": [list(point) for point in self.curve],
        }
