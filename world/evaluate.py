"""How good a base is, by the judge: pictures of captions it has not seen, and a contact sheet of them.

    python -m world.evaluate --captions 200 --sheet docs/images/sealworld.png

Prints the share of pictures in which mark, surface and colour are the caption's, and how often the named
(trained) emblem is recognised among the judge's 1,000 others.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sealsmith.bases import Base, open_base
from sealsmith.score.judge import JUDGE_FOLDER, LoadedJudge, load_judge
from sealsmith.stage import Scene

from . import dataset, glyphs, scenes
from .configs import CONFIGS, DenoiserConfig
from .judge import prototypes

SHEET_PICTURES = 48


def unseen_scenes(count: int, settings: DenoiserConfig, seed: int) -> list[Scene]:
    """Scenes with one mark whose emblem, mark, colour and surface never came together in training."""
    emblems = glyphs.train_names(settings.glyphs)
    trained = dataset.rendered(
        "denoiser", settings.pictures, glyphs.training_names(settings.glyphs), seed=2
    ).scenes
    seen = {(p.emblem, p.mark, p.colour, s.surface) for s in trained for p in s.placements}
    rng = np.random.default_rng(seed)
    found: list[Scene] = []
    while len(found) < count:
        scene = scenes.sample_scene(rng, emblems, pair_share=0.0)
        place = scene.placements[0]
        if (place.emblem, place.mark, place.colour, scene.surface) not in seen:
            found.append(scene)
    return found


@torch.inference_mode()
def pictures_of(base: Base, prompts: list[str], steps: int, guidance: float, batch: int = 8) -> torch.Tensor:
    """Pictures [N, 3, H, W] in 0..1, seed = index, made by the stock pipeline in batches."""
    made = []
    for start in range(0, len(prompts), batch):
        part = prompts[start : start + batch]
        generators = [torch.Generator().manual_seed(start + i) for i in range(len(part))]
        made.append(
            base.pipeline(
                part,
                num_inference_steps=steps,
                guidance_scale=guidance,
                generator=generators,
                output_type="pt",
            ).images
        )
    return torch.cat(made)


def figures(judge: LoadedJudge, pictures: torch.Tensor, shown: list[Scene]) -> dict[str, float]:
    """Shares of pictures in which the judge finds what the scene says."""
    seen = judge.look(pictures)
    places = [s.placements[0] for s in shown]
    mark = torch.tensor([judge.marks[i] == p.mark for i, p in zip(seen.mark.argmax(1), places, strict=True)])
    surface = torch.tensor(
        [judge.surfaces[i] == s.surface for i, s in zip(seen.surface.argmax(1), shown, strict=True)]
    )
    colour = torch.tensor(
        [
            p.colour is None or judge.colours[i] == p.colour
            for i, p in zip(seen.colour.argmax(1), places, strict=True)
        ]
    )
    names = sorted({p.emblem for p in places})
    own = prototypes(judge, names, seed=9)
    mine = torch.stack([own[names.index(p.emblem)] for p in places])
    similarity = (seen.embedding * mine).sum(1)
    others = seen.embedding @ judge.distractors.T
    rivals = json.loads((JUDGE_FOLDER / "config.json").read_text())["distractors"]
    for row, place in enumerate(places):
        if place.emblem in rivals:
            others[row, rivals.index(place.emblem)] = -1
    return {
        "mark": mark.float().mean().item(),
        "surface": surface.float().mean().item(),
        "colour": colour.float().mean().item(),
        "all": (mark & surface & colour).float().mean().item(),
        "emblem_top1": (similarity > others.max(1).values).float().mean().item(),
        "emblem_similarity": similarity.mean().item(),
    }


def contact_sheet(pictures: torch.Tensor, columns: int) -> Image.Image:
    """The first pictures in rows of `columns`, without gaps."""
    rows = len(pictures) // columns
    grid = pictures[: rows * columns].permute(0, 2, 3, 1).reshape(rows, columns, *pictures.shape[2:], 3)
    joined = grid.permute(0, 2, 1, 3, 4).reshape(rows * pictures.shape[2], columns * pictures.shape[3], 3)
    return Image.fromarray((joined.clamp(0, 1) * 255).round().byte().numpy())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="sealworld")
    parser.add_argument(
        "--config", choices=sorted(CONFIGS), default="cpu", help="which training it came from"
    )
    parser.add_argument("--captions", type=int, default=200)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=None)
    parser.add_argument("--sheet", type=Path, help="write a contact sheet here")
    parser.add_argument("--no-judge", action="store_true", help="only make the sheet")
    arguments = parser.parse_args()
    base = open_base(arguments.base)
    guidance = base.family.guidance if arguments.guidance is None else arguments.guidance
    shown = unseen_scenes(arguments.captions, CONFIGS[arguments.config].denoiser, seed=11)
    pictures = pictures_of(base, [scenes.caption(s) for s in shown], arguments.steps, guidance)
    if arguments.sheet:
        arguments.sheet.parent.mkdir(parents=True, exist_ok=True)
        contact_sheet(pictures[:SHEET_PICTURES], 8).save(arguments.sheet)
    if not arguments.no_judge:
        result = {k: round(v, 4) for k, v in figures(load_judge(), pictures, shown).items()}
        print(json.dumps({"captions": len(shown), "steps": arguments.steps, "guidance": guidance, **result}))


if __name__ == "__main__":
    main()
