"""One picture underway: its latents, and everything that is its own from the first step to the last.

Noise, scheduler and generator are those of `generate`'s loop, one set a picture, so that a picture can begin and
end at any step of its neighbours'.

Shape letters: R rows of this picture (2 with guidance, the unconditional one first), C, h, w of the latents.
"""

import inspect
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from ..adapters import Seal
from ..adapters.beside import InputParts, OutputParts, parts_beside
from ..adapters.strength import Strength
from ..bases import Base
from ..generate.pipeline import noise_of, recipe_of
from ..generate.recipe import Recipe
from .adapted import Reading
from .bank import Use
from .fitted import FittedSeal, wanted_path
from .pool import Lease
from .prompts import ReadPrompt
from .request import Order

PlacedSeals = Sequence[tuple[FittedSeal, float | Strength]]


class Drawing:
    """The picture of an order with a resolved request."""

    def __init__(self, base: Base, order: Order, seals: PlacedSeals, prompt: ReadPrompt):
        """`seals`: at the strengths they act with on this base."""
        request = order.request
        assert request.num_steps is not None
        assert request.guidance is not None
        self.order, self.seals, self.prompt = order, seals, prompt
        self.guidance = request.guidance
        self.path = wanted_path(seals)
        self.leases: list[Lease] = []
        """The places of its seals in the pool, in their order, for as long as it goes by the bank."""
        self.reading = Reading()
        self.step = 0
        self.turn = 0
        """The engine's turn in which it was stepped last."""
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
        return len(self.prompt.conditioning)

    @property
    def num_steps(self) -> int:
        """Passes of the denoiser, which some samplers need more of than the request has steps."""
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
        """Equal for pictures with the same seals at the same strengths in the denoiser."""
        return tuple((seal.key, repr(strength)) for seal, strength in self.seals if seal.denoiser)

    @property
    def acting(self) -> list[tuple[Seal, float | Strength]]:
        """The parts of its seals that change the denoiser."""
        return [(seal.denoiser, strength) for seal, strength in self.seals if seal.denoiser]

    @property
    def uses(self) -> tuple[Use, ...]:
        """What the bank has to do for its next step: nothing for a picture that goes another way."""
        if not self.leases:
            return ()
        strengths = [strength for seal, strength in self.seals if seal.low_rank]
        return tuple(
            Use(lease, strength, self.step, self.num_steps)
            for lease, strength in zip(self.leases, strengths, strict=True)
        )

    @cached_property
    def parts(self) -> tuple[list[OutputParts], list[InputParts]]:
        """What its seals add to the outputs and the inputs of the denoiser's layers."""
        return parts_beside([(seal.fit, strength) for seal, strength in self.seals])

    def inputs(self) -> Tensor:
        """What the denoiser reads in the next step, [R, C, h, w]."""
        x = torch.cat([self.latents] * self.num_rows)
        scale_input = getattr(self._scheduler, "scale_model_input", None)  # flows don't scale it
        return x if scale_input is None else scale_input(x, self.t)

    def take(self, prediction: Tensor) -> None:
        """The next step, by what the denoiser made of `inputs`, [R, C, h, w]."""
        if self.num_rows == 2:
            unconditional, conditional = prediction.chunk(2)
            prediction = unconditional + self.guidance * (conditional - unconditional)
        stepped = self._scheduler.step(prediction, self.t, self.latents, **self._extra)
        self.latents = stepped.prev_sample
        clean = getattr(stepped, "pred_original_sample", None)
        self.clean = self.latents if clean is None else clean
        self.step += 1

    def recipe(self) -> Recipe:
        request = self.order.request
        uses = [seal.used(strength) for seal, strength in self.seals]
        return recipe_of(self._base, request, self.prompt.prompt, request.seed, uses)

    @property
    def warnings(self) -> tuple[str, ...]:
        said = (warning for seal, _ in self.seals for warning in seal.report.warnings)
        return (*self.prompt.warnings, *said)
