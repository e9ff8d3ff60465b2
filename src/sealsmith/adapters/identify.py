"""Which family a seal was made for, told from its layers: their names, and the widths that differ by family."""

from collections.abc import Iterable, Mapping

from .changes import Change
from .embeddings import Embeddings

_TEXT_WIDTH = {768: "sd1", 1024: "sd2", 2048: "sdxl"}
"""What the cross-attention of a family's U-Net reads, per token."""


def family_of(layers: Mapping[str, Change]) -> str:
    """ "sd1", "sd2", "sdxl", "flux", or "" where the layers don't tell (small bases, text encoders alone)."""
    components = {path.partition(".")[0] for path in layers}
    if "transformer" in components:
        return "flux" if _any(layers, "transformer_blocks.") else ""
    for path, change in layers.items():
        if path.startswith("unet.") and path.endswith((".attn2.to_k", ".attn2.to_v")):
            return _TEXT_WIDTH.get(change.shape[1], "")
    if _any(layers, "unet.down_blocks.2.attentions.0.transformer_blocks.9."):
        return "sdxl"
    return ""


_EMBEDDING_WIDTHS = {
    (("text_encoder", 768),): "sd1",
    (("text_encoder", 1024),): "sd2",
    (("text_encoder", 768), ("text_encoder_2", 1280)): "sdxl",
    (("text_encoder", 768), ("text_encoder_2", 4096)): "flux",
    (("text_encoder_2", 1280),): "sdxl",
    (("text_encoder_2", 4096),): "flux",
}


def family_of_embeddings(embeddings: Embeddings) -> str:
    """As `family_of`, from the widths of textual inversion's vectors."""
    widths = {(encoder, each.shape[-1]) for word in embeddings.values() for encoder, each in word.items()}
    return _EMBEDDING_WIDTHS.get(tuple(sorted(widths)), "")


def _any(paths: Iterable[str], part: str) -> bool:
    return any(part in path for path in paths)
