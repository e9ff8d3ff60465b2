"""Where in the pictures of a shared pass their triggers are attended, for those whose seals are masked by that.

It counts when the pass has succeeded, and only then: one that is tried again in two halves is not counted twice.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor

from ..bases import Base
from ..generate.attention_shares import RowsCrossAttention, cross_attentions
from ..generate.passes import CalledPlaces
from .drawing import OwnPass


class Listener:
    """The layers of one base that say it."""

    def __init__(self, base: Base):
        self._layers: list[Any] = [*cross_attentions(base.denoiser).values()]

    @contextmanager
    def listening(self, passes: Sequence[OwnPass]) -> Iterator[None]:
        """A context for one shared pass, whose rows are those of `passes` one behind the other."""
        heard: dict[int, CalledPlaces] = {}
        row = -1
        for own in passes:
            row += own.num_rows  # a pass's last row is its prompt's
            if own.drawing.passes.called is not None:
                heard[row] = own.drawing.passes.called
        if not heard:
            yield
            return
        maps: list[list[Tensor]] = []

        def add(shares: Tensor) -> None:
            maps.append([called.maps(row) for called, row in zip(heard.values(), shares, strict=True)])

        with ExitStack() as stack:
            for layer in self._layers:
                watched = RowsCrossAttention(layer, [*heard])
                stack.callback(watched.close)
                watched.open(add)
            yield
        for of_layer in maps:
            for called, heard_there in zip(heard.values(), of_layer, strict=True):
                called.totals = called.totals.to(heard_there.device) + heard_there
