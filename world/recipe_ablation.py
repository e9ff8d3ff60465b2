"""What makes a denoiser learn fast: one part of its recipe changed at a time, on a small fixed set of pictures.

    python -m world.recipe_ablation --steps 400
    python -m world.recipe_ablation --only "epsilon,v and min-SNR 5" --steps 400
    python -m world.recipe_ablation --table

Each variant is trained from random weights for as many steps on the same latents in the same order. It is
measured by what compares across objectives: the squared error of the clean latent that its prediction means, at
fixed levels of noise, on pictures not trained on; and by what the judge finds in pictures of unseen captions. One
JSON file a variant below `world/runs/recipe-ablation/`, and a checkpoint while it learns: it can be stopped and
repeated at any time, and runs at the lowest priority. Prints a table in Markdown.
"""

import argparse
import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sealsmith.adapters import atomic_write
from sealsmith.score.judge import load_judge

from . import assemble, autoencoder, dataset, denoiser, denoiser_model, evaluate, glyphs, objective, scenes
from .configs import CONFIGS, Config
from .latents import Batch, Captions, Latents, captions_of, encoded, inside_of
from .training import Pace, Run, Team, batches, warm_up

LEVELS = (0.9, 0.5, 0.1, 0.02)
"""Shares of the clean latent's variance at which predictions are compared."""
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "epsilon": {"objective": "epsilon"},
    "x": {"objective": "x"},
    "v and min-SNR 5": {"min_snr": 5.0},
    "epsilon and min-SNR 5": {"objective": "epsilon", "min_snr": 5.0},
    "x and min-SNR 5": {"objective": "x", "min_snr": 5.0},
    "no average": {"average_steps": 1},
    "AdamW": {"optimiser": "adamw"},
    "schedule-free AdamW": {"optimiser": "schedule-free"},
    "narrow": {"channels": (64, 112, 160)},
    "wide": {"channels": (128, 208, 288)},
}
"""Each by what differs from the default: fields of DenoiserConfig."""


@dataclass(frozen=True)
class Terms:
    """What all variants have in common."""

    steps: int = 400
    batch: int = 32
    pictures: int = 4096
    valid_pictures: int = 256
    captions: int = 16
    """Pictures that the judge is shown."""
    sampling_steps: int = 8
    config: str = "cpu"

    @property
    def folder(self) -> Path:
        text = json.dumps(asdict(self), sort_keys=True)
        return glyphs.RUNS / "recipe-ablation" / hashlib.sha256(text.encode()).hexdigest()[:12]

    def settings(self, changes: Mapping[str, Any]) -> Config:
        """The recipe of a variant. Its rate falls over the last third, as far as its optimiser wants that."""
        base = CONFIGS[self.config]
        common = {
            "name": f"ablation-{self.config}",
            "steps": self.steps,
            "batch": self.batch,
            "pictures": self.pictures,
            "valid_pictures": self.valid_pictures,
            "average_steps": max(2, min(100, self.steps // 4)),
            "cooldown": 0.0 if changes.get("optimiser") == "schedule-free" else 0.35,
        }
        fitting = next(c.autoencoder for c in CONFIGS.values() if autoencoder.fits_shipped(c.autoencoder))
        return replace(base, autoencoder=fitting, denoiser=replace(base.denoiser, **{**common, **changes}))


@dataclass(frozen=True)
class Lessons:
    """The pictures that all variants learn from, and their words."""

    words: Any
    shapes: Any
    latents: Latents
    scaling_factor: float

    @staticmethod
    def of(terms: Terms) -> "Lessons":
        """Rendered and encoded by the shipped autoencoder, once."""
        config, folder = terms.settings({}), terms.folder
        words, shapes = denoiser.vocabulary(config, folder)
        data = dataset.of_denoiser(config.denoiser)
        values = encoded(data, f"{config.denoiser.name}-{terms.pictures}", config, "cpu")
        factor = 1 / values.std().item()
        inside = torch.stack([inside_of(scene, values.shape[-2]) for scene in data.scenes])
        captions: Captions = captions_of(
            data.scenes, shapes, folder / "captions.safetensors", config.denoiser
        )
        return Lessons(words, shapes, Latents(values * factor, inside, captions), factor)


def learn(terms: Terms, name: str, taught: Lessons) -> denoiser.Learner:
    """Train a variant to its end, from its checkpoint where there is one."""
    config = terms.settings(VARIANTS[name])
    settings, run = config.denoiser, Run(terms.folder / name.replace(" ", "-"))
    team = Team()
    learner = denoiser.Learner(config, taught.words, taught.shapes, "cpu", team)
    denoiser_model.informed_embeddings(learner.model, settings, taught.words)
    learner.average.restore(learner.model.state_dict(), 0)
    pace = Pace(settings.steps, settings.cooldown)
    step, saved = run.resume(learner.model, learner.optimizer, learner.average), time.monotonic()
    stream = batches(terms.pictures - terms.valid_pictures, settings.batch, 0, step)
    while step < settings.steps:
        for group in learner.optimizer.param_groups:
            group["lr"] = settings.learning_rate * pace.factor(step) * warm_up(group["step"], 50)
        torch.manual_seed(step)
        loss = learner.loss(taught.latents, (next(stream) + terms.valid_pictures).tolist())
        learner.update(loss, team)
        step += 1
        if step % 20 == 0:
            run.log(step=step, loss=round(loss.item(), 4))
        if time.monotonic() - saved > 120 or step == settings.steps:
            saved = time.monotonic()
            run.save_training(learner.model, learner.optimizer, learner.average, step)
    return learner


@torch.no_grad()
def clean_errors(
    learner: denoiser.Learner, model: denoiser_model.Denoiser, latents: Latents, count: int
) -> list[float]:
    """At each of LEVELS the mean squared error of the clean latent that is predicted; latents have deviation 1."""
    errors = []
    for level in LEVELS:
        time_step = int((learner.signal - level).abs().argmin())
        torch.manual_seed(99)
        found = [
            _error(
                learner, model, latents.batch(rows.tolist(), learner.shapes, learner.blank, 0.0), time_step
            )
            for rows in torch.arange(count).split(32)
        ]
        errors.append(torch.cat(found).mean().item())
    return errors


def _error(learner: denoiser.Learner, model: denoiser_model.Denoiser, batch: Batch, time_step: int) -> Tensor:
    times = torch.full((len(batch.clean),), time_step)
    a, s = objective.amplitudes(learner.signal[times])
    noisy = a * batch.clean + s * torch.randn_like(batch.clean)
    predicted = model(noisy, times, batch.tokens, batch.told)
    clean = objective.clean_from(learner.settings.objective, predicted, noisy, a, s)
    return (clean - batch.clean).square().flatten(1).mean(1)


def measure(terms: Terms, name: str, taught: Lessons) -> dict[str, Any]:
    """The figures of one variant."""
    began = time.process_time()
    learner = learn(terms, name, taught)
    learnt_s = time.process_time() - began
    model = learner.averaged()
    errors = clean_errors(learner, model, taught.latents, terms.valid_pictures)
    vae = autoencoder.shipped(terms.settings({}).autoencoder)
    vae.register_to_config(scaling_factor=taught.scaling_factor)
    scheduler = objective.build_scheduler(learner.settings.objective)
    pipeline = assemble.pipeline_of(model, vae, taught.words, scheduler)
    pipeline.set_progress_bar_config(disable=True)
    shown = evaluate.unseen_scenes(terms.captions, learner.settings, seed=11)
    captions = [scenes.caption(scene) for scene in shown]
    pictures = evaluate.pictures_of(pipeline, captions, terms.sampling_steps, 4.0)
    seen = evaluate.figures(load_judge(), pictures, shown)
    parameters = sum(p.numel() for p in learner.model.unet.parameters())
    return {"errors": errors, "parameters": parameters, "cpu_s": round(learnt_s, 1), **seen}


def table(terms: Terms, names: Sequence[str]) -> str:
    """What is there, in Markdown."""
    levels = " | ".join(f"error at {level:g}" for level in LEVELS)
    lines = [
        f"| variant | U-Net | {levels} | mark, surface and colour | likeness | CPU seconds |",
        "| --- | ---: |" + " ---: |" * (len(LEVELS) + 3),
    ]
    for name in names:
        file = terms.folder / f"{name.replace(' ', '-')}.json"
        if file.exists():
            cell = json.loads(file.read_text())
            errors = " | ".join(f"{error:.3f}" for error in cell["errors"])
            lines.append(
                f"| {name} | {cell['parameters'] / 1e6:.1f} M | {errors} | {cell['all']:.0%} "
                f"| {cell['emblem_similarity']:.2f} | {cell['cpu_s']:.0f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = Terms()
    parser.add_argument("--steps", type=int, default=default.steps)
    parser.add_argument("--batch", type=int, default=default.batch)
    parser.add_argument("--pictures", type=int, default=default.pictures)
    parser.add_argument("--captions", type=int, default=default.captions, help="pictures for the judge")
    parser.add_argument("--only", help="variants, separated by commas")
    parser.add_argument("--table", action="store_true", help="only print what is there")
    arguments = parser.parse_args()
    terms = Terms(arguments.steps, arguments.batch, arguments.pictures, captions=arguments.captions)
    names = arguments.only.split(",") if arguments.only else list(VARIANTS)
    if unknown := set(names) - VARIANTS.keys():
        raise SystemExit(f"no variant is called {min(unknown)!r}; there are {', '.join(VARIANTS)}")
    os.nice(19)
    run(terms, [] if arguments.table else names)
    print(f"{asdict(terms)}\n\n{table(terms, names)}")


def run(terms: Terms, names: Sequence[str]) -> None:
    """Measure the variants whose figures are not there yet."""
    files = {name: terms.folder / f"{name.replace(' ', '-')}.json" for name in names}
    missing = [name for name, file in files.items() if not file.exists()]
    taught = Lessons.of(terms) if missing else None
    for name in missing:
        assert taught is not None
        atomic_write(files[name], json.dumps(measure(terms, name, taught), indent=1).encode())


if __name__ == "__main__":
    main()
