"""The dialects whose tensors are named after modules, one name at a time: their spellings and their endings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from torch import Tensor

from .names import diffusers_place, kohya_place, original_place
from .parts import COMMON, OLD, PEFT, XLABS, Endings, Part, split_name
from .place import Place

KNOWN_NAMES = 1 << 14
"""Of tensors, which seals of one kind have in common: what they mean is kept."""


@dataclass(frozen=True, eq=False)
class NamedDialect:
    """A way of spelling modules, and the endings its files put behind them."""

    name: str
    place: Callable[[str], Place | None]
    endings: Endings

    def sort(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, Part]:
        """What each tensor is that this dialect understands, by its name.

        The difference of a norm is a vector, which changes no layer that a seal can have.
        """
        found = {}
        for name, tensor in tensors.items():
            part = _part(self, name)
            if part and not (part.role == "diff" and tensor.ndim < 2):
                found[name] = part
        return found


@lru_cache(KNOWN_NAMES)
def _part(dialect: NamedDialect, name: str) -> Part | None:
    """What a tensor of this name is to the dialect."""
    split = split_name(name, dialect.endings)
    place = dialect.place(split[0]) if split else None
    return Part(place, split[1], dialect.name) if split and place else None


KOHYA = NamedDialect("kohya", kohya_place, COMMON + PEFT)
DIFFUSERS = NamedDialect("diffusers", diffusers_place, PEFT)
DIFFUSERS_OLD = NamedDialect("diffusers-old", diffusers_place, OLD)
DIFFUSERS_COMMON = NamedDialect("diffusers", diffusers_place, COMMON)
"""Dotted names with kohya's endings: alphas and LyCORIS' tensors in files that are otherwise diffusers'."""
ORIGINAL = NamedDialect("original", original_place, PEFT + COMMON + OLD + XLABS)
