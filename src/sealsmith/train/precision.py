"""How a training holds its base: in which precision, and what of a pass it keeps in memory.

What is trained is in fp32 always, and so are losses and the optimizer's state. In bf16 the base's own weights take
half of the memory, and passes on a GPU less time. Not for: how a base is held for drawing (bases/plan.py).
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..bases import Base, Conditioning, Wanted
from ..bases.opening import check_device
from ..bases.plan import AUTO, EXACT, WHOLE
from ..bases.resources import read_machine
from ..errors import ConfigError
from .config import TrainConfig
from .methods import find_method

PRECISIONS = (AUTO, "fp32", "bf16")


def wanted_for(config: TrainConfig, precision: str = AUTO, device: str = "cpu") -> Wanted:
    """What to open the base with. `auto` is bf16 where the device computes in it and the method bears it.

    Raises: ConfigError for a precision that no training can have, or one that this one cannot; and for a device
    this machine has not.
    """
    check_device(device)
    if precision not in PRECISIONS:
        raise ConfigError(
            f"a training cannot be in {precision!r}",
            f"choose one of {', '.join(PRECISIONS)}: in fp16 small gradients would vanish",
        )
    bears_bf16 = find_method(config.method).bears_bf16(config)
    if precision == "bf16" and not bears_bf16:
        raise _needs_fp32("bf16")
    has_bf16 = precision == AUTO and bears_bf16 and read_machine(torch.device(device)).has_bf16
    chosen = "bf16" if has_bf16 or precision == "bf16" else "fp32"
    return Wanted(chosen, WHOLE, EXACT.vae_slicing, EXACT.vae_tiling)


def check_plan(base: Base, bears_bf16: bool) -> None:
    """Raises: ConfigError for a base that is not held as a training needs it."""
    plan = base.plan
    if plan.memory != WHOLE:
        raise ConfigError(
            f"training needs all of the base's weights where they are used; its memory plan is {plan.memory}",
            "open it without a plan of its own; what it learns can then be used under every plan",
        )
    if plan.precision not in PRECISIONS or (plan.precision == "bf16" and not bears_bf16):
        raise _needs_fp32(plan.precision)


def predicted(base: Base, noisy: Tensor, times: Tensor, texts: Conditioning) -> Tensor:
    """What the denoiser makes of noisy latents [N, C, H, W] in fp32, in fp32 too, whatever it computes in."""
    guidance = base.family.training_guidance
    return base.family.workings.predict(base, noisy.to(base.dtype), times, texts, guidance).float()


@contextmanager
def encoding_in_fp32(base: Base) -> Iterator[None]:
    """A context in which the VAE computes in fp32: what it encodes is looked at in every step, and is made once."""
    held = base.vae.dtype
    if held == torch.float32:
        yield
        return
    nn.Module.to(base.vae, torch.float32)
    try:
        yield
    finally:
        nn.Module.to(base.vae, held)


@dataclass(frozen=True)
class Resting:
    """Parts of a base that steps have no use for: in main memory meanwhile, where that is another."""

    base: Base
    parts: tuple[nn.Module, ...]

    @classmethod
    def of(cls, base: Base, trains_text: bool) -> "Resting":
        """The VAE, and the text encoders where all texts are encoded before."""
        if base.device.type == "cpu":
            return cls(base, ())
        texts = (
            () if trains_text else tuple(getattr(base.pipeline, name) for name in base.family.text_encoders)
        )
        return cls(base, (base.vae, *texts))

    def asleep(self) -> AbstractContextManager[None]:
        """A context in which they are away."""
        return self._staying(torch.device("cpu"), self.base.device)

    def awake(self) -> AbstractContextManager[None]:
        """A context within that one in which they are back, to draw."""
        return self._staying(self.base.device, torch.device("cpu"))

    @contextmanager
    def _staying(self, device: torch.device, afterwards: torch.device) -> Iterator[None]:
        self._move(device)
        try:
            yield
        finally:
            self._move(afterwards)

    def _move(self, device: torch.device) -> None:
        for part in self.parts:
            nn.Module.to(part, device)


@contextmanager
def thrifty(base: Base, config: TrainConfig) -> Iterator[None]:
    """A context in which the denoiser keeps of a pass what the settings say."""
    if not config.gradient_checkpointing:
        yield
        return
    base.denoiser.enable_gradient_checkpointing()
    try:
        yield
    finally:
        base.denoiser.disable_gradient_checkpointing()


def _needs_fp32(precision: str) -> ConfigError:
    return ConfigError(
        f"this training needs a base in fp32, not in {precision}",
        "train with fp32; in bf16 lora, rslora, loha and lokr can, which leave the base's weights as they are",
    )
