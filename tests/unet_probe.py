"""What tests ask of a base's U-Net: what it predicts, and whether its weights are still the same."""

import torch
from torch import Tensor

from sealsmith.bases import Base


def predict(base: Base) -> Tensor:
    """The U-Net's prediction for two fixed rows of noise and text."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, *base.latent_shape, generator=generator)
    text = torch.randn(2, 77, base.unet.config.cross_attention_dim, generator=generator)
    with torch.no_grad():
        prediction: Tensor = base.unet(x, 500, encoder_hidden_states=text, return_dict=False)[0]
    return prediction


def weights(base: Base) -> dict[str, Tensor]:
    """A copy of the U-Net's weights by name."""
    return {key: tensor.clone() for key, tensor in base.unet.state_dict().items()}


def is_untouched(base: Base, before: dict[str, Tensor]) -> bool:
    """Whether the U-Net has just the weights of `before`, bit for bit, and no PEFT layer among them."""
    after = base.unet.state_dict()
    return list(after) == list(before) and all(torch.equal(after[key], before[key]) for key in before)
