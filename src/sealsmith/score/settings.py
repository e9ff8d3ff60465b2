"""What a scorecard is measured with: how many pictures, of which prompts and seeds, drawn how.

The defaults are fixed, so that two runs over one seal file print the same numbers.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

from ..bases import Family
from ..errors import ConfigError

_AT_LEAST = {
    "num_prompts": 1,
    "num_seeds": 1,
    "num_without": 0,
    "num_others": 0,
    "num_resamples": 1,
    "seed": 0,
}


@dataclass(frozen=True)
class ScoreSettings:
    """Settings of one scoring; `num_steps` and `guidance` None mean the family's own."""

    num_prompts: int = 8
    """Prompts with the trigger, in contexts the seal was not trained in."""
    num_seeds: int = 2
    """Pictures of each of them."""
    num_without: int = 8
    """How many of them are drawn again, at their first seed, with the class noun alone: leak, margin."""
    num_others: int = 4
    """Unrelated prompts (another emblem, no trigger), each with and without the seal: leak, drift."""
    num_steps: int | None = None
    guidance: float | None = None
    strength: float = 1.0
    seed: int = 7000
    """First of the pictures' seeds; also seeds the choice of prompts and the resampling."""
    picture_seed: int | None = None
    """First of the pictures' seeds alone, for other pictures of the same prompts; None: `seed`."""
    num_resamples: int = 2000

    def __post_init__(self) -> None:
        for name, least in _AT_LEAST.items():
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}", f"use {least} or more")
        if self.num_without > self.num_prompts:
            raise ConfigError(
                f"num_without is {self.num_without}, but there are only {self.num_prompts} prompts",
                "use as many as there are prompts, or fewer",
            )
        if self.num_steps is not None and self.num_steps < 1:
            raise ConfigError(f"num_steps is {self.num_steps}", "use 1 or more")

    @classmethod
    def quick(cls) -> "ScoreSettings":
        """Settings for choosing among checkpoints: four pictures with the trigger, two without, no drift."""
        return cls(num_prompts=4, num_seeds=1, num_without=2, num_others=0)

    @classmethod
    def whole(cls, num_prompts: int = 8, num_seeds: int = 2, **others: Any) -> "ScoreSettings":
        """Settings of a scorecard of so many prompts: each also without the trigger, half as many of others."""
        return cls(
            num_prompts=num_prompts,
            num_seeds=num_seeds,
            num_without=num_prompts,
            num_others=(num_prompts + 1) // 2,
            **others,
        )

    @classmethod
    def of_cell(cls, num_prompts: int = 4, num_seeds: int = 1, **others: Any) -> "ScoreSettings":
        """Settings of one place of a sweep: half the prompts without the trigger, and one other."""
        return cls(
            num_prompts=num_prompts,
            num_seeds=num_seeds,
            num_without=(num_prompts + 1) // 2,
            num_others=1,
            **others,
        )

    def for_family(self, family: Family) -> "ScoreSettings":
        """The same settings with nothing left open."""
        return replace(
            self,
            num_steps=self.num_steps or family.num_steps,
            guidance=family.guidance if self.guidance is None else self.guidance,
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
