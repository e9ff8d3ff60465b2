"""What shares of its attention each place of a picture gives each token of the prompt, read while a layer computes.

Hooks take what a layer's own projections computed and form the shares from it once more; the layer computes as
ever. Not for: sums over a whole picture (inspect/attention_record.py).

Shape letters: N rows of the batch, A heads, D width of a head, P places (image tokens), K text tokens.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn


def cross_shares(query: Tensor, key: Tensor, scale: float) -> Tensor:
    """What share of its attention each place gives each token, averaged over heads.

    Shapes: query [N, P, A, D], key [N, K, A, D] -> [N, K, P], which sums to 1 over K.
    """
    scores = query.float().transpose(1, 2) @ key.float().permute(0, 2, 3, 1) * scale
    return scores.softmax(-1).mean(1).transpose(1, 2)


def grid_of(num_places: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of a layer's places, for latents of this size.

    A U-Net halves both sides a level, rounding up; a transformer's patches are the first halving.
    Raises: ValueError when no number of halvings gives so many places.
    """
    rows, columns = height, width
    while rows * columns > num_places:
        rows, columns = -(-rows // 2), -(-columns // 2)
    if rows * columns != num_places:
        raise ValueError(f"{num_places} places are no grid of latents {height} x {width}")
    return rows, columns


class Watched(ABC):
    """One attention layer: during each of its calls, what its `sources` give is kept for `read`.

    The hooks on the sources are made anew for every call: a seal's hooks, attached meanwhile, come before them.
    """

    def __init__(self, attention: Any):
        self.attention = attention
        self.seen: dict[str, Tensor] = {}
        self._lasting: list[Any] = []
        self._passing: list[Any] = []

    @property
    @abstractmethod
    def sources(self) -> tuple[str, ...]:
        """Names of the layer's modules whose output is kept."""

    @abstractmethod
    def read(self, kwargs: Mapping[str, Any]) -> Tensor:
        """The shares [N, K, P] of the call that has just ended."""

    def open(self, add: Callable[[Tensor], None]) -> None:
        def before(attention: nn.Module, args: Any) -> None:
            self._passing = [
                getattr(attention, name).register_forward_hook(partial(self._keep, name))
                for name in self.sources
            ]

        def after(attention: nn.Module, args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
            self._let_go()
            add(self.read(kwargs))
            self.seen.clear()

        self._lasting = [
            self.attention.register_forward_pre_hook(before),
            self.attention.register_forward_hook(after, with_kwargs=True),
        ]

    def close(self) -> None:
        self._let_go()
        for handle in self._lasting:
            handle.remove()
        self.seen.clear()

    def _keep(self, name: str, module: nn.Module, args: Any, output: Tensor) -> None:
        self.seen[name] = output.detach()

    def _let_go(self) -> None:
        for handle in self._passing:
            handle.remove()
        self._passing = []


def cross_attentions(denoiser: nn.Module) -> dict[str, Any]:
    """A U-Net's attention layers that read the text, by path, in the order in which they compute."""
    return {name: module for name, module in denoiser.named_modules() if name.endswith("attn2")}


class CrossAttention(Watched):
    """A U-Net's attention to the text."""

    @property
    def sources(self) -> tuple[str, ...]:
        return ("to_q", "to_k")

    def read(self, kwargs: Mapping[str, Any]) -> Tensor:
        attention = self.attention
        query, key = (self.seen[name].unflatten(-1, (attention.heads, -1)) for name in self.sources)
        if attention.norm_q is not None:
            query = attention.norm_q(query)
        if attention.norm_k is not None:
            key = attention.norm_k(key)
        return cross_shares(query, key, attention.scale)


class RowsCrossAttention(CrossAttention):
    """The same, of some rows of the batch alone."""

    def __init__(self, attention: Any, rows: Sequence[int]):
        super().__init__(attention)
        self.rows = list(rows)

    def _keep(self, name: str, module: nn.Module, args: Any, output: Tensor) -> None:
        self.seen[name] = output.detach()[self.rows]
