"""What we compare pictures with: stock diffusers, used as its documentation uses it. Training's peer is
`plain_training.py`.

Not for: anything clever. A peer does the same work with the same numbers, the way one does it without us.
"""

from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image


def stock_pipeline(folder: Path) -> StableDiffusionPipeline:
    """The base as diffusers itself opens it, fp32, without progress bars."""
    pipeline = StableDiffusionPipeline.from_pretrained(
        folder,
        local_files_only=True,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def stock_picture(
    pipeline: StableDiffusionPipeline, prompt: str, num_steps: int, guidance: float, seed: int
) -> Image.Image:
    """One picture by the pipeline's own call."""
    generator = torch.Generator("cpu").manual_seed(seed)
    made = pipeline(prompt, num_inference_steps=num_steps, guidance_scale=guidance, generator=generator)
    picture: Image.Image = made.images[0]
    return picture
