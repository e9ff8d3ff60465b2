"""A store of made seals by number, as an engine's benchmark asks for them.

An engine's speed depends on how many numbers a seal has and where they act, not on what they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..bases import Base
from ..engine.store import path_of
from .made_seals import made_seal, write_made
from .workload import TRIGGER, Wish


@dataclass(frozen=True)
class Shelf:
    """Seals by number, in a folder that `open_store` takes as a store."""

    folder: Path
    digests: Mapping[int, str]
    tensor_bytes: Mapping[int, int]
    """Of each seal, in float32."""
    ranks: tuple[int, ...]
    """Of all seals, in turn."""

    def path(self, number: int) -> Path:
        """The file of one of them."""
        return self.folder / path_of(self.digests[number])

    def keys_of(self, wish: Wish) -> tuple[str, ...]:
        """What the engine knows the wish's seal by."""
        return (self.digests[wish.seal],)

    @property
    def file_bytes(self) -> int:
        return sum(self.path(number).stat().st_size for number in self.digests)


def write_shelf(
    folder: Path, base: Base, numbers: Iterable[int], ranks: Sequence[int], groups: Sequence[str]
) -> Shelf:
    """Writes the seals of these numbers, in half precision, on layers of these target groups.

    Seal `number` has the rank `ranks[number % len(ranks)]`, and the same contents whichever others are written.
    """
    targets, made = base.family.targets(tuple(groups)), {}
    for number in numbers:
        seal = made_seal(base, ranks[number % len(ranks)], targets, number, TRIGGER, torch.float16)
        made[number] = write_made(seal, folder)
    digests = {number: each.digest for number, each in made.items()}
    return Shelf(folder, digests, {number: each.tensor_bytes for number, each in made.items()}, tuple(ranks))
