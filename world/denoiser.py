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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from sealsmith.bases.base import SEALWORLD_FOLDER
from sealsmith.stage import COLOURS, HELDOUT_MARKS, HELDOUT_SURFACES, MARKS, SCENE_PX, SURFACES, Scene

from . import autoencoder, dataset, glyphs, rare_words, scenes, tokenizer
from .configs import CONFIGS, Config, DenoiserConfig
from .training import Average, MuonAdam, Run, Team, batches, has_fast_bfloat16, trapezoid, warm_up

SMALL_RADIUS_PX = 36.0


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


def build_scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
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


class Shapes:
    """What is told of emblems that have no name: an addition to a rare token's embedding."""

    def __init__(self, config: DenoiserConfig, words: CLIPTokenizer):
        named = set(glyphs.train_names(config.glyphs))
        self.words, self.width = words, config.text_width
        names = sorted(set(glyphs.training_names(config.glyphs)) - named)
        codes = config.code_scale * torch.from_numpy(glyphs.shape_codes(names, config.shape_length))
        self.named: frozenset[str] = frozenset(named)
        self._codes = dict(zip(names, codes, strict=True))

    def told(self, tokens: Tensor, shapes: list[Mapping[str, str]]) -> Tensor:
        """[N, 77, text_width] for token ids [N, 77] and each caption's shapes by rare token."""
        told = torch.zeros(*tokens.shape, self.width)
        for row, by_token in enumerate(shapes):
            for token, emblem in by_token.items():
                code = self._codes[emblem]
                told[row, tokens[row] == self.words.convert_tokens_to_ids(f"{token}</w>"), : len(code)] = code
        return told


@dataclass(frozen=True)
class Latents:
    """Cached latents of pictures of one size, normalised to unit deviation over the square ones."""

    values: Tensor
    """[N, C, 16, w]"""
    scenes: list[Scene]
    inside: Tensor
    """[N, 1, 16, w]: 1 where an emblem is drawn, 2 where a small one is, else 0."""


@dataclass(frozen=True)
class TrainingData:
    """What the denoiser learns from."""

    square: Latents
    wide: Latents
    scaling_factor: float


def training_data(config: Config, device: str) -> TrainingData:
    """The training pictures' latents, computed once and kept in `world/runs/data`."""
    name, settings = config.autoencoder.name, config.denoiser
    square = _encoded(dataset.of_denoiser(settings), f"{name}-{settings.pictures}", config, device)
    wide = _encoded(
        dataset.wide_of_denoiser(settings), f"{name}-wide-{settings.wide_pictures}", config, device
    )
    factor = 1 / square.values[:2000].std().item()
    return TrainingData(*(replace(each, values=each.values * factor) for each in (square, wide)), factor)


@torch.no_grad()
def _encoded(data: dataset.Rendered, name: str, config: Config, device: str) -> Latents:
    """Latents as the autoencoder has them, kept under that name."""
    file = glyphs.RUNS / "data" / f"latents-{name}.safetensors"
    if not file.exists():
        model = autoencoder.trained(config.autoencoder).to(device)
        parts = []
        for start in range(0, len(data.pictures), 32):
            pictures = autoencoder.to_tensor(data.pictures[start : start + 32]).to(device)
            with torch.autocast(device, torch.bfloat16, enabled=has_fast_bfloat16(device)):
                found = model.encode(pictures).latent_dist.mode()
            parts.append(found.float().cpu().contiguous())
        save_file({"latents": torch.cat(parts)}, file)
    values = load_file(file)["latents"]
    inside = torch.stack([_inside(scene, values.shape[-2]) for scene in data.scenes])
    return Latents(values, data.scenes, inside)


def _inside(scene: Scene, size: int) -> Tensor:
    """[1, size, w]: how much the inner three quarters of each mark count, where its emblem is; 0 elsewhere."""
    step = SCENE_PX / size
    x, y = (torch.arange(px / step) + 0.5 for px in (scene.width_px, SCENE_PX))
    weight = torch.zeros(len(y), len(x))
    for place in scene.placements:
        dx, dy = step * x[None] - place.centre_px[0], step * y[:, None] - place.centre_px[1]
        is_inside = dx.square() + dy.square() < (0.75 * place.radius_px) ** 2
        weight[is_inside] = 1.0 if place.radius_px > SMALL_RADIUS_PX else 2.0
    return weight[None]


def tokens_of(words: CLIPTokenizer, captions: list[str]) -> Tensor:
    """Token ids [N, 77], padded and cut as the pipeline does."""
    return words(
        captions, padding="max_length", max_length=tokenizer.MAX_TOKENS, truncation=True, return_tensors="pt"
    ).input_ids


def load_shipped(model: Denoiser, config: DenoiserConfig, words: CLIPTokenizer) -> int:
    """Put the shipped weights into `model`, whose tokens are those of `words`; the number of steps behind them.

    Rare words lose the shapes they were shipped with: in training each is told one.
    The optimiser's state is not shipped: a training that goes on from here warms its momentum up anew.
    Raises: SystemExit when the package carries none, or others than this configuration's shape.
    """
    facts = SEALWORLD_FOLDER / "sealsmith.json"
    if not facts.exists():
        raise SystemExit("no weights are shipped yet: leave --from-shipped out")
    unet = UNet2DConditionModel.from_pretrained(SEALWORLD_FOLDER / "unet", use_safetensors=True)
    text_encoder = CLIPTextModel.from_pretrained(SEALWORLD_FOLDER / "text_encoder", use_safetensors=True)
    try:
        model.unet.load_state_dict(unet.state_dict())
        model.text_encoder.load_state_dict(text_encoder.state_dict())
    except RuntimeError as error:
        raise SystemExit(f"the shipped weights are of another shape: {error}") from error
    table = model.text_encoder.get_input_embeddings().weight
    told = json.loads(facts.read_text())
    with torch.no_grad():
        table.copy_(table[_shipped_ids(words)].clone())
        if told.get(rare_words.FACT):
            table -= rare_words.made_up_shapes(config, words).to(table.device)
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


def train(config: Config, device: str, minutes: float, start_shipped: bool = False) -> None:
    settings = config.denoiser
    team = Team()
    run = Run(glyphs.RUNS / f"denoiser-{settings.name}")
    with team.leader_first():
        data = training_data(config, device)
        words = build_tokenizer(settings, run.folder / "tokenizer")
    torch.manual_seed(0)
    shapes = Shapes(settings, words)
    model = Denoiser(settings, data.square.values.shape[1], words).to(device)
    if device == "cpu":
        model.attend_by_products()
    optimizer = MuonAdam(model, settings.learning_rate, settings.weight_decay, ("embedding",), team)
    average = Average(model, settings.average_steps)
    step = run.resume(model, optimizer, average)
    if step == 0:
        if start_shipped:
            step = load_shipped(model, settings, words)
        else:
            informed_embeddings(model, settings, words)
        average = Average(model, settings.average_steps)
    signal = build_scheduler().alphas_cumprod.to(device)
    began, first, saved, recent = time.monotonic(), step, time.monotonic(), []
    for latents, picked in _turns(data, settings, step):
        if step >= settings.steps or team.any(time.monotonic() - began > minutes * 60):
            break
        for group in optimizer.param_groups:
            factor = trapezoid(step, settings.steps, settings.cooldown) * warm_up(group["step"], 100)
            group["lr"] = settings.learning_rate * factor
        rng = np.random.default_rng((1, step, team.rank))
        torch.manual_seed(step * team.size + team.rank)
        loss = _loss(model, latents, team.share(picked), shapes, signal, rng, device, settings.emblem_weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        team.average_gradients(model)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update(model)
        step += 1
        recent.append(loss.item())
        if team.rank > 0:
            continue
        if step % 50 == 0:
            rate = (step - first) * settings.batch / (time.monotonic() - began)
            run.log(step=step, loss=round(sum(recent) / len(recent), 4), samples_s=round(rate, 1))
            recent.clear()
        if time.monotonic() - saved > 300:
            saved = time.monotonic()
            run.save_training(model, optimizer, average, step, scaling_factor=data.scaling_factor)
    if team.rank > 0:
        return
    run.save_training(model, optimizer, average, step, scaling_factor=data.scaling_factor)
    final = Denoiser(settings, data.square.values.shape[1], words).to(device)
    final.load_state_dict(average.weights)
    valid = range(settings.valid_pictures)
    square, wide = (
        round(validation_loss(final.eval(), latents, valid, shapes, signal, device), 4)
        for latents in (data.square, data.wide)
    )
    run.log(step=step, loss_valid=square, loss_valid_wide=wide)


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


def _loss(
    model: Denoiser,
    data: Latents,
    rows: list[int],
    shapes: Shapes,
    signal: Tensor,
    rng: np.random.Generator,
    device: str,
    emblem_weight: float = 1.0,
    dropout: float = 0.1,
) -> Tensor:
    """Mean squared error of predicted v on the pictures `rows`, one random time each."""
    captions = [
        scenes.Caption("", {})
        if rng.random() < dropout
        else scenes.varied_caption(data.scenes[row], shapes.named, rng)
        for row in rows
    ]
    tokens = tokens_of(shapes.words, [caption.text for caption in captions])
    told = shapes.told(tokens, [caption.shapes for caption in captions])
    clean = data.values[rows].to(device)
    noise = torch.randn(clean.shape).to(device)
    # Stratified: every batch covers the whole range of times evenly, which makes the gradient less noisy.
    spread = (torch.arange(len(rows)) + torch.rand(len(rows))) / len(rows)
    times = (spread * len(signal)).long().clamp_max(len(signal) - 1).to(device)
    a = signal[times].sqrt()[:, None, None, None]
    s = (1 - signal[times]).sqrt()[:, None, None, None]
    with torch.autocast(device, torch.bfloat16, enabled=has_fast_bfloat16(device)):
        predicted = model(a * clean + s * noise, times, tokens.to(device), told.to(device))
    error = (predicted.float() - (a * noise - s * clean)).square()
    weight = 1 + (emblem_weight - 1) * data.inside[rows].to(device)
    return (weight * error).mean() / weight.mean()


@torch.no_grad()
def validation_loss(
    model: Denoiser, data: Latents, rows: range, shapes: Shapes, signal: Tensor, device: str
) -> float:
    """The loss on pictures never trained on, with plain captions' usual variety and fixed noise."""
    torch.manual_seed(1234)
    rng = np.random.default_rng(1234)
    losses = [
        _loss(model, data, list(rows[i : i + 32]), shapes, signal, rng, device, dropout=0.0).item()
        for i in range(0, len(rows), 32)
    ]
    return sum(losses) / len(losses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", choices=sorted(CONFIGS), default="cpu")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop and save after this long")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--from-shipped", action="store_true", help="without a checkpoint, go on from the shipped base"
    )
    arguments = parser.parse_args()
    train(CONFIGS[arguments.config], arguments.device, arguments.minutes, arguments.from_shipped)


if __name__ == "__main__":
    main()
