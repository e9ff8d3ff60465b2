"""What the denoiser learns from, as tensors: latents of the pictures, where their emblems are, and captions.

All of it is computed once and kept on disk, and lies on the training's device: a step picks rows and nothing else.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTokenizer

from sealsmith.processes import clean_processes
from sealsmith.stage import SCENE_PX, Scene

from . import autoencoder, dataset, glyphs, scenes, tokenizer
from .configs import Config, DenoiserConfig
from .training import has_fast_bfloat16

SMALL_RADIUS_PX = 36.0
CHUNK = 512
MOST_TOLD = 2
"""Emblems in a picture."""


class Shapes:
    """What is told of emblems that have no name: an addition to a rare token's embedding."""

    def __init__(self, config: DenoiserConfig, words: CLIPTokenizer):
        named = set(glyphs.train_names(config.glyphs))
        names = sorted(set(glyphs.training_names(config.glyphs)) - named)
        self.words, self.width = words, config.text_width
        self.named: frozenset[str] = frozenset(named)
        self.row = {name: i for i, name in enumerate(names)}
        self.codes = config.code_scale * torch.from_numpy(glyphs.shape_codes(names, config.shape_length))
        """[E, shape_length], of the emblem in each row."""

    def to(self, device: str) -> "Shapes":
        self.codes = self.codes.to(device)
        return self

    def places(self, tokens: list[int], shapes: Mapping[str, str]) -> list[tuple[int, int]]:
        """Of one caption, its token ids and its shapes by rare token: where each is told, and its row."""
        return [
            (tokens.index(self.words.convert_tokens_to_ids(f"{token}</w>")), self.row[emblem])
            for token, emblem in shapes.items()
        ]

    def told(self, places: Tensor, length: int = tokenizer.MAX_TOKENS) -> Tensor:
        """[N, length, text_width] of places [N, MOST_TOLD, 2], position and row, negative where none is told."""
        told = torch.zeros(len(places), length, self.width, device=places.device)
        captions = torch.arange(len(places), device=places.device)
        positions, rows = places.long().unbind(-1)
        for position, row in zip(positions.T, rows.T, strict=True):
            code = self.codes[row.clamp_min(0)] * (position >= 0)[:, None]
            told[captions, position.clamp_min(0), : code.shape[1]] += code
        return told


class Captions(NamedTuple):
    """Several captions of each of N pictures, as training says them."""

    tokens: Tensor
    """int16 [N, K, 77]"""
    places: Tensor
    """int16 [N, K, MOST_TOLD, 2]: `Shapes.places`, -1 where there is none."""


class Batch(NamedTuple):
    """What a step sees of B pictures of one size."""

    clean: Tensor
    """[B, C, 16, w]"""
    inside: Tensor
    """[B, 1, 16, w]"""
    tokens: Tensor
    """Ids [B, 77]."""
    told: Tensor
    """[B, 77, text_width]"""


@dataclass(frozen=True)
class Latents:
    """Cached latents of pictures of one size, normalised to unit deviation over the square ones."""

    values: Tensor
    """[N, C, 16, w]"""
    inside: Tensor
    """[N, 1, 16, w]: 1 where an emblem is drawn, 2 where a small one is, else 0."""
    captions: Captions

    def to(self, device: str) -> "Latents":
        captions = Captions(*(each.to(device) for each in self.captions))
        return Latents(self.values.to(device), self.inside.to(device), captions)

    def batch(self, rows: Sequence[int], shapes: Shapes, blank: Tensor, dropout: float) -> Batch:
        """These rows, each with one of its captions, or with none (`blank` [77]) in a share of `dropout`."""
        at = torch.tensor(rows, device=self.values.device)
        which = torch.randint(self.captions.tokens.shape[1], at.shape, device=at.device)
        is_dropped = torch.rand(at.shape, device=at.device) < dropout
        tokens = torch.where(is_dropped[:, None], blank, self.captions.tokens[at, which].long())
        places = self.captions.places[at, which].masked_fill(is_dropped[:, None, None], -1)
        return Batch(self.values[at], self.inside[at], tokens, shapes.told(places))


@dataclass(frozen=True)
class TrainingData:
    """What the denoiser learns from."""

    square: Latents
    wide: Latents
    scaling_factor: float


def training_data(config: Config, shapes: Shapes, folder: Path, device: str) -> TrainingData:
    """The training pictures' latents, kept in `world/runs/data`, and captions, kept in `folder`; on the device."""
    name, settings = config.autoencoder.name, config.denoiser
    shown = shown_in(settings)
    names = {"square": f"{name}-{settings.pictures}", "wide": f"{name}-wide-{settings.wide_pictures}"}
    normal = {kind: encoded(data, names[kind], config, device) for kind, data in shown.items()}
    factor = 1 / normal["square"][:2000].std().item()
    both = {}
    for kind, data in shown.items():
        values = normal[kind] * factor
        inside = torch.stack([inside_of(scene, values.shape[-2]) for scene in data.scenes])
        captions = captions_of(data.scenes, shapes, folder / f"captions-{kind}.safetensors", settings)
        both[kind] = Latents(values, inside, captions).to(device)
    return TrainingData(both["square"], both["wide"], factor)


def shown_in(settings: DenoiserConfig) -> dict[str, dataset.Rendered]:
    """The pictures of both sizes."""
    return {"square": dataset.of_denoiser(settings), "wide": dataset.wide_of_denoiser(settings)}


@torch.no_grad()
def encoded(data: dataset.Rendered, name: str, config: Config, device: str) -> Tensor:
    """Latents as the autoencoder has them, kept under that name."""
    file = glyphs.RUNS / "data" / f"latents-{name}.safetensors"
    if not file.exists():
        model = autoencoder.trained(config.autoencoder).to(device)
        size = 32 if device == "cpu" else 512
        parts = []
        for start in range(0, len(data.pictures), size):
            pictures = autoencoder.to_tensor(data.pictures[start : start + size], device)
            with torch.autocast(device, torch.bfloat16, enabled=has_fast_bfloat16(device)):
                found = model.encode(pictures).latent_dist.mode()
            parts.append(found.float().cpu().contiguous())
        save_file({"latents": torch.cat(parts)}, file.with_suffix(".tmp"))
        file.with_suffix(".tmp").replace(file)
    return load_file(file)["latents"]


def inside_of(scene: Scene, size: int) -> Tensor:
    """[1, size, w]: how much the inner three quarters of each mark count, where its emblem is; 0 elsewhere."""
    step = SCENE_PX / size
    x, y = (torch.arange(px / step) + 0.5 for px in (scene.width_px, SCENE_PX))
    weight = torch.zeros(len(y), len(x))
    for place in scene.placements:
        dx, dy = step * x[None] - place.centre_px[0], step * y[:, None] - place.centre_px[1]
        is_inside = dx.square() + dy.square() < (0.75 * place.radius_px) ** 2
        weight[is_inside] = 1.0 if place.radius_px > SMALL_RADIUS_PX else 2.0
    return weight[None]


def captions_of(shown: Sequence[Scene], shapes: Shapes, file: Path, config: DenoiserConfig) -> Captions:
    """`config.captions_each` captions of each scene, kept in `file`: a step has no time for words."""
    each = config.captions_each
    if not file.exists() or len(load_file(file)["tokens"]) != each * len(shown):
        tasks = [(start, shown[start : start + CHUNK], each) for start in range(0, len(shown), CHUNK)]
        with clean_processes([__name__]).Pool(config.workers, _init, (shapes,)) as pool:
            said = [np.concatenate(parts) for parts in zip(*pool.imap(_say, tasks), strict=True)]
        file.parent.mkdir(parents=True, exist_ok=True)
        kept = {"tokens": torch.from_numpy(said[0]), "places": torch.from_numpy(said[1])}
        save_file(kept, file.with_suffix(".tmp"))
        file.with_suffix(".tmp").replace(file)
    kept = load_file(file)
    return Captions(*(kept[name].unflatten(0, (-1, each)) for name in ("tokens", "places")))


_worker: dict[str, Shapes] = {}


def _init(shapes: Shapes) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    _worker["shapes"] = shapes


def _say(task: tuple[int, Sequence[Scene], int]) -> tuple[np.ndarray, np.ndarray]:
    """Tokens int16 [M * K, 77] and places int16 [M * K, MOST_TOLD, 2] of K captions each of M scenes."""
    start, shown, each = task
    shapes, rng = _worker["shapes"], np.random.default_rng((6, start))
    captions = [scenes.varied_caption(scene, shapes.named, rng) for scene in shown for _ in range(each)]
    tokens = tokens_of(shapes.words, [caption.text for caption in captions]).numpy()
    places = np.full((len(captions), MOST_TOLD, 2), -1, np.int16)
    for row, caption, ids in zip(places, captions, tokens, strict=True):
        for told, place in zip(row, shapes.places(ids.tolist(), caption.shapes), strict=False):
            told[:] = place
    return tokens.astype(np.int16), places


def tokens_of(words: CLIPTokenizer, captions: list[str]) -> Tensor:
    """Token ids [N, 77], padded and cut as the pipeline does."""
    return words(
        captions, padding="max_length", max_length=tokenizer.MAX_TOKENS, truncation=True, return_tensors="pt"
    ).input_ids
