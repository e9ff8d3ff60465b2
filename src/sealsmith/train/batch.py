"""One batch of a training, drawn as a function of the seed and the batch's number.

All rows of a batch have one size; each size has its turn as often as it has pictures.

Shape letters: B rows (first those of the seal, then those of the prior), C channels, H and W of the latents.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..bases import Conditioning
from .cache import TrainingData
from .config import TrainConfig
from .streams import pick, stream
from .trigger_attention import Focus


@dataclass(frozen=True)
class Batch:
    num_seal_rows: int
    latents: Tensor
    """[B, C, H, W], without noise."""
    noise: Tensor
    """[B, C, H, W]"""
    times: Tensor
    """[B], model times."""
    texts: Conditioning
    """B rows, as the base alone encodes them."""
    rows: Tensor
    """[B], row of each text in `TrainingData.prompts`."""
    masks: Tensor | None
    """[B, 1, H, W]; ones in the prior's rows."""
    focus: Focus | None
    """Of the seal's rows; None when nobody asks."""


def draw_batch(data: TrainingData, config: TrainConfig, number: int) -> Batch:
    """Batch `number`. Draws are made on the CPU, so that a seed means the same on every device."""
    draws = stream(config.seed, "batch", number)
    size, turn = size_of_batch([len(own.order) for own in data.sizes], number, config.seed)
    own = data.sizes[size]
    purpose = f"pictures {size}" if size else "pictures"
    picked = own.order[pick(len(own.order), turn, config.batch_size, config.seed, purpose)]
    captions = own.captions[picked]
    captions[torch.rand(len(captions), generator=draws) < config.caption_dropout] = 0
    latents = own.latents[picked]
    masks = None if own.masks is None else own.masks[picked]
    focus = None if own.places is None else own.places.focus(captions, picked)
    if own.class_latents is not None:
        rows = pick(len(data.class_captions), number, config.prior_batch_size, config.seed, "class rows")
        captions = torch.cat([captions, data.class_captions[rows]])
        latents = torch.cat([latents, own.class_latents[rows]])
        if masks is not None:
            masks = torch.cat([masks, masks.new_ones(len(rows), *masks.shape[1:])])
    device = own.latents.device
    return Batch(
        num_seal_rows=config.batch_size,
        latents=latents,
        noise=torch.randn(latents.shape, generator=draws).to(device),
        times=data.objective.draw_times(len(latents), draws),
        texts=data.texts[captions],
        rows=captions,
        masks=masks,
        focus=focus,
    )


def size_of_batch(counts: Sequence[int], number: int, seed: int) -> tuple[int, int]:
    """Which size the batch with this number has, and how many batches of that size come before it.

    In every `sum(counts)` batches, size i has its turn `counts[i]` times.
    """
    sizes = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    epoch, place = divmod(number, len(sizes))
    turns = sizes[torch.randperm(len(sizes), generator=stream(seed, "sizes", epoch))]
    size = int(turns[place])
    return size, epoch * counts[size] + int((turns[:place] == size).sum())
