"""A base that draws from 8-bit integers, with the seals in them: fused first, quantised after.

The other order rounds twice: a change added to weights already rounded, and rounded again, mostly falls between two
steps of the rounding. A strength that changes over the steps needs weights that change, and is refused here.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch

from ..adapters import AttachReport, Fusion
from ..bases import Base
from ..bases.quantise import quantise
from ..errors import ConfigError
from .mixing import AUTO, Seals, placed
from .pipeline import OnStep, draw_fused
from .request import Picture, Request


def fuse_then_quantise(base: Base, seals: Seals, precision: str = "int8") -> tuple[AttachReport, ...]:
    """Puts the seals into the base's weights and quantises those, both for good; one report a seal.

    Raises: as `Fusion.switch` and `quantise` do; a base whose quantising failed has its old weights.
    """
    fusion = Fusion(base)
    reports = fusion.switch(placed(base, seals))
    try:
        quantise(base, precision)
    except BaseException:
        fusion.close()
        raise
    return reports


@torch.no_grad()
def generate_quantised(
    base: Base, request: Request, seals: Seals = (), precision: str = "int8", on_step: OnStep | None = None
) -> Iterator[Picture]:
    """The pictures of one request, drawn by the base with the seals fused and quantised, which it is from now on.

    Raises: as `generate_each` and `fuse_then_quantise` do; ConfigError for seals that are to take turns.
    """
    request = request.resolved(base)
    if request.mix not in (AUTO, "sum") and len(seals) > 1:
        raise ConfigError(
            f"seals in the weights act all the time, they cannot be mixed by {request.mix}",
            "mix them by sum, or draw without quantising",
        )
    reports = fuse_then_quantise(base, seals, precision)
    for picture in draw_fused(base, request, seals, reports, on_step):
        yield replace(picture, recipe=replace(picture.recipe, quantised=precision))
