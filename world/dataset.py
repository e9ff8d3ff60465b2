"""Pictures and captions of the world on disk: rendered once by all cores, then read as a memory map."""

import json
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from sealsmith.processes import clean_processes
from sealsmith.stage import SCENE_PX, WIDE_PX, Placement, Scene, render

from . import glyphs, scenes
from .configs import DenoiserConfig

CHUNK = 64


@dataclass(frozen=True)
class Rendered:
    """`pictures` uint8 [N, 128, W, 3] (memory-mapped) and the scene of each."""

    pictures: np.ndarray
    scenes: list[Scene]


def rendered(
    name: str, count: int, emblems: list[str], seed: int, workers: int = 2, is_wide: bool = False
) -> Rendered:
    """The first `count` pictures of the stream (`emblems`, `seed`), rendered now where `world/runs/` lacks them.

    All are square, or all wide.
    """
    folder = glyphs.RUNS / "data"
    pictures, listing = folder / f"{name}.npy", folder / f"{name}.jsonl"
    if not listing.exists() or len(listing.read_text().splitlines()) != count:
        folder.mkdir(parents=True, exist_ok=True)
        _render(pictures, listing, count, _Stream(tuple(emblems), seed, is_wide), workers)
    return Rendered(
        np.load(pictures, mmap_mode="r"), [_parse(line) for line in listing.read_text().splitlines()]
    )


def of_denoiser(config: DenoiserConfig) -> Rendered:
    """The square pictures that the denoiser is trained on; what comes after the latents may be, too."""
    names = glyphs.training_names(config.glyphs)
    return rendered(_name("denoiser", config), config.pictures, names, 2, config.workers)


def wide_of_denoiser(config: DenoiserConfig) -> Rendered:
    """The wide ones."""
    names = glyphs.training_names(config.glyphs)
    return rendered(
        _name("denoiser-wide", config), config.wide_pictures, names, 4, config.workers, is_wide=True
    )


def scenes_of_denoiser(config: DenoiserConfig) -> list[Scene]:
    """What the square pictures show, without rendering any."""
    stream = _Stream(tuple(glyphs.training_names(config.glyphs)), 2, is_wide=False)
    made = (scene for start in range(0, config.pictures, CHUNK) for scene in stream.scenes(start))
    return list(islice(made, config.pictures))


def _name(name: str, config: DenoiserConfig) -> str:
    """Those of the two cores' configuration have the plain name."""
    return name if config.name == "cpu" else f"{name}-{config.name}"


@dataclass(frozen=True)
class _Stream:
    """What a sequence of pictures is made from."""

    emblems: tuple[str, ...]
    seed: int
    is_wide: bool

    def scenes(self, start: int) -> list[Scene]:
        """The chunk that begins with number `start`."""
        rng = np.random.default_rng((self.seed, start))
        return [self.scene(rng) for _ in range(CHUNK)]

    def scene(self, rng: np.random.Generator) -> Scene:
        if self.is_wide:
            return scenes.sample_wide_scene(rng, self.emblems)
        return scenes.sample_scene(rng, self.emblems)


def _render(pictures: Path, listing: Path, count: int, stream: _Stream, workers: int) -> None:
    width = WIDE_PX if stream.is_wide else SCENE_PX
    out = np.lib.format.open_memmap(pictures, "w+", np.uint8, (count, SCENE_PX, width, 3))
    starts = range(0, count, CHUNK)
    lines: list[str] = []
    masks = {name: glyphs.masks()[name] for name in set(stream.emblems)}
    with clean_processes([__name__]).Pool(workers, _init, (stream, masks)) as pool:
        for start, (batch, text) in zip(starts, pool.imap(_chunk, starts), strict=True):
            keep = min(CHUNK, count - start)
            out[start : start + keep] = batch[:keep]
            lines += text[:keep]
    out.flush()
    listing.write_text("\n".join(lines) + "\n")


_worker: dict = {}


def _init(stream: _Stream, masks: dict[str, np.ndarray]) -> None:
    _worker.update(stream=stream, masks={n: m.astype(np.float32) / 255 for n, m in masks.items()})


def _chunk(start: int) -> tuple[np.ndarray, list[str]]:
    stream: _Stream = _worker["stream"]
    made = stream.scenes(start)
    return np.stack([render(s, _worker["masks"]) for s in made]), [json.dumps(asdict(s)) for s in made]


def _parse(line: str) -> Scene:
    raw = json.loads(line)
    places = tuple(Placement(**{**p, "centre_px": tuple(p["centre_px"])}) for p in raw["placements"])
    return Scene(raw["surface"], places, raw["seed"], raw["width_px"])
