"""Training of the embedded base's autoencoder (`AutoencoderKL`, 128 px -> 16x16x8 latents).

    python -m world.autoencoder --config cpu

It trains on 64 px crops: the network is purely convolutional, so crops teach it the same and show it four
times as many different things for the same work.
"""

import argparse
import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from sealsmith.bases.base import SEALWORLD_FOLDER

from . import dataset, glyphs
from .configs import CONFIGS, AutoencoderConfig
from .training import Average, MuonAdam, Run, trapezoid, warm_up


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
    """The averaged weights of this configuration's last checkpoint; where there is none, the shipped ones."""
    state = Run(glyphs.RUNS / f"autoencoder-{config.name}").load()
    if state is None:
        return shipped(config)
    model = build(config)
    model.load_state_dict(state["average"])
    return model.eval()


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


def to_tensor(pictures: np.ndarray) -> Tensor:
    """uint8 [N, H, W, 3] -> float32 [N, 3, H, W] in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def reconstruction_loss(made: Tensor, real: Tensor) -> Tensor:
    """L1 on pixels, on their differences (edges), and on pictures shrunk by 2 and 4 (colours)."""
    loss = F.l1_loss(made, real)
    loss = loss + 0.6 * F.l1_loss(made.diff(dim=-1), real.diff(dim=-1))
    loss = loss + 0.6 * F.l1_loss(made.diff(dim=-2), real.diff(dim=-2))
    for factor in (2, 4):
        loss = loss + 0.5 * F.l1_loss(F.avg_pool2d(made, factor), F.avg_pool2d(real, factor))
    return loss


@torch.no_grad()
def psnr(model: AutoencoderKL, pictures: np.ndarray) -> float:
    """Mean peak signal-to-noise ratio of reconstructions, dB."""
    total = 0.0
    for start in range(0, len(pictures), 16):
        real = to_tensor(pictures[start : start + 16])
        made = model.decode(model.encode(real).latent_dist.mode()).sample.clamp(-1, 1)
        error = (made - real).square().flatten(1).mean(1) / 4
        total += float((-10 * error.log10()).sum())
    return total / len(pictures)


def train(config: AutoencoderConfig, device: str, minutes: float) -> None:
    data = dataset.rendered(
        "autoencoder", config.pictures, glyphs.train_names(config.glyphs), seed=1
    ).pictures
    valid = data[:64]
    run = Run(glyphs.RUNS / f"autoencoder-{config.name}")
    torch.manual_seed(0)
    model = build(config).to(device)
    optimizer = MuonAdam(model, config.learning_rate)
    average = Average(model, 400)
    step = run.resume(model, optimizer, average)
    rng = np.random.default_rng(step)
    began, first, shown = time.monotonic(), step, time.monotonic()
    while step < config.steps and time.monotonic() - began < minutes * 60:
        for group in optimizer.param_groups:
            factor = trapezoid(step, config.steps, 0.4) * warm_up(group["step"], 50)
            group["lr"] = config.learning_rate * factor
        picked = rng.integers(64, len(data), config.batch)
        corners = rng.integers(0, 128 - config.crop_px + 1, (config.batch, 2))
        crops = [
            data[i, y : y + config.crop_px, x : x + config.crop_px]
            for i, (y, x) in zip(picked, corners, strict=True)
        ]
        real = to_tensor(np.stack(crops)).to(device)
        posterior = model.encode(real).latent_dist
        latents = posterior.sample()
        made = model.decode(latents).sample
        loss = reconstruction_loss(made, real) + config.kl_weight * posterior.kl().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimizer.step()
        average.update(model)
        step += 1
        if step % 100 == 0 or step == config.steps:
            rate = (step - first) * config.batch / (time.monotonic() - began)
            mse = F.mse_loss(made.detach(), real).item() / 4
            run.log(
                step=step,
                loss=round(loss.item(), 4),
                psnr_batch=round(-10 * math.log10(mse), 2),
                crops_s=round(rate, 1),
            )
        if time.monotonic() - shown > 240 or step == config.steps:
            shown = time.monotonic()
            run.save_training(model, optimizer, average, step)
            held = build(config)
            held.load_state_dict(average.weights)
            run.log(step=step, psnr_valid=round(psnr(held.eval(), valid), 2))
    run.save_training(model, optimizer, average, step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", choices=sorted(CONFIGS), default="cpu")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop and save after this long")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = parser.parse_args()
    train(CONFIGS[arguments.config].autoencoder, arguments.device, arguments.minutes)


if __name__ == "__main__":
    main()
