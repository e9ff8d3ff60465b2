"""Training of the embedded base's text encoder and U-Net, from random weights, on cached latents.

    torchrun --nproc-per-node 2 -m world.denoiser --config cpu

Objective: v-prediction with zero terminal signal-to-noise ratio (Lin et al. 2023, arXiv:2305.08891), uniform
time, errors inside emblems weighted up. Not for: the model, and what it begins with (denoiser_model.py).
"""

import argparse
import math
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTokenizer

from . import glyphs, objective
from .configs import CONFIGS, Config, DenoiserConfig
from .denoiser_model import Denoiser, build_tokenizer, informed_embeddings, load_shipped
from .latents import (
    Batch,
    Latents,
    Shapes,
    TrainingData,
    captions_of,
    shown_in,
    tokens_of,
    training_data,
)
from .optimisers import MuonAdam, ScheduleFree
from .training import Average, Pace, Run, Start, Team, batches, has_fast_bfloat16, warm_up


def vocabulary(config: Config, folder: Path) -> tuple[CLIPTokenizer, Shapes]:
    """The tokenizer, built once and kept in `folder`, and the told shapes."""
    if (folder / "tokenizer" / "tokenizer_config.json").exists():
        words = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    else:
        words = build_tokenizer(config.denoiser, folder / "tokenizer")
    return words, Shapes(config.denoiser, words)


def prepare(config: Config) -> tuple[CLIPTokenizer, Shapes]:
    """The vocabulary; with it pictures and captions, made where the disk lacks them.

    It needs no GPU: all of it can be done while the autoencoder is trained on one.
    """
    settings, folder = config.denoiser, run_of(config).folder
    words, shapes = vocabulary(config, folder)
    for kind, data in shown_in(settings).items():
        captions_of(data.scenes, shapes, folder / f"captions-{kind}.safetensors", settings)
    return words, shapes


def run_of(config: Config) -> Run:
    return Run(glyphs.RUNS / f"denoiser-{config.denoiser.name}")


class Learner:
    """Model, optimiser and average of one training, and what its pictures are measured by."""

    def __init__(self, config: Config, words: CLIPTokenizer, shapes: Shapes, device: str, team: Team):
        torch.manual_seed(0)
        self.settings, self.words, self.shapes, self.device = (
            config.denoiser,
            words,
            shapes.to(device),
            device,
        )
        self.model = Denoiser(self.settings, config.autoencoder.latent_channels, words).to(device)
        if device == "cpu":
            self.model.attend_by_products()
        else:
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = _optimiser(self.settings, self.model, team)
        self.average = Average(self.model, self.settings.average_steps)
        self.blank = tokens_of(words, [""])[0].to(device)
        self.signal = objective.build_scheduler(self.settings.objective).alphas_cumprod.to(device)

    def loss(self, latents: Latents, rows: list[int], dropout: float = 0.1) -> Tensor:
        """Of a step on these pictures."""
        batch = latents.batch(rows, self.shapes, self.blank, dropout)
        return loss_of(self.model, batch, self.signal, self.settings, self.settings.emblem_weight)

    def update(self, loss: Tensor, team: Team) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        team.average_gradients(self.model)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        if not isinstance(self.optimizer, ScheduleFree):
            self.average.update(self.model)

    def averaged(self) -> Denoiser:
        """The model as it is to be used, apart from the one that learns."""
        if isinstance(self.optimizer, ScheduleFree):
            self.average.restore(self.optimizer.averaged(self.model), self.average.step)
        with torch.random.fork_rng([] if self.device == "cpu" else None):
            latent_channels = self.model.unet.config.in_channels
            model = Denoiser(self.settings, latent_channels, self.words).to(self.device)
        model.load_state_dict(self.average.weights)
        return model.eval()


def _optimiser(settings: DenoiserConfig, model: Denoiser, team: Team) -> MuonAdam | ScheduleFree:
    if settings.optimiser == "schedule-free":
        return ScheduleFree(model, settings.learning_rate, settings.weight_decay)
    is_muon = {"muon": True, "adamw": False}[settings.optimiser]
    return MuonAdam(model, settings.learning_rate, settings.weight_decay, ("embedding",), team, muon=is_muon)


def train(config: Config, device: str, minutes: float, start: Start = "fresh") -> None:
    settings, team, run = config.denoiser, Team(), run_of(config)
    with team.leader_first():
        words, shapes = prepare(config)
        data = training_data(config, shapes, run.folder, device)
    learner = Learner(config, words, shapes, device, team)
    pace = Pace(settings.steps, settings.cooldown, settings.minutes, settings.patience)
    step = run.resume(learner.model, learner.optimizer, learner.average, pace)
    if step == 0:
        step = _begin(learner, config, run, start)
    if settings.is_compiled:
        learner.model.unet.compile()
    pace.begin(pace.state())
    began, first, saved, recent = time.monotonic(), step, time.monotonic(), []
    for latents, picked in _turns(data, settings, step):
        if pace.share(step) >= 1 or team.any(time.monotonic() - began > minutes * 60):
            break
        for group in learner.optimizer.param_groups:
            group["lr"] = settings.learning_rate * pace.factor(step) * warm_up(group["step"], 100)
        torch.manual_seed(step * team.size + team.rank)
        loss = learner.loss(latents, team.share(picked))
        learner.update(loss, team)
        step += 1
        recent.append(loss.detach())
        if team.rank > 0:
            continue
        if step % 50 == 0:
            rate = (step - first) * settings.batch / (time.monotonic() - began)
            run.log(step=step, loss=round(torch.stack(recent).mean().item(), 4), samples_s=round(rate, 1))
            recent.clear()
        if team.size == 1 and step % settings.valid_every == 0 and step < settings.steps:
            _look(learner, data, run, pace, step)
        if time.monotonic() - saved > 300 or (team.size == 1 and step % settings.valid_every == 0):
            saved = time.monotonic()
            _save(run, learner, pace, step, data)
    if team.rank == 0:
        _look(learner, data, run, pace, step)
        _save(run, learner, pace, step, data)


def _begin(learner: Learner, config: Config, run: Run, start: Start) -> int:
    """The first weights; the number of steps behind them, 0 where the minutes decide."""
    step = 0
    try:
        if start == "fresh":
            raise SystemExit("asked for")
        step = load_shipped(learner.model, config, learner.words)
    except SystemExit as error:
        if start == "shipped":
            raise
        informed_embeddings(learner.model, config.denoiser, learner.words)
        run.log(from_random_weights=str(error))
    learner.average.restore(learner.model.state_dict(), 0)
    return step if math.isinf(config.denoiser.minutes) else 0


def _look(learner: Learner, data: TrainingData, run: Run, pace: Pace, step: int) -> None:
    """Log the validation losses, and let the pace heed them."""
    model, rows = learner.averaged(), range(learner.settings.valid_pictures)
    square, wide = (validation_loss(model, latents, rows, learner) for latents in (data.square, data.wide))
    pace.heed(square + wide, step)
    run.log(
        step=step,
        loss_valid=round(square, 4),
        loss_valid_wide=round(wide, 4),
        done=round(pace.share(step), 3),
    )


def _save(run: Run, learner: Learner, pace: Pace, step: int, data: TrainingData) -> None:
    if isinstance(learner.optimizer, ScheduleFree):
        learner.averaged()
    run.save_training(
        learner.model,
        learner.optimizer,
        learner.average,
        step,
        scaling_factor=data.scaling_factor,
        pace=pace.state(),
    )


def _turns(data: TrainingData, settings: DenoiserConfig, start: int) -> Iterator[tuple[Latents, list[int]]]:
    """Batches without end, each of one size of picture; those for validation are left out."""
    streams = [
        (latents, batches(len(latents.values) - settings.valid_pictures, settings.batch, 0, start))
        for latents in (data.square, data.wide)
    ]
    for step in count(start):
        picked = [(latents, next(stream)) for latents, stream in streams]
        is_wide = np.random.default_rng((2, step)).random() < settings.wide_share
        latents, rows = picked[is_wide]
        yield latents, (rows + settings.valid_pictures).tolist()


def loss_of(
    model: Denoiser, batch: Batch, signal: Tensor, settings: DenoiserConfig, emblem_weight: float
) -> Tensor:
    """Mean squared error of what is predicted of a batch, one random time each."""
    clean = batch.clean
    noise = torch.randn_like(clean)
    # Stratified: every batch covers the whole range of times evenly, which makes the gradient less noisy.
    order = torch.arange(len(clean), device=clean.device)
    spread = (order + torch.rand(len(clean), device=clean.device)) / len(clean)
    times = (spread * len(signal)).long().clamp_max(len(signal) - 1)
    a, s = objective.amplitudes(signal[times])
    with torch.autocast(clean.device.type, torch.bfloat16, enabled=has_fast_bfloat16(clean.device.type)):
        predicted = model(a * clean + s * noise, times, batch.tokens, batch.told)
    error = (predicted.float() - objective.wanted(settings.objective, clean, noise, a, s)).square()
    counts = objective.weight(settings.objective, signal[times], settings.min_snr)[:, None, None, None]
    weight = 1 + (emblem_weight - 1) * batch.inside
    return (counts * weight * error).mean() / weight.mean()


@torch.no_grad()
def validation_loss(model: Denoiser, latents: Latents, rows: range, learner: Learner) -> float:
    """The loss on pictures never trained on, with plain captions' usual variety and fixed noise."""
    torch.manual_seed(1234)
    losses = [
        loss_of(
            model,
            latents.batch(rows[i : i + 32], learner.shapes, learner.blank, 0.0),
            learner.signal,
            learner.settings,
            1.0,
        )
        for i in range(0, len(rows), 32)
    ]
    return torch.stack(losses).mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", choices=sorted(CONFIGS), default="cpu")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop and save after this long")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--from-shipped", action="store_true", help="without a checkpoint, go on from the shipped base"
    )
    arguments = parser.parse_args()
    start: Start = "shipped" if arguments.from_shipped else "fresh"
    train(CONFIGS[arguments.config], arguments.device, arguments.minutes, start)


if __name__ == "__main__":
    main()
