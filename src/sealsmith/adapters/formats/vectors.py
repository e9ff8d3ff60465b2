"""What of a seal is no change of weights, as tensors of a file: textual inversion's vectors, and hypernetworks.

Vectors have several foreign names, all read here; one word's vectors alone are written as others write them.
Hypernetworks are elsewhere kept in pickles, which nobody here opens; their names in `.safetensors` are ours:
`hypernetwork.<layer's path>.<index>.weight`, `.bias`, `.norm.weight`, `.norm.bias`; the header has the activation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from ..embeddings import Embeddings, check_embeddings
from ..networks import Network, network_of

TRIGGER_KEY = "embedding"
"""Entry of the header that says which tensor is a word's vectors: its name is the word."""
ACTIVATION_KEY = "hypernetwork.activation"
_EMBED = "<embed>"
"""What the first pivotal files say of such a tensor, under its name."""
_ENCODER = {"emb_params": "", "clip_l": "text_encoder", "clip_g": "text_encoder_2", "t5": "text_encoder_2"}
"""Name of a tensor -> its text encoder; "" where the width has to tell."""
_SECOND_WIDTHS = (1280, 4096)
"""Of SDXL's second text encoder, and of Flux's."""
_KNOWN_WIDTHS = (768, 1024, *_SECOND_WIDTHS)
_BUNDLED = re.compile(r"bundle_emb\.(.+)\.(string_to_param\.\*|emb_params|clip_l|clip_g|t5)")
_NETWORK = re.compile(r"hypernetwork\.(.+?)\.(\d+\.(?:norm\.)?(?:weight|bias))")


@dataclass(frozen=True)
class Vectors:
    """What was read."""

    embeddings: Embeddings
    networks: Mapping[str, Network]
    """By the path of the layer whose input they change."""
    unknown: tuple[str, ...]
    """Names of the tensors nobody understood, sorted."""


def read_vectors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str], title: str) -> Vectors:
    """The vectors and hypernetworks among a file's tensors that are no layer's.

    `title` is the word of vectors that name none, as file names are in the field.
    Raises: SealFormatError, SealShapeError naming the word or the layer.
    """
    words: dict[str, dict[str, Tensor]] = {}
    networks: dict[str, dict[str, Tensor]] = {}
    unknown = []
    for name, tensor in tensors.items():
        if (match := _NETWORK.fullmatch(name)) is not None:
            networks.setdefault(match[1], {})[match[2]] = tensor
        elif (found := _word(name, tensor, metadata, title, is_alone=len(tensors) == 1)) is not None:
            word, encoder = found
            words.setdefault(word, {})[encoder] = tensor if tensor.ndim > 1 else tensor.reshape(1, -1)
        else:
            unknown.append(name)
    words = {word: dict(sorted(vectors.items())) for word, vectors in words.items()}
    check_embeddings(words)
    activation = metadata.get(ACTIVATION_KEY, "linear")
    read = {path: network_of(path, parts, activation) for path, parts in networks.items()}
    return Vectors(words, read, tuple(sorted(unknown)))


def write_vectors(embeddings: Embeddings, networks: Mapping[str, Network], family: str) -> dict[str, Tensor]:
    """The tensors of a file beside those of layers.

    One word's vectors for one text encoder are a tensor of that name, for two what SDXL's and Flux's trainers
    write; all others are bundled.
    """
    if len(embeddings) == 1 and not networks:
        [(word, vectors)] = embeddings.items()
        if set(vectors) == {"text_encoder"}:
            return {word: vectors["text_encoder"]}
        return {_tensor_name(encoder, family): each for encoder, each in vectors.items()}
    return bundled(embeddings, family) | {
        f"hypernetwork.{path}.{name}": tensor
        for path, network in networks.items()
        for name, tensor in network.tensors.items()
    }


def bundled(embeddings: Embeddings, family: str) -> dict[str, Tensor]:
    """Vectors as A1111 finds them in a LoRA's file."""
    tensors = {}
    for word, vectors in embeddings.items():
        for encoder, each in vectors.items():
            alone = set(vectors) == {"text_encoder"}
            end = "string_to_param.*" if alone else _tensor_name(encoder, family)
            tensors[f"bundle_emb.{word}.{end}"] = each
    return tensors


def vector_entries(embeddings: Embeddings, networks: Mapping[str, Network]) -> dict[str, str]:
    """What the file's header must say for these tensors to mean the same."""
    entries = {TRIGGER_KEY: next(iter(embeddings))} if len(embeddings) == 1 else {}
    activations = {network.activation for network in networks.values()}
    return entries | ({ACTIVATION_KEY: activations.pop()} if activations else {})


def _word(
    name: str, tensor: Tensor, metadata: Mapping[str, str], title: str, is_alone: bool
) -> tuple[str, str] | None:
    """The word and the text encoder whose vectors a tensor is; None if it is no vectors."""
    if tensor.ndim not in (1, 2):
        return None
    if (match := _BUNDLED.fullmatch(name)) is not None:
        return match[1], _ENCODER.get(match[2]) or "text_encoder"
    width = tensor.shape[-1]
    encoder = "text_encoder_2" if width in _SECOND_WIDTHS else "text_encoder"
    if name in _ENCODER:
        return metadata.get(TRIGGER_KEY, title), _ENCODER[name] or encoder
    if metadata.get(TRIGGER_KEY) == name or metadata.get(name) == _EMBED:
        return name, "text_encoder"
    return (name, encoder) if is_alone and width in _KNOWN_WIDTHS else None


def _tensor_name(encoder: str, family: str) -> str:
    if encoder == "text_encoder":
        return "clip_l"
    return "t5" if family == "flux" else "clip_g"
