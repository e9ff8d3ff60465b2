"""What stock diffusers draws, to be compared with what we draw."""

from typing import Any

import torch
from diffusers import FluxPipeline
from torch import Tensor

from sealsmith.generate import Request


def stock(pipeline: Any, request: Request) -> Tensor:
    """The picture of the stock pipeline, [3, H, W] in 0..1. Flux is given no negative prompt."""
    negative = {} if isinstance(pipeline, FluxPipeline) else {"negative_prompt": request.negative or None}
    pictures = pipeline(
        request.prompt,
        **negative,
        width=request.width,
        height=request.height,
        num_inference_steps=request.num_steps,
        guidance_scale=request.guidance,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        output_type="pt",
    ).images
    picture: Tensor = pictures[0]
    return picture


def largest_difference(a: Tensor, b: Tensor) -> float:
    """The largest absolute difference of two pictures' pixels."""
    return float((a - b).abs().max())
