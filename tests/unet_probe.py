"""What tests ask of a base's denoiser: what it predicts, and whether its weights are still the same."""

import torch
from torch import Tensor

from sealsmith.bases import Base, concatenate


def predict(base: Base) -> Tensor:
    """The denoiser's prediction for two fixed rows of noise and text."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, *base.latent_shape, generator=generator)
    workings = base.family.workings
    with torch.no_grad():
        text = concatenate([workings.encode(base, "a red wax seal"), workings.unconditional(base)])
        return workings.predict(base, x, torch.tensor(500), text, 3.5)


def weights(base: Base) -> dict[str, Tensor]:
    """A copy of the denoiser's weights by name."""
    return {key: tensor.clone() for key, tensor in base.denoiser.state_dict().items()}


def is_untouched(base: Base, before: dict[str, Tensor]) -> bool:
    """Whether the denoiser has just the weights of `before`, bit for bit, and no PEFT layer among them."""
    after = base.denoiser.state_dict()
    return list(after) == list(before) and all(torch.equal(after[key], before[key]) for key in before)
