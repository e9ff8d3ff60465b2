"""What we compare ourselves with: stock diffusers, used as its documentation and examples use it.

Not for: anything clever. A peer does the same work with the same numbers, the way one does it without us.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, StableDiffusionPipeline
from peft import LoraConfig
from PIL import Image
from torch import Tensor


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


def plain_lora_training(
    pipeline: StableDiffusionPipeline,
    images: Sequence[Image.Image],
    captions: Sequence[str],
    *,
    targets: Sequence[str],
    rank: int,
    batch_size: int,
    learning_rate: float,
    num_steps: int,
    seed: int = 0,
) -> list[float]:
    """Losses, one a step, of a LoRA trained into `pipeline.unet`, which keeps it.

    The loop has the order and the costs of diffusers' DreamBooth-LoRA example at its default settings: at
    every step pictures are resized and encoded by the autoencoder, captions by the text encoder; mean squared
    error; AdamW with weight decay 0.01; gradients clipped to norm 1.
    """
    unet, scheduler = pipeline.unet, DDPMScheduler.from_config(pipeline.scheduler.config)
    for part in (unet, pipeline.vae, pipeline.text_encoder):
        part.requires_grad_(False)
    unet.add_adapter(
        LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(targets))
    )
    parameters = [p for p in unet.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=1e-2)
    draws = torch.Generator().manual_seed(seed)
    side_px = unet.config.sample_size * pipeline.vae_scale_factor
    losses = []
    for _ in range(num_steps):
        picked = torch.randint(len(images), (batch_size,), generator=draws).tolist()
        pixels = torch.stack([_pixels(images[i], side_px) for i in picked])
        tokens = pipeline.tokenizer(
            [captions[i] for i in picked], padding="max_length", truncation=True, return_tensors="pt"
        ).input_ids
        with torch.no_grad():
            latents = (
                pipeline.vae.encode(pixels).latent_dist.sample(draws) * pipeline.vae.config.scaling_factor
            )
            texts = pipeline.text_encoder(tokens)[0]
        noise = torch.randn(latents.shape, generator=draws)
        t = torch.randint(scheduler.config.num_train_timesteps, (batch_size,), generator=draws)
        prediction = unet(scheduler.add_noise(latents, noise, t), t, texts).sample
        loss = F.mse_loss(prediction, _wanted(scheduler, latents, noise, t))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def _pixels(image: Image.Image, side_px: int) -> Tensor:
    """[3, side, side] in -1..1."""
    resized = image.resize((side_px, side_px), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(resized, dtype=np.float32) / 127.5 - 1).permute(2, 0, 1)


def _wanted(scheduler: DDPMScheduler, latents: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    if scheduler.config.prediction_type == "epsilon":
        return noise
    velocity: Tensor = scheduler.get_velocity(latents, noise, t)
    return velocity
