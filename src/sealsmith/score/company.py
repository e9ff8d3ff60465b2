"""Seals in company, from their weights to their pictures and the advice: the whole of `sealsmith conflicts`.

Not for: the comparison of weights (inspect/conflict.py) or the measurement (conflicts.py) themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..adapters import Seal
from ..bases import Base
from ..errors import ConfigError
from ..inspect.conflict import WeightConflict, weight_conflicts
from .conflict_search import search_space
from .conflicts import ConflictReport, OnPicture, PairSettings, measure_conflict
from .judges import judge_of


@dataclass(frozen=True)
class CompanyStudy:
    """What is known of several seals together."""

    weights: tuple[WeightConflict, ...]
    """Of every two."""
    pictures: ConflictReport | None
    """None where only the weights were compared."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "weights": [conflict.to_dict() for conflict in self.weights],
            "pictures": None if self.pictures is None else self.pictures.to_dict(),
        }


def study_company(
    base: Base,
    seals: Sequence[Seal],
    settings: PairSettings | None,
    on_picture: OnPicture | None = None,
) -> CompanyStudy:
    """How the seals' weights meet, and, with settings, whether they get on in pictures and how they would.

    Raises: as `weight_conflicts` and `measure_conflict`; ConfigError where no judge knows the base's pictures.
    """
    weights = tuple(weight_conflicts(base, seals))
    if settings is None:
        return CompanyStudy(weights, None)
    judge = judge_of(base.family)
    if judge is None:
        raise ConfigError(
            f"no judge knows the pictures of {base.name}, so nothing can be measured in them",
            "compare the weights alone: --weights-only",
        )
    space = search_space(base, weights, len(seals))
    return CompanyStudy(weights, measure_conflict(base, seals, space, judge, settings, on_picture))
