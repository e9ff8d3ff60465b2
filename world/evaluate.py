"""How good a base is, by the judge: pictures of captions it has not seen, and a contact sheet of them.

    python -m world.evaluate --captions 200 --pairs 32 --sheet docs/images/sealworld.png

Prints the share of pictures in which mark, surface and colour are the caption's, and how often the named
(trained) emblem is recognised among the judge's 1,000 others; and the same of two emblems in one picture, square
and wide.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from sealsmith.bases import open_base
from sealsmith.score.judge import JUDGE_FOLDER, LoadedJudge, load_judge
from sealsmith.score.pairs import cut_halves
from sealsmith.stage import SCENE_PX, WIDE_PX, Scene

from . import dataset, glyphs, scenes
from .configs import CONFIGS, DenoiserConfig
from .judge_accuracy import prototypes

SHEET_PICTURES = 48


def unseen_scenes(count: int, settings: DenoiserConfig, seed: int) -> list[Scene]:
    """Scenes with one mark whose emblem, mark, colour and surface never came together in training."""
    emblems = glyphs.train_names(settings.glyphs)
    trained = dataset.scenes_of_denoiser(settings)
    seen = {(p.emblem, p.mark, p.colour, s.surface) for s in trained for p in s.placements}
    rng = np.random.default_rng(seed)
    found: list[Scene] = []
    while len(found) < count:
        scene = scenes.sample_scene(rng, emblems, pair_share=0.0)
        place = scene.placements[0]
        if (place.emblem, place.mark, place.colour, scene.surface) not in seen:
            found.append(scene)
    return found


def pair_scenes(count: int, settings: DenoiserConfig, seed: int, is_wide: bool) -> list[Scene]:
    """Scenes with two marks and named emblems, small in a square or large in a wide picture."""
    emblems, rng = glyphs.train_names(settings.glyphs), np.random.default_rng(seed)
    if is_wide:
        return [scenes.sample_wide_scene(rng, emblems) for _ in range(count)]
    return [scenes.sample_scene(rng, emblems, pair_share=1.0) for _ in range(count)]


@torch.inference_mode()
def pictures_of(
    pipeline: Any, prompts: list[str], steps: int, guidance: float, width_px: int = SCENE_PX, batch: int = 8
) -> torch.Tensor:
    """Pictures [N, 3, H, W] in 0..1, seed = index, made by the stock pipeline in batches."""
    made = []
    for start in range(0, len(prompts), batch):
        part = prompts[start : start + batch]
        generators = [torch.Generator().manual_seed(start + i) for i in range(len(part))]
        made.append(
            pipeline(
                part,
                width=width_px,
                height=SCENE_PX,
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
    is_told, similarity = told_emblems(judge, seen.embedding, [place.emblem for place in places])
    return {
        "mark": mark.float().mean().item(),
        "surface": surface.float().mean().item(),
        "colour": colour.float().mean().item(),
        "all": (mark & surface & colour).float().mean().item(),
        "emblem_top1": is_told.float().mean().item(),
        "emblem_similarity": similarity.mean().item(),
    }


def told_emblems(
    judge: LoadedJudge, embeddings: torch.Tensor, wanted: list[str]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of embeddings [N, D], whether each is nearest to its wanted glyph [N], and the similarity to that [N]."""
    names = sorted(set(wanted))
    own = prototypes(judge, names, seed=9)
    similarity = (embeddings * own[[names.index(name) for name in wanted]]).sum(1)
    others = embeddings @ judge.distractors.T
    rivals = json.loads((JUDGE_FOLDER / "config.json").read_text())["distractors"]
    for row, name in enumerate(wanted):
        if name in rivals:
            others[row, rivals.index(name)] = -1
    return similarity > others.max(1).values, similarity


def pair_figures(judge: LoadedJudge, pictures: torch.Tensor, shown: list[Scene]) -> dict[str, float]:
    """Shares of emblems that are told in their half of a picture of two, and of pictures in which both are."""
    seen = judge.look(cut_halves(pictures).flatten(0, 1))
    is_told, _ = told_emblems(judge, seen.embedding, [p.emblem for scene in shown for p in scene.placements])
    told = is_told.float().view(-1, 2)
    return {"each": told.mean().item(), "both": told.prod(1).mean().item()}


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
    parser.add_argument("--pairs", type=int, default=0, help="pictures of two emblems, of each size")
    parser.add_argument("--steps", type=int, help="of each picture; the base decides")
    parser.add_argument("--guidance", type=float, default=None)
    parser.add_argument("--sheet", type=Path, help="write a contact sheet here")
    parser.add_argument("--no-judge", action="store_true", help="only make the sheet")
    arguments = parser.parse_args()
    base = open_base(arguments.base)
    guidance = base.family.guidance if arguments.guidance is None else arguments.guidance
    steps: int = arguments.steps or base.family.num_steps
    shown = unseen_scenes(arguments.captions, CONFIGS[arguments.config].denoiser, seed=11)
    pictures = pictures_of(base.pipeline, [scenes.caption(s) for s in shown], steps, guidance)
    if arguments.sheet:
        arguments.sheet.parent.mkdir(parents=True, exist_ok=True)
        contact_sheet(pictures[:SHEET_PICTURES], 8).save(arguments.sheet)
    if arguments.no_judge:
        return
    judge = load_judge()
    result = _rounded(figures(judge, pictures, shown))
    print(json.dumps({"captions": len(shown), "steps": steps, "guidance": guidance, **result}))
    for width_px in (SCENE_PX, WIDE_PX) if arguments.pairs else ():
        settings = CONFIGS[arguments.config].denoiser
        pairs = pair_scenes(arguments.pairs, settings, 12, is_wide=width_px == WIDE_PX)
        captions = [scenes.caption(scene) for scene in pairs]
        pictures = pictures_of(base.pipeline, captions, steps, guidance, width_px)
        found = _rounded(pair_figures(judge, pictures, pairs))
        print(json.dumps({"pairs": len(pairs), "width_px": width_px, **found}))


def _rounded(shares: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in shares.items()}


if __name__ == "__main__":
    main()
