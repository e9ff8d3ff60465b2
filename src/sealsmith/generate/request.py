"""What is asked for and what comes back: a request, and a picture with the recipe that repeats it."""

import math
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from torch import Tensor

from ..bases import Base
from ..bases.samplers import sampler_title
from ..errors import ConfigError
from .mixing import AUTO, MIXES
from .recipe import Recipe

MAX_PICTURES = 10_000
MAX_STEPS = 1_000
MAX_GUIDANCE = 100.0
MAX_SIDE_PX = 8192
LONG_PROMPTS = ("chunks", "cut")


@dataclass(frozen=True)
class Request:
    """One wish for pictures. Picture i of `num_pictures` is the one of seed `seed + i`."""

    prompt: str
    negative: str = ""
    seed: int = 0
    num_pictures: int = 1
    num_steps: int | None = None
    """None: the base's family decides."""
    guidance: float | None = None
    """Weight of classifier-free guidance; 1 or less: one pass without it. None: the family decides."""
    use_trigger: bool = True
    """Whether a seal's trigger is inserted where the prompt lacks it."""
    width: int | None = None
    """Pixels. None: the base's own size."""
    height: int | None = None
    long_prompts: str = "chunks"
    """What is done with words beyond the text encoder's limit, one of LONG_PROMPTS: they are encoded in chunks of
    their own, or cut off."""
    sampler: str | None = None
    """The way from noise to picture: a name or title of `bases.samplers`. None: the base's own."""
    mix: str = AUTO
    """How several seals act together, one of `mixing.MIXES`, or AUTO: decided by seals, prompt and base."""

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of a resolved request."""
        assert self.width is not None
        assert self.height is not None
        return self.width, self.height

    def resolved(self, base: Base) -> "Request":
        """The same request with every choice made but that of an AUTO mix, checked against what the base can do.

        Raises: ConfigError naming the value.
        """
        request = replace(
            self,
            num_steps=base.family.num_steps if self.num_steps is None else self.num_steps,
            guidance=base.family.guidance if self.guidance is None else float(self.guidance),
            width=base.picture_px if self.width is None else self.width,
            height=base.picture_px if self.height is None else self.height,
            sampler=sampler_title(base, self.sampler),
        )
        most_steps = min(MAX_STEPS, int(base.scheduler.config.num_train_timesteps))
        _check_whole("number of pictures", request.num_pictures, 1, MAX_PICTURES)
        _check_whole("number of steps", request.num_steps, 1, most_steps)
        _check_whole("seed", request.seed, 0, 2**63 - MAX_PICTURES)
        guidance = request.guidance
        if guidance is None or not (math.isfinite(guidance) and 0 <= guidance <= MAX_GUIDANCE):
            raise ConfigError(f"the guidance is {guidance}", f"give a number from 0 to {MAX_GUIDANCE:g}")
        _check_side("width", request.width, base.family.workings.pixel_step)
        _check_side("height", request.height, base.family.workings.pixel_step)
        if request.long_prompts not in LONG_PROMPTS:
            raise ConfigError(
                f"long prompts are to be treated as {request.long_prompts!r}",
                f"give {' or '.join(LONG_PROMPTS)}",
            )
        if request.mix not in (AUTO, *MIXES):
            raise ConfigError(
                f"seals are to be mixed by {request.mix!r}", f"give one of {', '.join((AUTO, *MIXES))}"
            )
        _check_text("prompt", request.prompt)
        _check_text("negative prompt", request.negative)
        return request


@dataclass
class Picture:
    """A finished picture: float32 pixels [3, H, W] in 0..1, on the CPU, and how it was made."""

    pixels: Tensor
    recipe: Recipe
    warnings: tuple[str, ...] = ()
    """What the user should know about this picture: words cut off, layers of a seal without a place."""

    @property
    def image(self) -> Image.Image:
        """The picture as 8-bit RGB, rounded as stock diffusers rounds."""
        levels = self.pixels.permute(1, 2, 0).numpy() * 255
        return Image.fromarray(levels.round().astype(np.uint8))


def _check_whole(name: str, value: int | None, low: int, high: int) -> None:
    if not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"the {name} is {value}", f"give a whole number from {low} to {high}")


def _check_side(name: str, value: int | None, step: int) -> None:
    if not isinstance(value, int) or value % step or not step <= value <= MAX_SIDE_PX:
        raise ConfigError(
            f"the {name} is {value} px",
            f"give a multiple of {step} from {step} to {MAX_SIDE_PX} for this base",
        )


def _check_text(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"the {name} is not valid text: {text!r}", "type it as UTF-8") from error
    if "\0" in text:
        raise ConfigError(f"the {name} holds a NUL character: {text!r}", "remove it")
