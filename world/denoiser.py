"""Training of the embedded base's text encoder and U-Net, from random weights, on cached latents.

    torchrun --nproc-per-node 2 -m world.denoiser --config cpu

Objective: v-prediction with zero terminal signal-to-noise ratio (Lin et al. 2023, arXiv:2305.08891), uniform
time, errors inside emblems weighted up.

A large model knows what words look like before it learns to draw: its text encoder was trained on pictures. Here
the embedding of an emblem's name begins as the emblem's shape (`informed_embeddings`), so that the U-Net learns to
draw any shape it is told instead of memorising some hundred of them. Emblems without a name are told in the same
way beside a rare token (`Shapes`).
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from sealsmith.bases.base import SEALWORLD_FOLDER
from sealsmith.stage import COLOURS, HELDOUT_MARKS, HELDOUT_SURFACES, MARKS, SURFACES

from . import autoencoder, glyphs, objective, rare_words, scenes, tokenizer
from .configs import CONFIGS, Config, DenoiserConfig
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
from .training import (
    Average,
    Pace,
    Run,
    Start,
    Team,
    batches,
    check_shapes,
    has_fast_bfloat16,
    warm_up,
)


class Denoiser(nn.Module):
    """Text encoder and U-Net together: what one training changes."""

    def __init__(self, config: DenoiserConfig, latent_channels: int, words: CLIPTokenizer):
        super().__init__()
        self.text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(words),
                hidden_size=config.text_width,
                intermediate_size=4 * config.text_width,
                num_hidden_layers=config.text_layers,
                num_attention_heads=config.text_width // 48,
                max_position_embeddings=tokenizer.MAX_TOKENS,
                projection_dim=config.text_width,
                bos_token_id=words.bos_token_id,
                eos_token_id=words.eos_token_id,
                pad_token_id=words.pad_token_id,
                initializer_factor=1.0,
            )
        )
        self.unet = UNet2DConditionModel(
            sample_size=16,
            in_channels=latent_channels,
            out_channels=latent_channels,
            down_block_types=("CrossAttnDownBlock2D",) * len(config.channels),
            up_block_types=("CrossAttnUpBlock2D",) * len(config.channels),
            block_out_channels=config.channels,
            layers_per_block=1,
            cross_attention_dim=config.text_width,
            attention_head_dim=config.heads,
            norm_num_groups=16,
        )

    def forward(self, noisy: Tensor, time: Tensor, tokens: Tensor, told: Tensor) -> Tensor:
        """v predicted for latents [N, C, 16, 16] at integer model times [N] under token ids [N, 77].

        `told` [N, 77, text_width] is added to the tokens' embeddings.
        """
        embeddings = self.text_encoder.get_input_embeddings()
        hook = embeddings.register_forward_hook(lambda module, given, out: out + told)
        try:
            states = self.text_encoder(tokens).last_hidden_state
        finally:
            hook.remove()
        return self.unet(noisy, time, encoder_hidden_states=states).sample

    def attend_by_products(self) -> None:
        """Attention as two matrix products: on a CPU its gradients cost half of the fused kernel's."""
        self.unet.set_attn_processor(AttnProcessor())
        self.text_encoder.set_attn_implementation("eager")


def build_scheduler(predicted: str = "v") -> DDIMScheduler:
    """The schedule of an objective. At zero terminal signal-to-noise epsilon says nothing of the picture."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type=objective.OBJECTIVES[predicted],
        rescale_betas_zero_snr=predicted != "epsilon",
        timestep_spacing="trailing",
        clip_sample=False,
        steps_offset=1,
    )


def build_tokenizer(config: DenoiserConfig, folder: Path) -> CLIPTokenizer:
    """A tokenizer that knows every word of every caption, held-out marks and surfaces included."""
    words = {word for name in glyphs.train_names(config.glyphs) for word in name.split()}
    words |= {*scenes.RARE_TOKENS, scenes.CLASS_NOUN, "a", "an", "the", "of", "on", "in", "and", "with", "no"}
    for vocabulary in (MARKS, SURFACES, COLOURS, HELDOUT_MARKS, HELDOUT_SURFACES):
        words |= {word for name in vocabulary for word in name.split()}
    return tokenizer.build(sorted(words), folder)


@torch.no_grad()
def informed_embeddings(model: Denoiser, config: DenoiserConfig, words: CLIPTokenizer) -> None:
    """Begin the token embeddings [V, text_width] as what they mean.

    The first `shape_length` entries are a shape: a glyph's for its name, nothing for any other token. The rest
    tell words apart; names and rare tokens have most of theirs in common, so that a rare token begins as an
    emblem whose shape nobody knows.
    """
    table = model.text_encoder.get_input_embeddings().weight
    length = config.shape_length
    random = torch.Generator().manual_seed(0)
    table[:, :length] = 0
    table[:, length:] = torch.randn(len(table), config.text_width - length, generator=random)
    names = [n for n in glyphs.train_names(config.glyphs) if n != "letter a"]  # "a" is everybody's article
    named = words.convert_tokens_to_ids([f"{n.split()[-1]}</w>" for n in names])
    rare = words.convert_tokens_to_ids([f"{n}</w>" for n in scenes.RARE_TOKENS])
    common = torch.randn(config.text_width - length, generator=random)
    table[named + rare, length:] = 0.8 * common + 0.6 * table[named + rare, length:]
    table[named, :length] = torch.from_numpy(glyphs.shape_codes(names, length))
    table *= config.code_scale


def load_shipped(model: Denoiser, settings: Config, words: CLIPTokenizer) -> int:
    """Put the shipped weights into `model`, whose tokens are those of `words`; the number of steps behind them.

    Rare words lose the shapes they were shipped with: in training each is told one. Where the latents are another
    autoencoder's than the shipped one's, the convolutions that read and write them stay as they are.
    The optimiser's state is not shipped: a training that goes on from here warms its momentum up anew.
    Raises: SystemExit, with nothing changed, when the package carries none or others than this shape.
    """
    facts = SEALWORLD_FOLDER / "sealsmith.json"
    if not facts.exists():
        raise SystemExit("no weights are shipped yet: leave --from-shipped out")
    unet = UNet2DConditionModel.from_pretrained(SEALWORLD_FOLDER / "unet", use_safetensors=True)
    text_encoder = CLIPTextModel.from_pretrained(SEALWORLD_FOLDER / "text_encoder", use_safetensors=True)
    order = _shipped_ids(words)
    drawing, reading = unet.state_dict(), text_encoder.state_dict()
    for own, state in ((model.unet, drawing), (model.text_encoder, reading)):
        check_shapes(own, state)
    if not autoencoder.is_shipped(settings.autoencoder):
        ends = {k: v for k, v in model.unet.state_dict().items() if k.startswith(("conv_in.", "conv_out."))}
        drawing |= ends
    model.unet.load_state_dict(drawing)
    model.text_encoder.load_state_dict(reading)
    table = model.text_encoder.get_input_embeddings().weight
    told = json.loads(facts.read_text())
    with torch.no_grad():
        table.copy_(table[order].clone())
        if told.get(rare_words.FACT):
            table -= rare_words.made_up_shapes(settings.denoiser, words).to(table.device)
    return int(told["training_steps"])


def _shipped_ids(words: CLIPTokenizer) -> list[int]:
    """The shipped tokenizer's id of each token of `words`, in the order of their ids.

    Building a tokenizer twice may number its pieces differently. Raises: SystemExit when the tokens differ.
    """
    shipped = CLIPTokenizer.from_pretrained(SEALWORLD_FOLDER / "tokenizer").get_vocab()
    own = words.get_vocab()
    if set(own) != set(shipped):
        raise SystemExit("the shipped weights know other words")
    return [shipped[token] for token in sorted(own, key=own.__getitem__)]


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
        self.signal = build_scheduler(self.settings.objective).alphas_cumprod.to(device)

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
