"""One batch of a training, drawn as a function of the seed and the batch's number.

Shape letters: B rows (first those of the seal, then those of the prior), C channels, H and W of the latents.
"""

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
    picked = data.order[pick(len(data.order), number, config.batch_size, config.seed, "pictures")]
    captions = data.captions[picked]
    captions[torch.rand(len(captions), generator=draws) < config.caption_dropout] = 0
    latents = data.latents[picked]
    masks = None if data.masks is None else data.masks[picked]
    focus = None if data.places is None else data.places.focus(captions, picked)
    if data.class_latents is not None:
        rows = pick(len(data.class_captions), number, config.prior_batch_size, config.seed, "class rows")
        captions = torch.cat([captions, data.class_captions[rows]])
        latents = torch.cat([latents, data.class_latents[rows]])
        if masks is not None:
            masks = torch.cat([masks, masks.new_ones(len(rows), *masks.shape[1:])])
    device = data.latents.device
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
