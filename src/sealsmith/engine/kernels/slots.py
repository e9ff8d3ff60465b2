"""Weights of one linear layer with seals in them, side by side in one tensor: one batched product for all requests.

    stack [slots, I, O]   | zwx 0.8  | sks 1.0  | zwx 0.5  |  free  |
    batch                 | rows 0-1 | rows 2-3 | rows 4-5 |

The weights stand there turned: where rows are few, a product takes up to a fifth less (docs/log.md). A request
keeps its slot while it is in the batch. The next one that comes takes one that has become free; a weight stays
there until then, for the case that the same seal comes again. Not for: what is worth a slot (folds.py).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from ..segments import Segment

Key = tuple[tuple[str, float], ...]
"""The seals in a weight: contents and factor."""


class Room(Protocol):
    """Memory for weights, some bytes of it still free."""

    def reserve(self, num_bytes: int) -> bool:
        """Whether there is room for so many more bytes, which are then taken."""
        ...

    def reserved(self, num_bytes: int) -> AbstractContextManager[None]:
        """A context that makes what bytes were reserved for; they are given back when it fails."""
        ...


@dataclass(frozen=True)
class Run:
    """Rows from, to, and the weights they are multiplied by, as many rows by each; None: the layer's own."""

    start: int
    stop: int
    weights: Tensor | None
    """[S, I, O]"""


class Slots:
    def __init__(self, module: nn.Module, room: Room):
        self._module = module
        self._room = room
        self._keys: list[Key | None] = []
        self._stack = self._weight.new_empty(0, *self._weight.T.shape)

    def place(
        self, wanted: Sequence[Key], operand: Callable[[Key], tuple[Tensor, Tensor]]
    ) -> list[int | None]:
        """The slots of these weights, filled; None for one there is no room for.

        Neighbours get neighbouring slots where these are free. `operand`: down [R, I] and up [R, O] of a new one.
        """
        distinct = set(wanted)
        places = {key: slot for slot, key in enumerate(self._keys) if key in distinct}
        free = [slot for slot, key in enumerate(self._keys) if key not in places]
        free += self._grown(len(distinct) - len(places) - len(free))
        result: list[int | None] = []
        fresh: dict[int, Key] = {}
        for key in wanted:
            if key not in places and free:
                next_one = -1 if not result or result[-1] is None else result[-1] + 1
                slot = next_one if next_one in free else free[0]
                free.remove(slot)
                places[key], fresh[slot] = slot, key
            result.append(places.get(key))
        self._put(fresh, operand)
        return result

    def refill(self, fresh: Mapping[int, Key], operand: Callable[[Key], tuple[Tensor, Tensor]]) -> bool:
        """Has these slots hold other weights; False, and nothing done, where one weight would be in two slots."""
        keys = fresh.values()
        if len(set(keys)) < len(keys) or any(key in self._keys for key in keys):
            return False
        self._put(fresh, operand)
        return True

    def runs(self, segments: Sequence[Segment], slots: Sequence[int | None]) -> list[Run]:
        """The batch cut into as few products as there can be; each segment's slot, None: the layer's own weight."""
        groups: list[list[tuple[Segment, int | None]]] = []
        for pair in zip(segments, slots, strict=True):
            if groups and _is_continued(groups[-1][-1], pair):
                groups[-1].append(pair)
            else:
                groups.append([pair])
        return [
            Run(group[0][0].start, group[-1][0].stop, None if group[0][1] is None else self._between(group))
            for group in groups
        ]

    @property
    def _weight(self) -> Tensor:
        assert isinstance(self._module.weight, Tensor)
        return self._module.weight.detach()

    def _between(self, group: Sequence[tuple[Segment, int | None]]) -> Tensor:
        first = group[0][1]
        assert first is not None
        return self._stack[first : first + len(group)]

    def _grown(self, missing: int) -> list[int]:
        """New slots, as many as are missing if there is room."""
        num_new = 0
        while num_new < missing and self._room.reserve(self._weight.nbytes):
            num_new += 1
        if num_new:
            old = self._stack
            with self._room.reserved(num_new * self._weight.nbytes):
                self._stack = old.new_empty(len(old) + num_new, *old.shape[1:])
            self._stack[: len(old)] = old
            self._keys += [None] * num_new
        return [*range(len(self._keys) - num_new, len(self._keys))]

    def _put(self, fresh: Mapping[int, Key], operand: Callable[[Key], tuple[Tensor, Tensor]]) -> None:
        for slot in fresh:
            self._keys[slot] = None  # until it is filled
        self._fill({slot: operand(fresh[slot]) for slot in sorted(fresh)})
        for slot, key in fresh.items():
            self._keys[slot] = key

    def _fill(self, operands: Mapping[int, tuple[Tensor, Tensor]]) -> None:
        """Makes the weights of these slots, in rising order: neighbours of one rank in one product."""
        if not operands:
            return
        turned = self._weight.T.contiguous()  # once for all, or each addition would turn it
        groups: list[list[int]] = []
        for slot, (down, _) in operands.items():
            last = groups[-1][-1] if groups else None
            if last is None or slot != last + 1 or len(down) != len(operands[last][0]):
                groups.append([])
            groups[-1].append(slot)
        for group in groups:
            if len(group) == 1:
                down, up = operands[group[0]]
                torch.addmm(turned, down.T, up, out=self._stack[group[0]])
                continue
            down = torch.stack([operands[slot][0] for slot in group])
            up = torch.stack([operands[slot][1] for slot in group])
            torch.baddbmm(turned, down.mT, up, out=self._stack[group[0] : group[-1] + 1])


def multiply(x: Tensor, module: nn.Module, runs: Sequence[Run]) -> Tensor:
    """The layer's output for x [B, ..., I], every run by its weights: [B, ..., O]."""
    weight: Tensor = module.weight  # type: ignore[assignment]
    bias: Tensor | None = module.bias  # type: ignore[assignment]
    y = x.new_empty(*x.shape[:-1], len(weight))
    for run in runs:
        weights = weight.detach().T[None] if run.weights is None else run.weights
        rows = x[run.start : run.stop].reshape(len(weights), -1, x.shape[-1])
        out = y[run.start : run.stop].view(len(weights), -1, y.shape[-1])
        if bias is None:
            torch.bmm(rows, weights, out=out)
        else:
            torch.baddbmm(bias.detach(), rows, weights, out=out)
    return y


def _is_continued(last: tuple[Segment, int | None], pair: tuple[Segment, int | None]) -> bool:
    """Whether a segment goes into the same product as the one before it."""
    (before, slot), (segment, own) = last, pair
    if slot is None or own is None:
        return slot is own
    return own == slot + 1 and segment.num_rows == before.num_rows
