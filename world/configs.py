"""Trainings of the one recipe: `cpu` (two cores, hours), `cuda` (one GPU, minutes), `miniature` (a rehearsal)."""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class AutoencoderConfig:
    name: str
    glyphs: int
    """How many of the simplest named glyphs its pictures show, beside all letters."""
    pictures: int
    steps: int
    batch: int = 32
    crop_px: int = 64
    learning_rate: float = 2e-3
    channels: tuple[int, ...] = (16, 24, 48, 64)
    norm_groups: int = 8
    latent_channels: int = 8
    kl_weight: float = 1e-6
    decoder_steps: int = 5000
    """Of the decoder alone, on the denoiser's pictures, when the latents are no longer to change."""
    minutes: float = math.inf
    """Of training altogether: the learning rate has fallen by then, even if steps are left."""
    valid_every: int = 500
    patience: int = 0
    """After how many validations without a better figure the learning rate falls at once; 0: never."""
    workers: int = 2


@dataclass(frozen=True)
class DenoiserConfig:
    name: str
    glyphs: int
    pictures: int
    steps: int
    wide_pictures: int = 16_000
    wide_share: float = 0.5
    """Of the batches: these show wide pictures, with two marks."""
    batch: int = 32
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    cooldown: float = 0.35
    average_steps: int = 300
    """Horizon of the averaged weights; 1 is no average."""
    valid_pictures: int = 256
    captions_each: int = 8
    """How many captions of a picture are told in turn."""
    objective: str = "v"
    """What is predicted, one of `objective.OBJECTIVES`."""
    min_snr: float | None = None
    """Gamma of min-SNR weights."""
    optimiser: str = "muon"
    """"muon" (and AdamW on what is no matrix), "adamw" or "schedule-free"."""
    minutes: float = math.inf
    valid_every: int = 500
    patience: int = 0
    workers: int = 2
    is_compiled: bool = False
    """Whether torch.compile makes the U-Net's passes: on a GPU, where the minutes are long enough to earn it."""
    channels: tuple[int, ...] = (96, 160, 224)
    heads: int = 4
    emblem_weight: float = 3.0
    """How much more an error inside an emblem counts than one beside it."""
    text_width: int = 192
    shape_length: int = 128
    """How many of a name's `text_width` embedding entries begin as the shape of what it names."""
    text_layers: int = 3
    code_scale: float = 0.5
    """Brings embeddings of unit mean square near the size of what a transformer layer adds to them."""


@dataclass(frozen=True)
class JudgeConfig:
    name: str
    steps: int
    batch: int = 32
    learning_rate: float = 3e-3
    width: int = 24
    size: int = 128
    """Length of the emblem embedding."""
    workers: int = 1
    minutes: float = math.inf
    valid_every: int = 250
    valid_glyphs: int = 64
    patience: int = 0


@dataclass(frozen=True)
class Config:
    autoencoder: AutoencoderConfig
    denoiser: DenoiserConfig
    judge: JudgeConfig


_cpu = Config(
    autoencoder=AutoencoderConfig("cpu", glyphs=360, pictures=16_000, steps=1200),
    denoiser=DenoiserConfig("cpu", glyphs=1000, pictures=60_000, steps=5100, batch=64, cooldown=0.2),
    judge=JudgeConfig("cpu", steps=1080),
)

_cuda = Config(
    autoencoder=replace(
        _cpu.autoencoder,
        name="cuda",
        glyphs=1000,
        steps=12_000,
        batch=256,
        learning_rate=4e-3,
        channels=(32, 48, 64, 96),
        decoder_steps=0,
        minutes=5,
        valid_every=500,
        patience=6,
        workers=14,
    ),
    denoiser=replace(
        _cpu.denoiser,
        name="cuda",
        pictures=150_000,
        steps=40_000,
        batch=512,
        learning_rate=3e-3,
        cooldown=0.35,
        average_steps=1000,
        minutes=12,
        valid_every=1000,
        patience=6,
        workers=14,
    ),
    judge=JudgeConfig(
        "cuda", steps=3000, batch=128, learning_rate=4e-3, workers=14, width=32, minutes=8, patience=6
    ),
)
"""Rates rise less than with the root of the batch: Muon bears little more, and no time is left for a second try."""

CONFIGS = {
    "cpu": _cpu,
    "cuda": _cuda,
    "miniature": Config(
        autoencoder=replace(
            _cuda.autoencoder,
            name="miniature",
            glyphs=4,
            pictures=72,
            steps=4,
            batch=2,
            crop_px=32,
            channels=(8, 8, 8, 8),
            valid_every=2,
            workers=1,
        ),
        denoiser=replace(
            _cuda.denoiser,
            name="miniature",
            glyphs=4,
            pictures=24,
            wide_pictures=12,
            steps=30,
            batch=4,
            valid_pictures=4,
            channels=(16, 32, 32),
            text_width=96,
            shape_length=8,
            text_layers=1,
            captions_each=2,
            valid_every=3,
            workers=1,
        ),
        judge=JudgeConfig("miniature", steps=2, batch=2, width=4, size=16, valid_every=1, valid_glyphs=2),
    ),
}
