"""One picture underway: its latents, and everything that is its own from the first step to the last.

Noise, scheduler and generator are those of `generate`'s loop, one set a picture, so that a picture can begin and
end at any step of its neighbours'.

A step takes one pass, or one a seal where these are averaged or masked: then their rows lie side by side in the
shared pass, and the predictions are joined before the scheduler's step.

Shape letters: R rows of one pass (2 with guidance, the unconditional one first), P passes, C, h, w of the latents.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..adapters import Seal
from ..adapters.beside import InputParts, OutputParts, Schedule, parts_beside
from ..adapters.strength import Strength
from ..bases import Base
from ..generate.mixing import Turn, num_passes
from ..generate.passes import Passes, called_places
from ..generate.pipeline import noise_of, recipe_of
from ..generate.recipe import Recipe
from .adapted import Reading
from .bank import Use
from .fitted import FittedSeal, wanted_path
from .pool import Lease
from .prompts import ReadPrompt
from .request import Order

PlacedSeals = Sequence[tuple[FittedSeal, float | Strength]]


@dataclass(frozen=True, eq=False)
class OwnPass:
    """One of the passes of the denoiser that a picture's next step takes: neighbouring rows of a shared one."""

    drawing: "Drawing"
    index: int

    @property
    def num_rows(self) -> int:
        return len(self.drawing.prompt.conditioning)

    @property
    def reading(self) -> Reading:
        return self.drawing.readings[self.index]

    @property
    def uses(self) -> tuple[Use, ...]:
        """What the bank has to do for it: nothing for a picture that goes another way."""
        drawing = self.drawing
        return tuple(
            Use(drawing.leases[seal], strength, drawing.step, drawing.num_steps)
            for seal, strength in drawing.shares[self.index]
            if seal in drawing.leases
        )

    @property
    def parts(self) -> tuple[list[OutputParts], list[InputParts]]:
        """What its seals add to the outputs and the inputs of the denoiser's layers."""
        return self.drawing.parts[self.index]


class Drawing:
    """The picture of an order with a resolved request, its mix decided."""

    def __init__(self, base: Base, order: Order, seals: PlacedSeals, prompt: ReadPrompt):
        """`seals`: at the strengths they act with on this base."""
        request = order.request
        assert request.num_steps is not None
        assert request.guidance is not None
        self.order, self.seals, self.prompt = order, seals, prompt
        self.guidance = request.guidance
        self.mix = request.mix if len(seals) > 1 else "sum"
        called = called_places(base, request, prompt.columns) if prompt.columns else None
        self.passes = Passes(num_passes(len(seals), self.mix), called)
        self.path = wanted_path(seals, self.mix)
        self.leases: dict[int, Lease] = {}
        """The places of its seals in the pool, by their number, for as long as it goes by the bank."""
        self.readings = [Reading() for _ in range(self.passes.number)]
        self.step = 0
        self.turn = 0
        """The engine's turn in which it was stepped last; before its first step, the one behind which it came."""
        self._base = base
        self._generator = torch.Generator("cpu").manual_seed(request.seed)
        noise = noise_of(base, request.size_px, self._generator)
        self._scheduler = base.family.workings.scheduler(base, request.num_steps, noise, request.sampler)
        accepts_generator = "generator" in inspect.signature(self._scheduler.step).parameters
        self._extra = {"generator": self._generator} if accepts_generator else {}
        self.latents = noise * getattr(self._scheduler, "init_noise_sigma", 1.0)
        """[1, C, h, w]"""
        self.clean = self.latents
        """What the latents would be without their noise, as far as the scheduler says; else the latents."""

    @property
    def num_rows(self) -> int:
        """Of all its passes of one step."""
        return len(self.prompt.conditioning) * self.passes.number

    @property
    def own_passes(self) -> list[OwnPass]:
        return [OwnPass(self, index) for index in range(self.passes.number)]

    @property
    def num_steps(self) -> int:
        """The scheduler's, which some samplers need more of than the request has."""
        return len(self._scheduler.timesteps)

    @property
    def is_finished(self) -> bool:
        return self.step == self.num_steps

    @property
    def t(self) -> Tensor:
        """The model time of the next step, a scalar."""
        t: Tensor = self._scheduler.timesteps[self.step]
        return t

    @property
    def shape(self) -> tuple[int, ...]:
        """What pictures that share a pass must have in common: shape of the latents, and of the text."""
        return (*self.latents.shape[1:], *self.prompt.conditioning.text.shape[1:])

    @cached_property
    def seals_key(self) -> tuple[tuple[str, str], ...]:
        """Equal for pictures with the same seals at the same strengths in the denoiser, mixed in the same way."""
        own = tuple((seal.key, repr(strength)) for seal, strength in self.seals if seal.denoiser)
        return own if self.mix == "sum" else (("mix", self.mix), *own)

    @property
    def acting(self) -> list[tuple[Seal, float | Strength]]:
        """The parts of its seals that change the denoiser."""
        return [(seal.denoiser, strength) for seal, strength in self.seals if seal.denoiser]

    @cached_property
    def shares(self) -> list[list[tuple[int, float | Schedule]]]:
        """Of each pass, the numbers of the seals that act in it, and how strongly."""
        strengths = [strength for _, strength in self.seals]
        if self.passes.number > 1:
            return [[each] for each in enumerate(strengths)]
        if self.mix == "switch":
            return [[(i, Turn(strength, i, len(strengths))) for i, strength in enumerate(strengths)]]
        return [[*enumerate(strengths)]]

    @cached_property
    def parts(self) -> list[tuple[list[OutputParts], list[InputParts]]]:
        """Of each pass, what its seals add to the outputs and the inputs of the denoiser's layers."""
        return [
            parts_beside([(self.seals[seal][0].fit, strength) for seal, strength in share])
            for share in self.shares
        ]

    def inputs(self) -> Tensor:
        """What the denoiser reads in each pass of the next step, [R, C, h, w]."""
        x = torch.cat([self.latents] * len(self.prompt.conditioning))
        scale_input = getattr(self._scheduler, "scale_model_input", None)  # flows don't scale it
        return x if scale_input is None else scale_input(x, self.t)

    def take(self, prediction: Tensor) -> None:
        """The next step, by what the denoiser made of `inputs` in its passes, [P R, C, h, w]."""
        prediction = self.passes.joined([self._guided(own) for own in prediction.chunk(self.passes.number)])
        stepped = self._scheduler.step(prediction, self.t, self.latents, **self._extra)
        self.latents = stepped.prev_sample
        clean = getattr(stepped, "pred_original_sample", None)
        self.clean = self.latents if clean is None else clean
        self.step += 1

    def _guided(self, prediction: Tensor) -> Tensor:
        """The prediction [1, C, h, w] of one pass, [R, C, h, w]."""
        if len(prediction) == 1:
            return prediction
        unconditional, conditional = prediction.chunk(2)
        return unconditional + self.guidance * (conditional - unconditional)

    def recipe(self) -> Recipe:
        request = self.order.request
        uses = [seal.used(strength) for seal, strength in self.seals]
        return recipe_of(self._base, request, self.prompt.prompt, request.seed, uses)

    @property
    def warnings(self) -> tuple[str, ...]:
        said = (warning for seal, _ in self.seals for warning in seal.report.warnings)
        return (*self.prompt.warnings, *said)
