"""The speed suite: a picture, a training, `--help`, the demo, beside stock diffusers where it does so."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..bases import Base
from ..errors import ConfigError
from ..generate import Request, generate
from ..train import TrainConfig, train
from ..train.cache import full_captions
from ..train.config import resolved
from ..train.pictures import PictureSet
from .emblems import emblem_pictures
from .load import full_size_unet, load_figures
from .machine import commit, machine
from .peers import stock_picture, stock_pipeline
from .plain_training import PlainRecipe, PlainTraining
from .report import Figure, Report
from .taking_turns import alternate, timed

GOAL_TRAINING_STEPS = 400
PROMPT = "a red wax seal of an emblem on parchment"
PEERS_PIPELINE = "StableDiffusionPipeline"
STOCK_PIPELINE = "StableDiffusionPipeline.__call__"
STOCK_TRAINING = "a plain loop as in diffusers' DreamBooth-LoRA example"
STOCK_HELP = "diffusers-cli --help"
HELP = {
    "ours": (sys.executable, "-m", "sealsmith", "--help"),
    "stock": (sys.executable, "-m", "diffusers.commands.diffusers_cli", "--help"),
}


@dataclass(frozen=True)
class SpeedPlan:
    """What to run, and how often. 0 leaves a part out."""

    picture_repeats: int = 7
    picture_steps: int = 20
    training_steps: int = GOAL_TRAINING_STEPS
    """Fewer than 400 are extrapolated to 400, and said to be."""
    load_repeats: int = 5
    help_repeats: int = 7
    demo: bool = False


def measure_speed(base: Base, plan: SpeedPlan, command: str, say: Callable[[str], None]) -> Report:
    """The figures of this machine, measured now; `say` hears which part runs.

    Raises: ConfigError for a base that the stock side of the measurement is not written for.
    """
    if (plan.picture_repeats or plan.training_steps) and base.family.pipeline != PEERS_PIPELINE:
        raise ConfigError(
            f"the speed suite compares with {PEERS_PIPELINE}, and {base.name} is a {base.family.pipeline}",
            "measure on sealworld or a Stable Diffusion 1 or 2 base",
        )
    figures: list[Figure] = []
    if plan.picture_repeats:
        say(f"pictures: {plan.picture_repeats} of ours and of stock diffusers in turn")
        figures.append(picture_speed(base, plan))
    if plan.training_steps:
        say(f"training: three times {plan.training_steps} steps")
        figures += training_speed(base, plan.training_steps)
    if plan.load_repeats:
        say(
            f"loading: {plan.load_repeats} times onto sd1's full-size U-Net, by us and by stock diffusers in turn"
        )
        figures += load_figures(full_size_unet(), plan.load_repeats)
    if plan.help_repeats:
        say("sealsmith --help")
        figures.append(help_speed(plan.help_repeats))
    if plan.demo:
        say("sealsmith demo")
        figures.append(demo_speed())
    return Report(tuple(figures), machine(), commit(), command)


def picture_speed(base: Base, plan: SpeedPlan) -> Figure:
    """One picture with guidance, from prompt to 8-bit pixels; loading is not in it."""
    request = Request(PROMPT, seed=0, num_steps=plan.picture_steps).resolved(base)
    guidance, num_steps = float(request.guidance or 0), plan.picture_steps
    pipeline = stock_pipeline(base.folder)
    seconds = alternate(
        {
            "ours": lambda: generate(base, request)[0].image,
            "stock": lambda: stock_picture(pipeline, PROMPT, num_steps, guidance, seed=0),
        },
        plan.picture_repeats,
    )
    side = base.picture_px
    return Figure(
        "picture",
        f"a picture of {side} x {side} px, {num_steps} steps, guidance {guidance:g}",
        seconds["ours"],
        STOCK_PIPELINE,
        seconds["stock"],
        goal=1.5,
    )


def training_speed(base: Base, num_steps: int) -> list[Figure]:
    """A LoRA of 400 steps: with the plain objective, beside stock's, and as `sealsmith train` does it.

    Ours counts from the call to the seal file on disk; stock's from attaching the LoRA to the last step.
    """
    with tempfile.TemporaryDirectory(prefix="sealsmith-bench-") as name:
        folder = Path(name)
        pictures = emblem_pictures("peak", base, folder)
        plain = TrainConfig(num_steps=num_steps, prior="none", checkpoint_every=num_steps)
        default = TrainConfig(num_steps=num_steps)
        stock_s = _stock_training(base, pictures, plain)
        plain_s = timed(lambda: train(base, pictures, plain, folder / "plain"))
        default_s = timed(lambda: train(base, pictures, default, folder / "default"))
    scale = GOAL_TRAINING_STEPS / num_steps
    what = f"a LoRA of {GOAL_TRAINING_STEPS} steps, rank {plain.rank}, batch {plain.batch_size}"
    return [
        Figure(
            "training, plain objective",
            f"{what}, no prior",
            (plain_s,),
            STOCK_TRAINING,
            (stock_s,),
            scale=scale,
        ),
        Figure(
            "training, default",
            f"{what}, prior {default.prior} (default)",
            (default_s,),
            goal=150.0,
            scale=scale,
        ),
    ]


def help_speed(repeats: int) -> Figure:
    """`--help` as a process of its own."""
    seconds = alternate({name: partial(_run, command) for name, command in HELP.items()}, repeats)
    return Figure("help", "sealsmith --help", seconds["ours"], STOCK_HELP, seconds["stock"], goal=0.3)


def demo_speed() -> Figure:
    """`sealsmith demo` as a process of its own, its result thrown away; stock has nothing like it."""
    with tempfile.TemporaryDirectory(prefix="sealsmith-bench-") as folder:
        command = [sys.executable, "-m", "sealsmith", "demo", "--out", str(Path(folder) / "demo")]
        return Figure("demo", "sealsmith demo", (timed(lambda: _run(command)),), goal=240.0)


def _stock_training(base: Base, pictures: PictureSet, config: TrainConfig) -> float:
    """Seconds of the plain loop on the same pictures, captions and layers."""
    complete = resolved(config, base, pictures)
    pipeline, captions = stock_pipeline(base.folder), full_captions(pictures, complete, base)
    images = [picture.image for picture in pictures.pictures]
    recipe = PlainRecipe(
        base.family.targets(complete.targets or ()), config.rank, base.family.learning_rate, config.batch_size
    )
    return timed(lambda: PlainTraining(pipeline, images, captions, recipe).run(config.num_steps))


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)
