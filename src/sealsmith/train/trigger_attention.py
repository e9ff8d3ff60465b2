"""Teaching a U-Net to look for the seal where it is: the trigger's cross-attention held against the seal's region.

While the denoiser predicts, hooks form each cross-attention's shares as `sealsmith attention` does, with gradients.
Not for: joint attention (Flux), whose kernels never hold the shares.

Shape letters: N rows of the seal, K text tokens, P places of a layer, h w its grid, H and W of the latents.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ..bases import Base
from ..generate.attention_shares import CrossAttention, cross_attentions, grid_of

LEAST = 1e-4
"""Shares are taken to be no smaller, so that their logarithms are finite."""
PRESENCE = 0.1
"""Weight of being looked at beside being looked at from the right places; docs/log.md has what others do."""


@dataclass(frozen=True)
class Focus:
    """Where the trigger's rows shall be attended to."""

    columns: Tensor
    """[N, K]: 1 where the trigger stands in the row's text; a row of zeros asks nothing."""
    regions: Tensor
    """[N, 1, H, W] in 0..1: the share of each latent that the seal covers; a row of zeros asks nothing."""


@dataclass(frozen=True)
class TriggerPlaces:
    """Where the trigger stands in the M texts of a training, and where the seal is in its N pictures."""

    columns: Tensor
    """[M, K]: 1 where a text holds the trigger; as many columns as the denoiser reads tokens."""
    regions: Tensor
    """[N, 1, H, W] in 0..1; zeros for a picture that does not say."""

    def focus(self, texts: Tensor, pictures: Tensor) -> Focus:
        """Of the rows with these texts and pictures."""
        return Focus(self.columns[texts], self.regions[pictures])


def attention_loss(shares: Tensor, focus: Focus) -> Tensor:
    """One layer's loss of each row, [N]: how much of the trigger's attention comes from outside the region.

    Shapes: shares [N, K, P], which sum to 1 over K. It is the surprise, -log, that the trigger's attention comes
    from inside; and, so that it does not vanish everywhere, PRESENCE times the surprise that a place inside looks
    at the trigger. Rows that ask nothing have the loss 0.
    Source: Avrahami et al. 2023, arXiv:2305.16311, section 3.2. Differs: that is the squared distance to the mask.
    """
    size = tuple(focus.regions.shape[2:])
    inside = F.adaptive_avg_pool2d(focus.regions, grid_of(shares.shape[2], *size)).flatten(1)
    given = (shares * focus.columns[:, :, None]).sum(1).clamp(min=LEAST)
    weights = inside / inside.sum(1, keepdim=True).clamp(min=LEAST)
    missed = -(given.log() * weights).sum(1)
    astray = -((given * inside).sum(1) / given.sum(1)).clamp(min=LEAST).log()
    is_asked = focus.columns.any(1) & inside.any(1)
    return (astray + PRESENCE * missed) * is_asked


@contextmanager
def attention_losses(base: Base, focus: Focus | None) -> Iterator[list[Tensor]]:
    """A context that collects `attention_loss` of every cross-attention; the first N rows are those of `focus`.

    Nothing is collected, and nothing watched, without a focus.
    """
    found: list[Tensor] = []
    if focus is None:
        yield found
        return
    with ExitStack() as stack:
        for module in cross_attentions(base.denoiser).values():
            watched = _Differentiable(module, len(focus.columns))
            stack.callback(watched.close)
            watched.open(partial(_collect, found, focus))
        yield found


def _collect(found: list[Tensor], focus: Focus, shares: Tensor) -> None:
    found.append(attention_loss(shares, focus))


class _Differentiable(CrossAttention):
    """The first rows of a cross-attention, with their gradients."""

    def __init__(self, attention: Any, num_rows: int):
        super().__init__(attention)
        self.num_rows = num_rows

    def _keep(self, name: str, module: nn.Module, args: Any, output: Tensor) -> None:
        self.seen[name] = output[: self.num_rows]
