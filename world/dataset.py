"""Pictures and captions of the world on disk: rendered once by all cores, then read as a memory map."""

import json
from dataclasses import asdict, dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from sealsmith.stage import SCENE_PX, Placement, Scene, render

from . import glyphs, scenes

CHUNK = 64


@dataclass(frozen=True)
class Rendered:
    """`pictures` uint8 [N, 128, 128, 3] (memory-mapped) and the scene of each."""

    pictures: np.ndarray
    scenes: list[Scene]


def rendered(name: str, count: int, emblems: list[str], seed: int, workers: int = 2) -> Rendered:
    """The first `count` pictures of the stream (`emblems`, `seed`), rendered now where `world/runs/` lacks them."""
    folder = glyphs.RUNS / "data"
    pictures, listing = folder / f"{name}.npy", folder / f"{name}.jsonl"
    if not listing.exists() or sum(1 for _ in listing.open()) != count:
        folder.mkdir(parents=True, exist_ok=True)
        _render(pictures, listing, count, emblems, seed, workers)
    return Rendered(np.load(pictures, mmap_mode="r"), [_parse(line) for line in listing.open()])


def _render(pictures: Path, listing: Path, count: int, emblems: list[str], seed: int, workers: int) -> None:
    out = np.lib.format.open_memmap(pictures, "w+", np.uint8, (count, SCENE_PX, SCENE_PX, 3))
    starts = range(0, count, CHUNK)
    lines: list[str] = []
    with Pool(workers, _init, (emblems, seed)) as pool:
        for start, (batch, text) in zip(starts, pool.imap(_chunk, starts), strict=True):
            keep = min(CHUNK, count - start)
            out[start : start + keep] = batch[:keep]
            lines += text[:keep]
    out.flush()
    listing.write_text("\n".join(lines) + "\n")


_worker: dict = {}


def _init(emblems: list[str], seed: int) -> None:
    _worker.update(
        emblems=emblems, seed=seed, masks={n: m.astype(np.float32) / 255 for n, m in glyphs.masks().items()}
    )


def _chunk(start: int) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng((_worker["seed"], start))
    made = [scenes.sample_scene(rng, _worker["emblems"]) for _ in range(CHUNK)]
    return np.stack([render(s, _worker["masks"]) for s in made]), [json.dumps(asdict(s)) for s in made]


def _parse(line: str) -> Scene:
    raw = json.loads(line)
    places = tuple(Placement(**{**p, "centre_px": tuple(p["centre_px"])}) for p in raw["placements"])
    return Scene(raw["surface"], places, raw["seed"])
