"""The two trainings of the one recipe: `cpu` (two cores, hours) and `cuda` (one GPU, minutes)."""

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
    valid_pictures: int = 256
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

CONFIGS = {
    "cpu": _cpu,
    "cuda": Config(
        autoencoder=replace(
            _cpu.autoencoder, name="cuda", steps=12_000, batch=64, channels=(32, 48, 64, 96), decoder_steps=0
        ),
        denoiser=replace(
            _cpu.denoiser,
            name="cuda",
            pictures=150_000,
            steps=40_000,
            batch=128,
        ),
        judge=JudgeConfig("cuda", steps=8000, workers=14, width=32),
    ),
}
