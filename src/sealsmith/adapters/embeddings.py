"""Textual inversion's vectors: what a text encoder looks up in place of the tokens of a trigger word.

Not for: where they are in a file (formats/vectors.py), or how they get into a base's prompts (words.py).
"""

import math
from collections.abc import Mapping

from torch import Tensor, nn

from ..errors import SealFormatError, SealShapeError
from .magnitude import largest_magnitude

Embeddings = Mapping[str, Mapping[str, Tensor]]
"""Trigger word -> text encoder's name in a pipeline -> vectors [V, D]."""

MAX_VECTORS = 75
"""As many as a prompt of CLIP's has places."""


def check_embeddings(embeddings: Embeddings) -> None:
    """Refuses vectors that are not finite, too many, or of no shape a prompt can take.

    Raises: SealFormatError, SealShapeError naming the trigger.
    """
    for trigger, vectors in embeddings.items():
        if not trigger.strip() or trigger != trigger.strip():
            raise SealFormatError(
                f"the vectors' trigger {trigger!r} is no word", "rename the file's tensor to a word"
            )
        for component, each in vectors.items():
            if each.ndim != 2 or not 1 <= each.shape[0] <= MAX_VECTORS or each.shape[1] == 0:
                raise SealShapeError(
                    f"the vectors of {trigger!r} for the {component} are {tuple(each.shape)}, "
                    f"expected 1 to {MAX_VECTORS} of some width",
                    "the file is damaged, or no textual inversion",
                )
            if not math.isfinite(largest_magnitude(each)):
                raise SealFormatError(
                    f"the vectors of {trigger!r} for the {component} hold NaN or infinity",
                    "the training diverged; use an earlier checkpoint",
                )


def embedding_path(component: str, trigger: str) -> str:
    """What reports call the vectors of one trigger for one text encoder."""
    return f"{component}.token_embedding.{trigger}"


def lookup_of(text_encoder: nn.Module) -> nn.Module:
    """The module in which a text encoder looks its tokens up; its weight is [vocabulary, D]."""
    stack = getattr(text_encoder, "encoder", None)
    if hasattr(
        stack, "embed_tokens"
    ):  # T5 names another module, which has the same weight and is never called
        text_encoder = stack  # type: ignore[assignment]
    lookup: nn.Module = text_encoder.get_input_embeddings()  # type: ignore[operator]
    return lookup


def embedding_width(text_encoder: nn.Module) -> int:
    """Width of the vectors it looks up."""
    return int(lookup_of(text_encoder).weight.shape[1])  # type: ignore[index]


def at_strength(vectors: Tensor, strength: float, text_encoder: nn.Module) -> Tensor:
    """The vectors with their difference from the mean of the vocabulary multiplied, float32.

    At 1 they are the vectors themselves. The mean is what a word without any meaning of its own would be.
    """
    if strength == 1:
        return vectors.float()
    table = lookup_of(text_encoder).weight
    assert isinstance(table, Tensor)
    mean = table.detach().float().mean(dim=0)
    return mean + strength * (vectors.to(mean) - mean)
