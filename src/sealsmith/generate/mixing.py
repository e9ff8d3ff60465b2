"""Several seals at strengths of their own, made ready for one base: its blocks looked up, their rows chosen."""

from collections.abc import Sequence

from ..adapters import Seal
from ..adapters.blocks import find_layout
from ..adapters.dylora import first_rows
from ..adapters.fit import adaptable
from ..adapters.strength import Strength
from ..bases import Base

Seals = Sequence[tuple[Seal, float | Strength]]
"""Seals and how strongly each acts."""


def placed(base: Base, seals: Seals) -> list[tuple[Seal, float | Strength]]:
    """The seals as they go onto this base: block weights read for its blocks, a DyLoRA cut to the rows asked for.

    Raises: ConfigError for block weights that the base has no blocks for, or rows of a seal that has none.
    """
    ready: list[tuple[Seal, float | Strength]] = []
    for seal, strength in seals:
        if isinstance(strength, Strength):
            seal = seal if strength.dyn is None else first_rows(seal, strength.dyn)
            if strength.number is None:
                strength = strength.on(find_layout(adaptable(base.denoiser)))
        ready.append((seal, strength))
    return ready


def is_fusible(seals: Seals) -> bool:
    """Whether the seals are changes of weights alone, and no strength changes over the steps."""
    return all(seal.is_weights_alone for seal, _ in seals) and all(
        not isinstance(strength, Strength) or strength.is_constant for _, strength in seals
    )
