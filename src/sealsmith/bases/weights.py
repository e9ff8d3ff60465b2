"""Which files of a diffusers folder hold the weights that are loaded."""

from pathlib import Path

WEIGHT_PARTS = ("text_encoder", "text_encoder_2", "transformer", "unet", "vae")
"""Subfolders of a base that can hold weights, in the order in which they make up its digest."""


def weight_files(folder: Path, variant: str | None) -> list[Path]:
    """The safetensors files of one part that are loaded, sorted: those of the variant where there are some."""
    files = sorted(folder.glob("*.safetensors"))
    plain = [path for path in files if _variant_in(path) is None]
    chosen = [path for path in files if variant is not None and _variant_in(path) == variant]
    return chosen or plain


def variant_of(folder: Path) -> str | None:
    """The variant to load of one part: "fp16" when nothing else is there, else none."""
    variants = {_variant_in(path) for path in folder.glob("*.safetensors")}
    return "fp16" if "fp16" in variants and None not in variants else None


def _variant_in(path: Path) -> str | None:
    """ "fp16" of `model.fp16.safetensors` and `model.fp16-00001-of-00002.safetensors`, None of plain names."""
    _, _, variant = path.stem.partition(".")
    return variant.partition("-")[0] or None
