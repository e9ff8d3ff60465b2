"""From a request to pictures, with stock diffusers modules and no cleverness.

Read it from top to bottom: prompt, seals, noise, steps, decoding. Each picture is made alone, with a
generator of its own, and equals what the stock pipeline makes from the same seed. Everything faster is tested
against it.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby

import torch
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from .. import __version__
from ..adapters import Attachment, AttachReport, attached, fused
from ..bases import Base, Conditioning, concatenate
from ..bases.decoding import decode
from ..bases.placing import rest
from .long_prompt import Keep, encode_long, made_anew
from .mix_choice import settled
from .mixing import Seals, is_fusible, placed
from .passes import Passes, passes_of
from .recipe import Recipe, SealUse, seal_use
from .request import Picture, Request
from .sent_prompt import sent_prompt, sent_triggers

OnStep = Callable[[int, int], None]
"""Called after every step with the steps done and the steps in all, over all pictures of a request."""


def generate(base: Base, request: Request, seals: Seals = (), on_step: OnStep | None = None) -> list[Picture]:
    """The pictures of one request, in order of their seeds; raises as `generate_each` does."""
    return list(generate_each(base, request, seals, on_step))


@torch.no_grad()
def generate_batch(
    base: Base,
    requests: Sequence[Request],
    seals: Seals = (),
    on_picture: Callable[[int], None] | None = None,
) -> list[Picture]:
    """The pictures of several requests with the same seals, in order; raises as `generate_each` does.

    Seals that only change weights, at strengths that do not change over the steps, are fused into the base for the
    time being, which saves the work beside every layer and moves no pixel by more than 1e-4. `on_picture` is told
    how many pictures are finished, after each.
    """
    requests = [settled(base, request.resolved(base), seals) for request in requests]
    pictures: list[Picture] = []
    uses = [seal_use(seal, strength) for seal, strength in seals]
    for mix, alike in groupby(requests, lambda request: request.mix):
        with _on(base, seals, mix) as attachment:
            for request in alike:
                for picture in _draw(base, request, seals, uses, attachment):
                    pictures.append(picture)
                    if on_picture is not None:
                        on_picture(len(pictures))
    return pictures


@torch.no_grad()
def generate_each(
    base: Base, request: Request, seals: Seals = (), on_step: OnStep | None = None
) -> Iterator[Picture]:
    """The pictures of one request, each as soon as it is finished.

    While it runs, the seals are on the base; they are off again when it ends, is closed or fails.
    Raises: ConfigError; BaseMismatchError and SealShapeError for a seal that is not for this base.
    """
    request = settled(base, request.resolved(base), seals)
    with attached(base, placed(base, seals, request.mix)) as attachment:
        uses = [seal_use(seal, strength) for seal, strength in seals]
        yield from _draw(base, request, seals, uses, attachment, on_step)


@torch.no_grad()
def draw_fused(
    base: Base,
    request: Request,
    seals: Seals,
    reports: Sequence[AttachReport],
    on_step: OnStep | None = None,
) -> Iterator[Picture]:
    """The pictures of one request by a base that has `seals` in its weights, as `reports` say; it keeps them."""
    uses = [seal_use(seal, strength) for seal, strength in seals]
    request = replace(request.resolved(base), mix="sum")
    yield from _draw(base, request, seals, uses, Attachment(tuple(reports)), on_step)


def _draw(
    base: Base,
    request: Request,
    seals: Seals,
    uses: Sequence[SealUse],
    attachment: Attachment,
    on_step: OnStep | None = None,
) -> Iterator[Picture]:
    """The pictures of a resolved request, with `seals` on the base already."""
    prompt, warnings = sent_prompt(base, request, seals)
    warnings += [warning for report in attachment.reports for warning in report.warnings]
    rest(base)  # a picture given up leaves parts where they computed
    conditioning = condition(base, request, prompt, sent_triggers(request, seals))
    for index in range(request.num_pictures):
        seed = request.seed + index
        generator = torch.Generator("cpu").manual_seed(seed)
        noise = noise_of(base, request.size_px, generator)
        with passes_of(base, request, seals, prompt, conditioning) as passes:
            tell = _counter(request, index, on_step)
            latents = _denoise(base, conditioning, noise, request, generator, attachment, passes, tell)
        decoded, said = decode(base, latents)
        rest(base)
        recipe = recipe_of(base, request, prompt, seed, uses)
        yield Picture(decoded[0], recipe, (*warnings, *filter(None, [said])))


def recipe_of(base: Base, request: Request, prompt: str, seed: int, uses: Sequence[SealUse]) -> Recipe:
    """How the picture of `seed` is made from a resolved request; `prompt` is what is sent."""
    assert request.num_steps is not None
    assert request.guidance is not None
    assert request.sampler is not None
    width, height = request.size_px
    return Recipe(
        prompt=prompt,
        prompt_typed=request.prompt,
        negative=request.negative,
        seed=seed,
        num_steps=request.num_steps,
        guidance=request.guidance,
        sampler=request.sampler,
        width=width,
        height=height,
        base=base.name,
        base_digest=base.digest,
        seals=tuple(uses),
        version=f"sealsmith {__version__}",
        long_prompts=request.long_prompts,
        precision=base.plan.precision,
        mix=request.mix if len(uses) > 1 else "sum",
    )


def condition(
    base: Base, request: Request, prompt: str, triggers: Sequence[str], keep: Keep = made_anew
) -> Conditioning:
    """The prompt as the denoiser takes it, behind an unconditional row where guidance needs one.

    `keep`: for who has made that row before, with the same seals.
    """
    workings = base.family.workings
    assert request.guidance is not None
    is_guided = workings.is_guided_by_two(base, request.guidance)
    if request.long_prompts == "chunks":
        return encode_long(base, prompt, request.negative if is_guided else None, triggers, keep)
    row = workings.encode(base, prompt)
    if not is_guided:
        return row
    other = keep(("cut", request.negative), lambda: workings.unconditional(base, request.negative))
    return concatenate([other, row])


def noise_of(base: Base, size_px: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Latents [1, C, h, w] of nothing but noise, for one picture of this width and height."""
    shape = (1, *base.latent_shape_of(*size_px))
    return randn_tensor(shape, generator=generator, device=base.device, dtype=base.dtype)


def _denoise(
    base: Base,
    conditioning: Conditioning,
    noise: Tensor,
    request: Request,
    generator: torch.Generator,
    attachment: Attachment,
    passes: Passes,
    on_step: OnStep | None,
) -> Tensor:
    """Latents [1, C, h, w] from noise. Of two rows of `conditioning`, the first is the unconditional one."""
    assert request.num_steps is not None
    assert request.guidance is not None
    workings, guidance = base.family.workings, request.guidance
    scheduler = workings.scheduler(base, request.num_steps, noise, request.sampler)
    latents = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    scale_input = getattr(scheduler, "scale_model_input", lambda x, t: x)  # flows neither scale it nor noise
    accepts_generator = "generator" in inspect.signature(scheduler.step).parameters
    extra = {"generator": generator} if accepts_generator else {}
    num_steps = len(scheduler.timesteps)
    for step, t in enumerate(scheduler.timesteps):
        x = scale_input(torch.cat([latents] * len(conditioning)), t)
        predictions = []
        for part in range(passes.number):
            attachment.at(step * passes.number + part, num_steps * passes.number)
            predictions.append(_guided(workings.predict(base, x, t, conditioning, guidance), guidance))
        latents = scheduler.step(passes.joined(predictions), t, latents, **extra, return_dict=False)[0]
        if on_step is not None:
            on_step(step + 1, num_steps)
    return latents


def _guided(prediction: Tensor, guidance: float) -> Tensor:
    """The prediction [1, C, h, w] of two rows, the first of them unconditional; of one row it is that row."""
    if len(prediction) == 1:
        return prediction
    unconditional, conditional = prediction.chunk(2)
    return unconditional + guidance * (conditional - unconditional)


@contextmanager
def _on(base: Base, seals: Seals, mix: str) -> Iterator[Attachment]:
    """The seals on the base: in its weights where that is the same, else beside its layers."""
    if not is_fusible(seals, mix):
        with attached(base, placed(base, seals, mix)) as attachment:
            yield attachment
        return
    with fused(base, placed(base, seals)) as reports:
        yield Attachment(tuple(reports))


def _counter(request: Request, index: int, on_step: OnStep | None) -> OnStep | None:
    """`on_step` for picture `index`, counting over all pictures of the request."""
    if on_step is None:
        return None
    return lambda done, steps: on_step(index * steps + done, request.num_pictures * steps)
