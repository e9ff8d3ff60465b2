"""How fast the machine draws, as it was measured lately: what is said of waiting times rests on it.

Not for: what a step will cost (cost.py).
"""

from dataclasses import dataclass

HALF_LIFE_S = 30.0
"""Work so long ago counts half as much as work now."""


@dataclass(frozen=True)
class Pace:
    """Work done and the seconds it took, both fading. Work: as the queue charges it."""

    work: float = 0.0
    seconds: float = 0.0

    @property
    def cost_per_s(self) -> float | None:
        """None: nothing was drawn yet."""
        return self.work / self.seconds if self.seconds > 0 else None

    def after(self, work: float, seconds: float) -> "Pace":
        """The pace once so much more was done in so long."""
        kept = 0.5 ** (seconds / HALF_LIFE_S)
        return Pace(self.work * kept + work, self.seconds * kept + seconds)
