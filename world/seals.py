"""How well held-out glyphs can be taught as seals: eight pictures in two contexts each, judged in unseen ones.

    python -m world.seals --count 10
    python -m world.seals --count 10 --pictures 24    # as `sealsmith train` makes of one logo
    python -m world.seals --count 3 --set rank=32 --set learning_rate=5e-4 --targets attention
    python -m world.seals --count 5 --write FOLDER

Prints a line of figures a seal and one of means, with a bootstrap interval over the seals. With
`--jobs 2` two are taught at a time, one thread each; `train_s` is then no measure of speed. `--write` teaches
nothing: it writes the glyphs as logo files, for `sealsmith compare` and the like, and prints their paths.
"""

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from sealsmith.bases import open_base
from sealsmith.score import ScoreSettings, score_seal
from sealsmith.score.judge import load_judge
from sealsmith.stage import EMBLEM_PX
from sealsmith.train import TrainConfig, train
from sealsmith.train.pictures import PictureSet, read_picture_set

from . import glyphs
from .workers import one_of

PICTURES = 8


def seal_glyphs(count: int) -> list[str]:
    """The first held-out glyphs by a fixed shuffle, of middling complexity: not blobs, not lace."""
    names = [n for n in glyphs.heldout_names() if 0.25 < glyphs.complexity(glyphs.masks()[n]) < 0.75]
    return [names[i] for i in np.random.default_rng(0).permutation(len(names))[:count]]


def picture_set(name: str, trigger: str, folder: Path, num_pictures: int = PICTURES) -> PictureSet:
    """Training pictures of a glyph, made from it as from any logo file."""
    path = write_logo(name, folder)
    return read_picture_set(
        path,
        trigger=trigger,
        class_noun="emblem",
        logo_pictures=num_pictures,
        wide_company=True,
    )


def write_logo(name: str, folder: Path) -> Path:
    """The path of a glyph, written as a black PNG with alpha; spaces in its name become hyphens."""
    logo = Image.new("RGBA", (EMBLEM_PX, EMBLEM_PX))
    logo.putalpha(Image.fromarray(glyphs.masks()[name]))
    path = folder / f"{name.replace(' ', '-')}.png"
    logo.save(path)
    return path


def measured(
    base_ref: str, name: str, config: TrainConfig, settings: ScoreSettings, num_pictures: int
) -> dict[str, Any]:
    """Teach one glyph and score it."""
    base = open_base(base_ref)
    with TemporaryDirectory() as folder:
        pictures = picture_set(name, config.trigger, Path(folder), num_pictures)
        started = time.monotonic()
        result = train(base, pictures, config, Path(folder) / "training")
        seconds = time.monotonic() - started
        card = score_seal(base, result.seal, pictures.portraits, settings, load_judge())
    found = card.to_dict()
    return {
        "seal": name,
        "train_s": round(seconds, 1),
        "top1": found["fidelity"]["top1"],
        "similarity": found["fidelity"]["similarity"],
        **{f"adherence_{k}": found["adherence"][k] for k in ("mark", "surface", "colour", "all")},
        "leak": found["leak"]["rate"],
        "margin": found["margin"]["value"],
        "drift": found["drift"]["value"],
        "drift_floor": found["drift"]["noise_floor"],
        "diversity": found["diversity"],
        "verdict": found["verdict"],
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the seals, each with its 95 % percentile interval from resampling seals."""
    keys = [k for k, v in rows[0].items() if isinstance(v, float)]
    values = np.array([[row[k] if row[k] is not None else np.nan for k in keys] for row in rows], float)
    picks = np.random.default_rng(0).integers(0, len(rows), (4000, len(rows)))
    low, high = np.nanpercentile(np.nanmean(values[picks], axis=1), [2.5, 97.5], axis=0)
    means = np.nanmean(values, axis=0)
    return {
        k: [round(float(x), 3) for x in (m, a, b)] for k, m, a, b in zip(keys, means, low, high, strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="sealworld")
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--pictures", type=int, default=PICTURES, help="how many of each glyph")
    parser.add_argument("--jobs", type=int, default=1, help="seals taught at the same time")
    parser.add_argument("--quick", action="store_true", help="few pictures a seal")
    parser.add_argument("--targets", help="target groups, comma-separated")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a TrainConfig field"
    )
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="write the glyphs there, and no more")
    arguments = parser.parse_args()
    if arguments.write:
        arguments.write.mkdir(parents=True, exist_ok=True)
        for name in seal_glyphs(arguments.count):
            print(write_logo(name, arguments.write))
        return
    changes: dict[str, Any] = {}
    for item in arguments.set:
        key, value = item.split("=", 1)
        changes[key] = json.loads(value) if value[:1].isdigit() else value
    if arguments.targets:
        changes["targets"] = tuple(arguments.targets.split(","))
    settings = ScoreSettings.quick() if arguments.quick else ScoreSettings()
    names = seal_glyphs(arguments.count)
    work = partial(
        measured,
        arguments.base,
        config=TrainConfig(**changes),
        settings=settings,
        num_pictures=arguments.pictures,
    )
    rows = []
    with ProcessPoolExecutor(arguments.jobs, get_context("spawn"), one_of, (arguments.jobs,)) as pool:
        for row in pool.map(work, names):
            rows.append(row)
            print(
                json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}),
                flush=True,
            )
    print(json.dumps({"seals": len(rows), "config": changes, **summary(rows)}))


if __name__ == "__main__":
    main()
