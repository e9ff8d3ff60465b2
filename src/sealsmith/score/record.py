"""What a seal file must carry so that it can be scored alone, far from the pictures it was trained on."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..adapters import Seal, SealHeader
from ..errors import PictureSetError
from .prompts import Pair
from .scorecard import Scorecard

CONTEXTS, REFERENCE = "contexts", "reference"
"""Keys in a header's `training`; the first is written by the training itself."""


def record_reference(seal: Seal, reference: Tensor | None) -> Seal:
    """The seal with its look in its header: `reference` [D] is `reference_embedding` of its pictures.

    None, where no judge knows such pictures, leaves the seal as it is.
    """
    if reference is None:
        return seal
    facts = {REFERENCE: [round(number, 6) for number in reference.tolist()]}
    return replace(seal, header=replace(seal.header, training=seal.header.training | facts))


def record_scorecard(seal: Seal, scorecard: Scorecard) -> Seal:
    """The seal with its scorecard in its header."""
    return replace(seal, header=replace(seal.header, scorecard=scorecard.to_dict()))


def contexts_trained(header: SealHeader) -> frozenset[Pair]:
    """The (mark, surface) pairs the seal was trained in; empty when the file doesn't say."""
    return frozenset((mark, surface) for mark, surface in header.training.get(CONTEXTS, ()))


def recorded_reference(header: SealHeader) -> Tensor | None:
    """What the seal looks like to the judge, [D]; None when the file doesn't say."""
    numbers = header.training.get(REFERENCE)
    return None if numbers is None else F.normalize(torch.tensor(numbers, dtype=torch.float32), dim=0)


def reference_of(seal: Seal) -> Tensor:
    """What the seal looks like to the judge, [D]. Raises: PictureSetError when its file doesn't say."""
    recorded = recorded_reference(seal.header)
    if recorded is None:
        raise PictureSetError(
            f"seal {seal.name!r} does not say what it looks like: its header has no reference",
            "a training's seal.safetensors says it, its checkpoints and other tools' files do not; only "
            "`sealsmith score SEAL --pictures FOLDER` measures those",
        )
    return recorded
