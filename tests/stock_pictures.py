"""What stock diffusers draws, to be compared with what we draw."""

import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor

from sealsmith.generate import Request


def stock(pipeline: StableDiffusionPipeline, request: Request) -> Tensor:
    """The picture of the stock pipeline, [3, H, W] in 0..1."""
    pictures = pipeline(
        request.prompt,
        negative_prompt=request.negative,
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
