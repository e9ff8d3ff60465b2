"""What a seal is once it is in memory: a header that says whose it is and what it needs, and its tensors.

Not for: files (seal_file.py), key dialects (formats/) or models (attach.py).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor


class Layer(NamedTuple):
    """One layer's low-rank change, in our own words.

    Shapes: linear: down [R, I], up [O, R]; convolution: down [R, I, kh, kw], up [O, R, 1, 1].
    """

    down: Tensor
    up: Tensor


@dataclass(frozen=True)
class SealHeader:
    """Everything a seal file says about itself, kept as JSON under `sealsmith` in the file's header."""

    trigger: str
    class_noun: str
    base: str
    """Name of the base it was trained on, for people; `base_digest` is what counts."""
    base_digest: str
    family: str
    rank: int
    alpha: float
    targets: tuple[str, ...]
    """Module name endings that were adapted, e.g. "to_q"."""
    title: str
    created: str
    """When the training ended, ISO 8601."""
    method: str = "lora"
    training: dict[str, Any] = field(default_factory=dict)
    scorecard: dict[str, Any] | None = None
    architecture: str = ""
    """ModelSpec's word for the base's architecture, e.g. "stable-diffusion-v1"; empty: the family's name."""
    kohya_version: str = ""
    """`ss_base_model_version`; empty: the family's name."""
    resolution_px: int = 0
    """Side of the training pictures; 0: not known."""
    thumbnail: str = ""
    """A small picture of the seal: "data:image/jpeg;base64,..."."""
    author: str = ""
    license: str = ""
    """An SPDX name, or in words."""
    description: str = ""
    tags: tuple[str, ...] = ()
    merged_from: tuple[str, ...] = ()
    """Titles or hashes of the seals it was merged from."""
    prediction_type: str = ""
    """What the base predicts, in ModelSpec's words: "epsilon" or "v"."""

    @property
    def scale(self) -> float:
        """Factor of the file's own on `up @ down`; a request's strength comes on top."""
        return self.alpha / self.rank


@dataclass
class Seal:
    """A seal: header and tensors.

    `state` has diffusers' names (`unet.<layer>.lora_A.weight`): PEFT and stock pipelines take it as it is.
    """

    header: SealHeader
    state: dict[str, Tensor]
    path: Path | None = None

    @property
    def name(self) -> str:
        """What to call it in a recipe: the file's stem, else its title."""
        return self.path.stem if self.path else self.header.title
