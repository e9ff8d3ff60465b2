"""Training of the embedded base's autoencoder (`AutoencoderKL`, 128 px -> 16x16x8 latents).

    python -m world.autoencoder --config cpu
    python -m world.autoencoder --config cpu --decoder

It trains on 64 px crops: the network is purely convolutional, so crops teach it the same and show it four
times as many different things for the same work. With `--decoder` the encoder rests: the latents stay what they
are, and so does what a denoiser learned of them, while the same latents come out as better pictures.
"""

import argparse
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from sealsmith.bases.base import SEALWORLD_FOLDER

from . import dataset, glyphs
from .configs import CONFIGS, AutoencoderConfig, Config
from .optimisers import MuonAdam
from .training import Average, Pace, Run, has_fast_bfloat16, warm_up

VALID_PICTURES = 64


def build(config: AutoencoderConfig) -> AutoencoderKL:
    """An untrained autoencoder."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=config.channels,
        layers_per_block=1,
        latent_channels=config.latent_channels,
        norm_num_groups=config.norm_groups,
        sample_size=128,
        mid_block_add_attention=False,
    )


def trained(config: AutoencoderConfig) -> AutoencoderKL:
    """The averaged weights of this configuration's last checkpoint; where there is none, the shipped ones.

    A decoder that was trained on afterwards is part of it.
    """
    for part in ("decoder", "autoencoder"):
        state = _run(config, part).load()
        if state is not None:
            model = build(config)
            model.load_state_dict(state["average"])
            return model.eval()
    return shipped(config)


def is_shipped(config: AutoencoderConfig) -> bool:
    """Whether the latents are the shipped encoder's: no other was trained here."""
    return not (_run(config, "autoencoder").folder / "checkpoint.json").exists()


def _run(config: AutoencoderConfig, part: str) -> Run:
    return Run(glyphs.RUNS / f"{part}-{config.name}")


def fits_shipped(config: AutoencoderConfig) -> bool:
    """Whether the package carries one of this shape."""
    try:
        return bool(shipped(config))
    except SystemExit:
        return False


def shipped(config: AutoencoderConfig) -> AutoencoderKL:
    """The autoencoder that the package carries, in fp32.

    Raises: SystemExit when it carries none of this configuration's shape.
    """
    folder = SEALWORLD_FOLDER / "vae"
    if not folder.exists():
        raise SystemExit("train the autoencoder first: python -m world.autoencoder")
    carried = AutoencoderKL.from_pretrained(folder, use_safetensors=True)
    if tuple(carried.config.block_out_channels) != config.channels:
        raise SystemExit(
            f"the shipped autoencoder has channels {carried.config.block_out_channels}: train your own"
        )
    model = build(config)  # a model that was opened remembers the path it came from, and would ship that too
    model.load_state_dict(carried.state_dict())
    return model.eval()


def to_tensor(pictures: np.ndarray | Tensor, device: str = "cpu") -> Tensor:
    """uint8 [N, H, W, 3] -> float32 [N, 3, H, W] in -1..1 on the device; only bytes are sent there."""
    if not isinstance(pictures, Tensor):
        pictures = torch.from_numpy(np.array(pictures))
    return pictures.to(device).permute(0, 3, 1, 2).float() / 127.5 - 1


def crops(pictures: np.ndarray | Tensor, picked: np.ndarray, corners: np.ndarray, px: int) -> Any:
    """uint8 [B, px, px, 3]: squares of the `picked` [B], whose left upper corners [B, 2] are (y, x)."""
    steps = np.arange(px)
    y, x = corners[:, :1] + steps, corners[:, 1:] + steps
    where: tuple[Any, ...] = (picked[:, None, None], y[:, :, None], x[:, None])
    if isinstance(pictures, Tensor):
        where = tuple(torch.from_numpy(each).to(pictures.device) for each in where)
    return pictures[where]


def reconstruction_loss(made: Tensor, real: Tensor) -> Tensor:
    """L1 on pixels, on their differences (edges), and on pictures shrunk by 2 and 4 (colours)."""
    loss = F.l1_loss(made, real)
    loss = loss + 0.6 * F.l1_loss(made.diff(dim=-1), real.diff(dim=-1))
    loss = loss + 0.6 * F.l1_loss(made.diff(dim=-2), real.diff(dim=-2))
    for factor in (2, 4):
        loss = loss + 0.5 * F.l1_loss(F.avg_pool2d(made, factor), F.avg_pool2d(real, factor))
    return loss


@torch.no_grad()
def psnr(model: AutoencoderKL, pictures: np.ndarray | Tensor) -> float:
    """Mean peak signal-to-noise ratio of reconstructions, dB."""
    total = 0.0
    for start in range(0, len(pictures), 16):
        real = to_tensor(pictures[start : start + 16], model.device)
        made = model.decode(model.encode(real).latent_dist.mode()).sample.clamp(-1, 1)
        error = (made - real).square().flatten(1).mean(1) / 4
        total += float((-10 * error.log10()).sum())
    return total / len(pictures)


@dataclass(frozen=True)
class Stage:
    """One of the two trainings."""

    run: Run
    model: AutoencoderKL
    pictures: np.ndarray
    """The first `VALID_PICTURES` are never trained on."""
    steps: int


def whole(config: Config) -> Stage:
    """Both halves, from random weights."""
    settings = config.autoencoder
    names = glyphs.train_names(settings.glyphs)
    name = "autoencoder" if settings.name == "cpu" else f"autoencoder-{settings.name}"
    data = dataset.rendered(name, settings.pictures, names, seed=1, workers=settings.workers)
    torch.manual_seed(0)
    return Stage(_run(settings, "autoencoder"), build(settings), data.pictures, settings.steps)


def decoder(config: Config) -> Stage:
    """The decoder alone, from where it stands, on the denoiser's pictures: all glyphs, two marks in some."""
    settings = config.autoencoder
    run, model = _run(settings, "decoder"), trained(settings).train()
    model.encoder.requires_grad_(False)
    model.quant_conv.requires_grad_(False)
    data = dataset.of_denoiser(config.denoiser)
    return Stage(run, model, data.pictures, settings.decoder_steps)


def train(config: AutoencoderConfig, stage: Stage, device: str, minutes: float) -> None:
    data: np.ndarray | Tensor = stage.pictures
    run, model = stage.run, stage.model.to(device)
    if device != "cpu":
        model.to(memory_format=torch.channels_last)
        data = torch.from_numpy(np.array(data)).to(device)
    torch.manual_seed(0)
    optimizer = MuonAdam(model, config.learning_rate)
    average = Average(model, 400)
    pace = Pace(stage.steps, 0.4, config.minutes, config.patience)
    step = run.resume(model, optimizer, average, pace)
    rng = np.random.default_rng(step)
    pace.begin(pace.state())
    began, first, saved = time.monotonic(), step, time.monotonic()
    while pace.share(step) < 1 and time.monotonic() - began < minutes * 60:
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * pace.factor(step) * warm_up(group["step"], 50)
        picked = rng.integers(VALID_PICTURES, len(data), config.batch)
        corners = rng.integers(0, 128 - config.crop_px + 1, (config.batch, 2))
        real = to_tensor(crops(data, picked, corners, config.crop_px), device)
        with torch.autocast(device, torch.bfloat16, enabled=has_fast_bfloat16(device)):
            posterior = model.encode(real).latent_dist
            made = model.decode(posterior.sample()).sample
        made = made.float()
        loss = reconstruction_loss(made, real) + config.kl_weight * posterior.kl().float().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        average.update(model)
        step += 1
        if step % 100 == 0:
            rate = (step - first) * config.batch / (time.monotonic() - began)
            mse = F.mse_loss(made.detach(), real).item() / 4
            run.log(
                step=step,
                loss=round(loss.item(), 4),
                psnr_batch=round(-10 * math.log10(mse), 2),
                crops_s=round(rate, 1),
            )
        if step % config.valid_every == 0 and step < stage.steps:
            _look(config, average, data, run, pace, step, device)
        if step % config.valid_every == 0 or time.monotonic() - saved > 240:
            saved = time.monotonic()
            run.save_training(model, optimizer, average, step, pace=pace.state())
    _look(config, average, data, run, pace, step, device)
    run.save_training(model, optimizer, average, step, pace=pace.state())


def _look(
    config: AutoencoderConfig,
    average: Average,
    data: np.ndarray | Tensor,
    run: Run,
    pace: Pace,
    step: int,
    device: str,
) -> None:
    """Log the validation figure, and let the pace heed it."""
    held = build(config).to(device)
    held.load_state_dict(average.weights)
    figure = psnr(held.eval(), data[:VALID_PICTURES])
    pace.heed(-figure, step)
    run.log(step=step, psnr_valid=round(figure, 2), done=round(pace.share(step), 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", choices=sorted(CONFIGS), default="cpu")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop and save after this long")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--decoder", action="store_true", help="train the decoder on, and leave the latents")
    arguments = parser.parse_args()
    config = CONFIGS[arguments.config]
    stage = decoder(config) if arguments.decoder else whole(config)
    train(config.autoencoder, stage, arguments.device, arguments.minutes)


if __name__ == "__main__":
    main()
