"""The first rows of a seal: one of the smaller seals that a DyLoRA holds in itself.

Source: Valipour et al. 2022, arXiv:2210.07558.
"""

from dataclasses import replace

from ..errors import ConfigError
from .changes import Change, LowRank
from .seal import Seal


def first_rows(seal: Seal, num_rows: int) -> Seal:
    """The seal with only the first `num_rows` rows of every `down`; layers of a lower rank stay as they are.

    The scale alpha / rank stays: it is the alpha that was trained with, for every rank.
    Raises: ConfigError for a seal with changes that are not plain low-rank ones.
    """
    other = {change.kind for change in seal.layers.values() if not isinstance(change, LowRank)}
    if other:
        raise ConfigError(
            f"dyn={num_rows} asks for the first rows of {seal.name!r}, whose kind is {', '.join(sorted(other))}",
            "leave dyn out; only plain LoRAs have rows to choose from",
        )
    return replace(seal, layers={path: _cut(change, num_rows) for path, change in seal.layers.items()})


def _cut(change: Change, num_rows: int) -> Change:
    if not isinstance(change, LowRank) or num_rows >= change.rank:
        return change
    return LowRank(change.down[:num_rows], change.up[:, :num_rows], change.scale * num_rows)
