"""A base, opened: a loaded, frozen, identified pipeline, and what the rest of the project asks of it.

Not for: finding and loading it (opening.py), or how its architecture works (families/).
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import BaseError
from .digest import digest_of_files
from .family import Family
from .plan import Plan

SEALWORLD_FOLDER = Path(__file__).parent / "sealworld"
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""Of each precision that a plan can have."""


@dataclass
class Base:
    """A frozen text-to-image model, ready to be used."""

    family: Family
    ref: str
    """What the user wrote: "sealworld", a folder, a single file or a hub id."""
    name: str
    folder: Path
    """The diffusers folder it was loaded from; of a single file, the folder that has its configuration."""
    pipeline: Any
    device: torch.device
    weights: tuple[Path, ...]
    """The files that hold its weights."""
    plan: Plan
    """In which precision it computes, and where its weights rest."""

    @cached_property
    def digest(self) -> str:
        """Identity of the base: 12 hex digits over the weights of its denoiser, text encoders and VAE."""
        return digest_of_files(self.weights)

    @property
    def dtype(self) -> torch.dtype:
        """What the denoiser computes in."""
        return DTYPES[self.plan.precision]

    @property
    def components(self) -> dict[str, nn.Module]:
        """The parts a seal can change, by the pipeline's own names: the denoiser first, then text encoders."""
        names = (self.family.denoiser, *self.family.text_encoders)
        return {name: getattr(self.pipeline, name) for name in names}

    @property
    def denoiser(self) -> Any:
        """The U-Net or transformer."""
        return getattr(self.pipeline, self.family.denoiser)

    @property
    def unet(self) -> Any:
        """The denoiser of a base whose denoiser is a U-Net. Raises: BaseError where it is none."""
        if self.family.denoiser != "unet":
            raise BaseError(
                f"{self.name} is of the family {self.family.name}, which has no U-Net but a transformer",
                "use a base of another family for this",
            )
        return self.pipeline.unet

    @property
    def vae(self) -> Any:
        return self.pipeline.vae

    @property
    def text_encoder(self) -> Any:
        return self.pipeline.text_encoder

    @property
    def tokenizer(self) -> Any:
        """CLIP's tokenizer, the first one of every family: what a word is."""
        return self.pipeline.tokenizer

    @property
    def prompt_tokenizer(self) -> Any:
        """The tokenizer whose limit decides how much of a prompt is read."""
        return getattr(self.pipeline, self.family.prompt_tokenizer)

    @property
    def prompt_tokens(self) -> int:
        """How many tokens of a prompt are read at once, its start and end counted."""
        limit = int(self.prompt_tokenizer.model_max_length)
        return min(self.family.max_prompt_tokens or limit, limit)

    @property
    def scheduler(self) -> Any:
        return self.pipeline.scheduler

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height, width of the latents of one picture of the base's own size."""
        return self.latent_shape_of(self.picture_px, self.picture_px)

    def latent_shape_of(self, width_px: int, height_px: int) -> tuple[int, int, int]:
        """Channels, height, width of the latents of one picture."""
        factor = self.pipeline.vae_scale_factor
        return self.family.workings.latent_channels(self), height_px // factor, width_px // factor

    @property
    def picture_px(self) -> int:
        """Side of the pictures it was made for, pixels."""
        return self.family.workings.picture_px(self)

    @property
    def pair_size_px(self) -> tuple[int, int]:
        """Width and height of a picture in which two marks side by side are as large as they can be."""
        step = self.family.workings.pixel_step
        return round(self.picture_px * self.family.pair_aspect / step) * step, self.picture_px
