"""Training of the judge (`sealsmith.score.judge`) on renders of the world, held-out marks and surfaces included.

    python -m world.judge --config cpu [--from-shipped]

Two halves learn side by side. From renders: where the emblem is, pixel by pixel, and which mark, surface and
colour. From silhouettes alone, shifted, turned, blurred and worn: to put two views of one glyph nearer together
than views of others (InfoNCE, van den Oord et al. 2018, arXiv:1807.03748); what the first half found in a render
is one more view. Half of the renders went through the base's autoencoder, which blurs what it shows, and some are
a window on one of two marks (`score/pairs.py`). Held-out glyphs are never shown.
"""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import DataLoader, Subset, default_collate

from sealsmith.processes import clean_processes
from sealsmith.score.judge import JUDGE_FOLDER, Judge, JudgeOutput, LoadedJudge, load_judge

from . import autoencoder, glyphs
from .configs import CONFIGS, Config
from .judge_accuracy import accuracy, prototypes
from .optimisers import MuonAdam
from .renders import (
    COLOUR_NAMES,
    MARK_NAMES,
    SURFACE_NAMES,
    Render,
    Renders,
    decoded,
    drawn,
    stacked,
    worn,
)
from .training import Average, Pace, Run, Start, check_shapes, has_fast_bfloat16, warm_up

NUM_DISTRACTORS = 1000
SMALL_SHARE, WIDE_SHARE = 0.2, 0.2
DECODED_SHARE = 0.5


def train_glyphs() -> list[str]:
    """Every glyph that is not held out, letters included."""
    return [name for name in glyphs.masks() if not glyphs.is_heldout(name)]


def contrast(views: Tensor, others: Tensor, glyph: Tensor, other_glyph: Tensor) -> Tensor:
    """InfoNCE: row i of `views` [N, D] belongs to row i of `others` [M, D], M >= N, and to no other row.

    `glyph` [N] and `other_glyph` [M] say what each row shows; further rows of the same glyph don't count.
    """
    with torch.autocast(
        views.device.type, enabled=False
    ):  # at this temperature bfloat16's steps are a twentieth
        similarity = views.float() @ others.float().T / TEMPERATURE
    same = glyph[:, None] == other_glyph[None]
    own = torch.arange(len(glyph), device=glyph.device)
    same[own, own] = False
    return F.cross_entropy(similarity.masked_fill(same, -torch.inf), own)


def losses(
    judge: Judge, seen: JudgeOutput, labels: Tensor, silhouettes: Tensor, masks: Tensor, rng: torch.Generator
) -> dict[str, Tensor]:
    """The losses of a batch of N renders (labels [N, 4]: glyph, mark, surface, colour; silhouettes [N, 1, 64, 64])
    beside two drawings each of its glyphs and of 3 N others of `masks` [G, 1, 64, 64]."""
    glyph, mark, surface, colour = labels.unbind(1)
    everything = torch.cat(
        [glyph, torch.randint(len(masks), (3 * len(glyph),), generator=rng, device=rng.device)]
    )
    first, second = (judge.embed(drawn(masks[everything], rng)) for _ in range(2))
    rendered = judge.embed(seen.silhouette.detach().sigmoid())
    return {
        "silhouette": F.binary_cross_entropy_with_logits(seen.silhouette, silhouettes),
        "drawn": contrast(first, second, everything, everything),
        "glyph": contrast(rendered, first, glyph, everything),
        "mark": F.cross_entropy(seen.mark, mark),
        "surface": F.cross_entropy(seen.surface, surface),
        "colour": F.cross_entropy(seen.colour, colour),
    }


TEMPERATURE = 0.08
WEIGHTS = {"silhouette": 3.0, "drawn": 1.0, "glyph": 1.0, "mark": 0.5, "surface": 0.5, "colour": 0.5}


def train(settings: Config, minutes: float, start: Start = "fresh", device: str = "cpu") -> None:
    config, names = settings.judge, train_glyphs()
    run = Run(glyphs.RUNS / f"judge-{config.name}")
    torch.manual_seed(0)
    judge = Judge(len(MARK_NAMES), len(SURFACE_NAMES), len(COLOUR_NAMES), config.width, config.size)
    judge.to(device)
    optimizer = MuonAdam(judge, config.learning_rate, weight_decay=0.02)
    average = Average(judge, 150)
    pace = Pace(config.steps, 0.5, config.minutes, config.patience)
    step = run.resume(judge, optimizer, average, pace)
    if step == 0 and start != "fresh":
        behind = _begin(judge, run, start)
        step = behind if math.isinf(config.minutes) else 0
        average.restore(judge.state_dict(), 0)
    lesson = Lesson(judge, autoencoder.trained(settings.autoencoder).to(device), stacked(names, device))
    held = glyphs.heldout_names()[: config.valid_glyphs]
    renders = Renders(held, 4 * len(held), 9, SMALL_SHARE, WIDE_SHARE)
    unseen = default_collate([renders[i] for i in range(len(renders))])
    data = Renders(names, config.steps * config.batch, seed=3, small_share=SMALL_SHARE, wide_share=WIDE_SHARE)
    rest = Subset(data, range(step * config.batch, len(data)))
    by_others: dict[str, Any] = {"prefetch_factor": 4, "multiprocessing_context": clean_processes([__name__])}
    loader = DataLoader(rest, config.batch, num_workers=config.workers, **by_others if config.workers else {})
    pace.begin(pace.state())
    began, first, saved = time.monotonic(), step, time.monotonic()
    for batch in loader:
        if pace.share(step) >= 1 or time.monotonic() - began > minutes * 60:
            break
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * pace.factor(step) * warm_up(group["step"], 100)
        parts = lesson.losses(batch, torch.Generator(device).manual_seed(step))
        loss = total(parts)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        average.update(judge)
        step += 1
        if step % 50 == 0:
            rate = (step - first) * config.batch / (time.monotonic() - began)
            run.log(step=step, pictures_s=round(rate, 1), **{k: round(v.item(), 3) for k, v in parts.items()})
        if step % config.valid_every == 0 and step < config.steps:
            _look(settings, average, lesson, (unseen, stacked(held, device)), run, pace, step)
        if step % config.valid_every == 0 or time.monotonic() - saved > 300:
            saved = time.monotonic()
            run.save_training(judge, optimizer, average, step, pace=pace.state())
    _look(settings, average, lesson, (unseen, stacked(held, device)), run, pace, step)
    run.save_training(judge, optimizer, average, step, pace=pace.state())


@dataclass(frozen=True)
class Lesson:
    """What a step of the judge needs beside renders; all of it lies on one device."""

    judge: Judge
    vae: AutoencoderKL
    masks: Tensor
    """[G, 1, 64, 64]: what the labels' glyphs look like."""

    def losses(self, batch: Render, chance: torch.Generator) -> dict[str, Tensor]:
        """Those of a batch, worn and partly decoded by `chance`, which lies on the device."""
        device = chance.device
        picture, labels, silhouette = (each.to(device, non_blocking=True) for each in batch[:3])
        batch = Render(picture, labels, silhouette, batch.window)
        with torch.autocast(device.type, torch.bfloat16, enabled=has_fast_bfloat16(device.type)):
            pictures = batch.shown(decoded(batch.picture.float() / 255, self.vae, DECODED_SHARE, chance))
            seen = self.judge(worn(pictures, chance))
            silhouettes = batch.silhouette[:, None].float() / 255
            return losses(self.judge, seen, batch.labels, silhouettes, self.masks, chance)


def total(parts: dict[str, Tensor]) -> Tensor:
    return torch.stack([WEIGHTS[name] * loss.float() for name, loss in parts.items()]).sum()


@torch.no_grad()
def _look(
    settings: Config,
    average: Average,
    lesson: Lesson,
    unseen: tuple[Render, Tensor],
    run: Run,
    pace: Pace,
    step: int,
) -> None:
    """Log the loss on renders of glyphs never trained on, and let the pace heed it."""
    config, device = settings.judge, lesson.masks.device
    held = Judge(len(MARK_NAMES), len(SURFACE_NAMES), len(COLOUR_NAMES), config.width, config.size)
    held.load_state_dict(average.weights)
    batch, masks = unseen
    looking = replace(lesson, judge=held.to(device).eval(), masks=masks)
    figure = total(looking.losses(batch, torch.Generator(device).manual_seed(0))).item()
    pace.heed(figure, step)
    run.log(step=step, loss_valid=round(figure, 4), done=round(pace.share(step), 3))


def _begin(judge: Judge, run: Run, start: Start) -> int:
    """The shipped weights where they are wanted and fit; the number of steps behind them."""
    try:
        return load_shipped(judge)
    except SystemExit as error:
        if start == "shipped":
            raise
        run.log(from_random_weights=str(error))
        return 0


def load_shipped(judge: Judge) -> int:
    """Put the shipped weights into `judge`; the number of steps behind them.

    Raises: SystemExit when they are of another shape.
    """
    told = json.loads((JUDGE_FOLDER / "config.json").read_text())
    weights = load_judge().judge.state_dict()
    check_shapes(judge, weights)
    judge.load_state_dict(weights)
    return int(told["training"]["steps_done"])


def export(settings: Config, folder: Path) -> None:
    """Write the averaged judge, its distractors and its measured accuracy to `folder`."""
    config = settings.judge
    state = Run(glyphs.RUNS / f"judge-{config.name}").load()
    if state is None:
        raise SystemExit("train the judge first: python -m world.judge")
    judge = Judge(len(MARK_NAMES), len(SURFACE_NAMES), len(COLOUR_NAMES), config.width, config.size)
    judge.load_state_dict(state["average"])
    loaded = LoadedJudge(judge.eval(), MARK_NAMES, SURFACE_NAMES, COLOUR_NAMES, torch.empty(0, config.size))
    rng = np.random.default_rng(5)
    chosen = sorted(rng.permutation(train_glyphs())[:NUM_DISTRACTORS].tolist())
    distractors = prototypes(loaded, chosen, seed=6)
    vae = autoencoder.trained(settings.autoencoder)
    figures = {
        "accuracy_on_renders": accuracy(loaded, distractors),
        "accuracy_on_decoded": accuracy(loaded, distractors, vae),
        "accuracy_on_small_decoded": accuracy(loaded, distractors, vae, small_share=1.0),
        "accuracy_on_wide_decoded": accuracy(loaded, distractors, vae, wide_share=1.0),
    }
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in judge.state_dict().items()}
    save_file({**tensors, "distractors": distractors.half()}, folder / "model.safetensors")
    described = {
        "marks": MARK_NAMES,
        "surfaces": SURFACE_NAMES,
        "colours": COLOUR_NAMES,
        "width": config.width,
        "size": config.size,
        "distractors": chosen,
        **figures,
        "training": {**asdict(config), "steps_done": state["step"]},
    }
    (folder / "config.json").write_text(json.dumps(described, indent=1) + "\n")
    print(json.dumps(figures, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", choices=sorted(CONFIGS), default="cpu")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop and save after this long")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--export", action="store_true", help="write what was trained into the package")
    parser.add_argument(
        "--from-shipped", action="store_true", help="without a checkpoint, go on from the shipped judge"
    )
    arguments = parser.parse_args()
    settings = CONFIGS[arguments.config]
    if arguments.export:
        export(settings, JUDGE_FOLDER)
    else:
        start: Start = "shipped" if arguments.from_shipped else "fresh"
        train(settings, arguments.minutes, start, arguments.device)


if __name__ == "__main__":
    main()
