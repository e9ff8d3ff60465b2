"""Carrying a plan out: a base's parts go where the plan has them, by accelerate's own hooks.

Offloading works on any device, so that it can be tested on one without a GPU: where the weights rest and where
they are used may be the same memory, their way between the two is the same. Not for: choosing (plan.py).
"""

from typing import TYPE_CHECKING

import torch
from accelerate import cpu_offload, cpu_offload_with_hook
from torch import nn

from .base import DTYPES
from .plan import MODEL_OFFLOAD, SEQUENTIAL_OFFLOAD, Plan

if TYPE_CHECKING:
    from .base import Base


def load_dtypes(plan: Plan) -> dict[str, torch.dtype]:
    """What `from_pretrained` takes as `dtype` to load each part of a pipeline as the plan has it."""
    return {"default": DTYPES[plan.precision], "vae": DTYPES[plan.vae_precision]}


def apply_plan(base: "Base") -> None:
    """Puts the loaded parts of a base where its plan wants them and sets its VAE up; once in a base's life.

    Under `model-offload` a part moves to the device when it is called, and the one before it leaves. Under
    `sequential-offload` each layer's weights are there only while it computes and on `meta` otherwise.
    """
    plan = base.plan
    if base.vae.dtype != DTYPES[plan.vae_precision]:
        base.vae.to(DTYPES[plan.vae_precision])
    if plan.vae_slicing:
        base.vae.enable_slicing()
    hook = None
    for part in parts_in_use(base):
        if plan.memory == MODEL_OFFLOAD:
            _, hook = cpu_offload_with_hook(part, base.device, prev_module_hook=hook)
        elif plan.memory == SEQUENTIAL_OFFLOAD:
            holds_weights_itself = any(True for _ in part.parameters(recurse=False))
            cpu_offload(part, base.device, offload_buffers=holds_weights_itself)
        else:
            part.to(base.device)


def rest(base: "Base") -> None:
    """Takes the parts that `model-offload` left on the device off it: the picture is finished, or was given up."""
    if base.plan.memory == MODEL_OFFLOAD:
        for part in parts_in_use(base):
            part.to("cpu")


def parts_in_use(base: "Base") -> list[nn.Module]:
    """The parts that make a picture, in the order of their use."""
    return [
        getattr(base.pipeline, name) for name in (*base.family.text_encoders, base.family.denoiser, "vae")
    ]
