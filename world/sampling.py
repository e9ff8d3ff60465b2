"""How few steps a picture needs: samplers and numbers of steps on captions that were not trained on.

    python -m world.sampling --captions 64 --plot docs/images/sampling.png

Prints for each sampler and number of steps how often the named emblem is recognised, how near the judge finds it,
how often mark, surface and colour are right, and what a picture costs; draws emblem and adherence against steps.
"""

import argparse
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from sealsmith.bases import Base, open_base
from sealsmith.bases.samplers import fresh_scheduler
from sealsmith.score.judge import LoadedJudge, load_judge
from sealsmith.stage import Scene

from . import scenes
from .configs import CONFIGS
from .evaluate import figures, pictures_of, unseen_scenes

SAMPLERS = ("ddim", "euler", "euler-a", "dpm++-2m", "unipc")
STEPS = (4, 6, 8, 12, 16, 20, 30)


@dataclass(frozen=True)
class Point:
    """What one sampler reaches in one number of steps. Shares are of pictures."""

    sampler: str
    steps: int
    emblem: float
    similarity: float
    adherence: float
    """Mark, surface and colour all right."""
    cpu_s: float
    """Of one picture, on one thread."""


def measured(base: Base, judge: LoadedJudge, shown: Sequence[Scene], sampler: str, steps: int) -> Point:
    """One point: each scene's plain caption once, seed = index."""
    own = base.pipeline.scheduler
    base.pipeline.scheduler = fresh_scheduler(base, sampler)
    began = time.process_time()
    try:
        pictures = pictures_of(base.pipeline, [scenes.caption(s) for s in shown], steps, base.family.guidance)
    finally:
        base.pipeline.scheduler = own
    cpu_s = (time.process_time() - began) / len(shown)
    seen = figures(judge, pictures, list(shown))
    return Point(sampler, steps, seen["emblem_top1"], seen["emblem_similarity"], seen["all"], cpu_s)


def table(points: Sequence[Point]) -> str:
    """The points in Markdown."""
    lines = [
        "| sampler | steps | emblem told | similarity | mark, surface and colour | CPU seconds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {p.sampler} | {p.steps} | {p.emblem:.0%} | {p.similarity:.2f} | {p.adherence:.0%} | {p.cpu_s:.2f} |"
        for p in points
    ]
    return "\n".join(lines)


def plot(points: Sequence[Point], path: Path) -> None:
    """Emblem and adherence against steps, one line a sampler."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True)
    for sampler in dict.fromkeys(p.sampler for p in points):
        own = [p for p in points if p.sampler == sampler]
        left.plot([p.steps for p in own], [p.similarity for p in own], marker="o", label=sampler)
        right.plot([p.steps for p in own], [p.adherence for p in own], marker="o", label=sampler)
    left.set(title="likeness of the named emblem", xlabel="steps", ylabel="similarity")
    right.set(title="mark, surface and colour right", xlabel="steps", ylabel="share of pictures", ylim=(0, 1))
    right.legend()
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="sealworld")
    parser.add_argument("--captions", type=int, default=64)
    parser.add_argument("--samplers", default=",".join(SAMPLERS))
    parser.add_argument("--steps", default=",".join(map(str, STEPS)))
    parser.add_argument("--plot", type=Path, help="a .png")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    base, judge = open_base(arguments.base), load_judge()
    shown = unseen_scenes(arguments.captions, CONFIGS["cpu"].denoiser, seed=11)
    points = []
    for sampler, steps in itertools.product(
        arguments.samplers.split(","), map(int, arguments.steps.split(","))
    ):
        points.append(measured(base, judge, shown, sampler, steps))
        print(points[-1], flush=True)
    print(table(points))
    if arguments.plot:
        arguments.plot.parent.mkdir(parents=True, exist_ok=True)
        plot(points, arguments.plot)


if __name__ == "__main__":
    main()
