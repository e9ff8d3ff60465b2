"""A LoRA trained as diffusers' text-to-image and DreamBooth examples train one: the peer of our own loop.

At every step pictures are resized and encoded by the autoencoder, captions by the text encoder; mean squared
error; AdamW with weight decay 0.01 at a constant rate; gradients clipped to norm 1. Pictures are not flipped: a
mirrored logo is another logo. Two of our ingredients, the caches, can be switched on, to see what each gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, StableDiffusionPipeline
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image
from torch import Tensor


@dataclass(frozen=True)
class PlainRecipe:
    """Settings of the plain loop; the defaults are the text-to-image example's own."""

    targets: tuple[str, ...]
    """Endings of the names of the adapted modules, such as "to_q"."""
    rank: int = 4
    learning_rate: float = 1e-4
    batch_size: int = 2
    caches_latents: bool = False
    """Whether the autoencoder sees each picture once, before the first step. Its samples are drawn anew in each."""
    caches_texts: bool = False


class PlainTraining:
    """A LoRA being trained into `pipeline.unet`, which keeps it. Same seed, same draws, whatever is cached."""

    def __init__(
        self,
        pipeline: StableDiffusionPipeline,
        images: Sequence[Image.Image],
        captions: Sequence[str],
        recipe: PlainRecipe,
        seed: int = 0,
    ):
        self._pipeline, self._images, self._captions, self._recipe = pipeline, images, captions, recipe
        self._unet = pipeline.unet
        self._scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)
        self._side_px = self._unet.config.sample_size * pipeline.vae_scale_factor
        for part in (self._unet, pipeline.vae, pipeline.text_encoder):
            part.requires_grad_(False)
        self._draws = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # PEFT draws the start from torch's global generator
            self._unet.add_adapter(
                LoraConfig(
                    r=recipe.rank,
                    lora_alpha=recipe.rank,
                    init_lora_weights="gaussian",
                    target_modules=list(recipe.targets),
                )
            )
        self._parameters = [p for p in self._unet.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(self._parameters, lr=recipe.learning_rate, weight_decay=1e-2)
        everything = range(len(images))
        self._posteriors = self._encode_images(everything) if recipe.caches_latents else None
        self._texts = self._encode_texts(everything) if recipe.caches_texts else None

    def run(self, num_steps: int) -> list[float]:
        """Takes so many steps more; their losses."""
        return [self._step() for _ in range(num_steps)]

    def save(self, path: Path) -> None:
        """Writes the LoRA as it is now, by stock `save_lora_weights`."""
        layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(self._unet))
        self._pipeline.save_lora_weights(path.parent, unet_lora_layers=layers, weight_name=path.name)

    def _step(self) -> float:
        size = self._recipe.batch_size
        picked = torch.randint(len(self._images), (size,), generator=self._draws).tolist()
        with torch.no_grad():
            posteriors = self._encode_images(picked) if self._posteriors is None else self._posteriors[picked]
            latents = DiagonalGaussianDistribution(posteriors).sample(self._draws)
            latents = latents * self._pipeline.vae.config.scaling_factor
            texts = self._encode_texts(picked) if self._texts is None else self._texts[picked]
        noise = torch.randn(latents.shape, generator=self._draws)
        t = torch.randint(self._scheduler.config.num_train_timesteps, (size,), generator=self._draws)
        prediction = self._unet(self._scheduler.add_noise(latents, noise, t), t, texts).sample
        loss = F.mse_loss(prediction, _wanted(self._scheduler, latents, noise, t))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return loss.item()

    @torch.no_grad()
    def _encode_images(self, picked: Sequence[int]) -> Tensor:
        """[N, 2C, h, w]: mean and log variance of each picture's posterior."""
        pixels = torch.stack([_pixels(self._images[i], self._side_px) for i in picked])
        encoded: Tensor = self._pipeline.vae.encode(pixels).latent_dist.parameters
        return encoded

    @torch.no_grad()
    def _encode_texts(self, picked: Sequence[int]) -> Tensor:
        """[N, L, D]"""
        words = [self._captions[i] for i in picked]
        ids = self._pipeline.tokenizer(words, padding="max_length", truncation=True, return_tensors="pt")
        encoded: Tensor = self._pipeline.text_encoder(ids.input_ids)[0]
        return encoded


def _pixels(image: Image.Image, side_px: int) -> Tensor:
    """[3, side, side] in -1..1."""
    resized = image.resize((side_px, side_px), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.asarray(resized, dtype=np.float32) / 127.5 - 1).permute(2, 0, 1)


def _wanted(scheduler: DDPMScheduler, latents: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    if scheduler.config.prediction_type == "epsilon":
        return noise
    velocity: Tensor = scheduler.get_velocity(latents, noise, t)
    return velocity
