"""Opening a base: from the user's word for it to a loaded, frozen, identified pipeline."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from safetensors import SafetensorError
from torch import nn

from ..errors import BaseError
from . import families  # noqa: F401 - registers the families
from .family import FAMILIES, Family

SEALWORLD_FOLDER = Path(__file__).parent / "sealworld"
_BROKEN = (
    OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError, SafetensorError
)  # fmt: skip
"""What diffusers and transformers raise on folders that are incomplete, damaged or of another kind."""


@dataclass
class Base:
    """A frozen text-to-image model, ready to be used."""

    family: Family
    ref: str
    """What the user wrote: "sealworld" or a folder."""
    name: str
    folder: Path
    pipeline: StableDiffusionPipeline
    device: torch.device

    @cached_property
    def digest(self) -> str:
        """Identity of the base: 12 hex digits of the SHA-256 of the weights of its U-Net, text encoder and VAE."""
        digest = hashlib.sha256()
        for part in ("text_encoder", "unet", "vae"):
            for path in sorted((self.folder / part).glob("*.safetensors")):
                with path.open("rb") as weights:
                    digest.update(hashlib.file_digest(weights, "sha256").digest())
        return digest.hexdigest()[:12]

    @property
    def components(self) -> dict[str, nn.Module]:
        """The parts a seal can change, by their names in the pipeline."""
        return {"unet": self.unet, "text_encoder": self.text_encoder}

    @property
    def unet(self) -> Any:
        return self.pipeline.unet

    @property
    def vae(self) -> Any:
        return self.pipeline.vae

    @property
    def text_encoder(self) -> Any:
        return self.pipeline.text_encoder

    @property
    def tokenizer(self) -> Any:
        return self.pipeline.tokenizer

    @property
    def scheduler(self) -> Any:
        return self.pipeline.scheduler

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height, width of one picture's latents."""
        side = self.unet.config.sample_size
        return self.unet.config.in_channels, side, side

    @property
    def picture_px(self) -> int:
        """Side of the pictures it makes, pixels."""
        return int(self.unet.config.sample_size * self.pipeline.vae_scale_factor)


def open_base(ref: str = "sealworld", device: str = "cpu") -> Base:
    """The base a user named: "sealworld" (carried along) or a folder in diffusers' format; fp32, frozen.

    Raises: BaseError when there is no such folder, or it holds no Stable Diffusion pipeline.
    """
    folder = SEALWORLD_FOLDER if ref == "sealworld" else Path(ref)
    try:
        is_base = (folder / "model_index.json").is_file()
    except OSError as error:
        raise BaseError(f"no base at {ref!r}: {error.strerror}", "name a folder you may read") from error
    if not is_base:
        raise BaseError(
            f"no base at {ref!r}: {folder / 'model_index.json'} does not exist",
            "name a folder in diffusers' format, or `sealworld`, the base that comes with Sealsmith",
        )
    try:
        pipeline = StableDiffusionPipeline.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, safety_checker=None, feature_extractor=None,
            requires_safety_checker=False, use_safetensors=True,
        )  # fmt: skip
    except _BROKEN as error:
        raise BaseError(
            f"the base at {ref!r} cannot be opened: {error}", "check that the download is complete"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        part.requires_grad_(False).eval()
    pipeline.to(device)
    return Base(_family(folder), ref, folder.resolve().name, folder, pipeline, torch.device(device))


def _family(folder: Path) -> Family:
    """The family a folder declares in `sealsmith.json`, else `sd1`, whose shape every such pipeline has.

    Raises: BaseError when the file cannot be read or names no family known here.
    """
    declared = folder / "sealsmith.json"
    if not declared.is_file():
        return FAMILIES["sd1"]
    try:
        name = json.loads(declared.read_text(encoding="utf-8"))["family"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BaseError(
            f"{declared} does not say which family the base is of: {error!r}",
            'it holds one object: {"family": "sd1"}; without the file the base is taken for sd1',
        ) from error
    if name not in FAMILIES:
        raise BaseError(f"unknown family {name!r} in {declared}", f"known families: {', '.join(FAMILIES)}")
    return FAMILIES[name]
