"""The dialects whose tensors are named after modules, one name at a time: their spellings and their endings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from .names import diffusers_place, kohya_place, original_place
from .parts import COMMON, OLD, PEFT, XLABS, Endings, Part, split_name
from .place import Place


@dataclass(frozen=True)
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
            split = split_name(name, self.endings)
            place = self.place(split[0]) if split else None
            if split and place and not (split[1] == "diff" and tensor.ndim < 2):
                found[name] = Part(place, split[1], self.name)
        return found


KOHYA = NamedDialect("kohya", kohya_place, COMMON + PEFT)
DIFFUSERS = NamedDialect("diffusers", diffusers_place, PEFT)
DIFFUSERS_OLD = NamedDialect("diffusers-old", diffusers_place, OLD)
DIFFUSERS_COMMON = NamedDialect("diffusers", diffusers_place, COMMON)
"""Dotted names with kohya's endings: alphas and LyCORIS' tensors in files that are otherwise diffusers'."""
ORIGINAL = NamedDialect("original", original_place, PEFT + COMMON + OLD + XLABS)
