"""What a seal is once it is in memory: a header that says whose it is and what it needs, and its parts.

Not for: files (seal_file.py), key dialects (formats/) or models (attaching.py).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .changes import Change
    from .embeddings import Embeddings
    from .networks import Network

TRAINED_STEM = "seal"
"""Every training calls its seal `seal.safetensors`, so it is the folder that tells such a file from others."""


def file_name(path: Path) -> str:
    """What to call the seal in a file: the stem, or for a training's `seal.safetensors` its folder."""
    return path.absolute().parent.name or path.stem if path.stem == TRAINED_STEM else path.stem


@dataclass(frozen=True)
class SealHeader:
    """Everything a seal file says about itself, kept as JSON under `sealsmith` in the file's header.

    Of a file that another tool wrote, only some of it is known: texts are empty then, and `created` too.
    """

    trigger: str
    class_noun: str
    base: str
    """Name of the base it was trained on, for people; `base_digest` is what counts."""
    base_digest: str
    family: str
    rank: int
    """As it was asked for; every layer knows its own."""
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
    merged_from: tuple[str, ...] = ()
    """Titles or hashes of the seals it was merged from."""
    thumbnail: str = ""
    """A small picture of the seal: "data:image/jpeg;base64,..."."""
    author: str = ""
    license: str = ""
    """An SPDX name, or in words."""
    description: str = ""
    tags: tuple[str, ...] = ()
    prediction_type: str = ""
    """What the base predicts, in ModelSpec's words: "epsilon" or "v"."""


@dataclass
class Seal:
    """A seal: header, and what it does to a base. One of a single method has one kind of parts, others mix them.

    `layers` maps a layer's path to its change. A path is the component's name in a diffusers pipeline and the
    module's path in it ("unet.down_blocks.0.attentions.0.proj_in"); in text encoders without the level
    `text_model`, which some versions of transformers have and others lack. `networks` has the same paths.
    """

    header: SealHeader
    layers: "dict[str, Change]"
    path: Path | None = None
    dialect: str = "diffusers"
    """The one its file was written in."""
    unknown: tuple[str, ...] = ()
    """Tensors of the file that nobody here could read."""
    metadata: dict[str, str] = field(default_factory=dict)
    """The strings in the file's header, as they stood there."""
    embeddings: "Embeddings" = field(default_factory=dict)
    """Textual inversion: trigger word -> text encoder -> vectors [V, D]."""
    networks: "dict[str, Network]" = field(default_factory=dict)
    """Hypernetworks, by the layer whose input each changes."""

    @property
    def name(self) -> str:
        """What to call it in a recipe: `file_name` of its file, else its title."""
        return file_name(self.path) if self.path else self.header.title

    @property
    def components(self) -> tuple[str, ...]:
        """The parts of a pipeline that it changes, e.g. ("text_encoder", "unet")."""
        places = {path.partition(".")[0] for path in (*self.layers, *self.networks)}
        return tuple(sorted(places.union(*self.embeddings.values())))

    @property
    def is_weights_alone(self) -> bool:
        """Whether all it does is changing weights, so that it can be fused and merged."""
        return not self.embeddings and not self.networks
