"""Which family a folder is of: what it declares, else its kind of pipeline, else the width of its text."""

import json
from pathlib import Path

from ..errors import BaseError
from . import families  # noqa: F401 - registers the families
from .family import FAMILIES, Family

INDEX_NAME = "model_index.json"


def recognised_family(ref: str, folder: Path) -> Family:
    """The family of a folder: the one `sealsmith.json` declares, else the one its kind of pipeline belongs to.

    Raises: BaseError when there is no pipeline, or none of a family known here.
    """
    index = folder / INDEX_NAME
    try:
        pipeline = json.loads(index.read_text(encoding="utf-8"))["_class_name"]
    except FileNotFoundError as error:
        raise BaseError(
            f"no base at {ref!r}: {index} does not exist",
            "name a folder in diffusers' format, a .safetensors checkpoint, a hub id, "
            "or `sealworld`, the base that comes with Sealsmith",
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BaseError(
            f"the base at {ref!r} cannot be opened: {index} is damaged: {error!r}", "fetch the base again"
        ) from error
    declared = _declared_family(folder)
    if declared is not None and declared.pipeline == pipeline:
        return declared
    fitting = [
        family for family in FAMILIES.values() if family.pipeline == pipeline and not family.is_declared
    ]
    if declared is not None or not fitting:
        known = ", ".join(sorted({family.pipeline for family in FAMILIES.values()}))
        said = f", not a {declared.name} as its sealsmith.json says" if declared else ""
        raise BaseError(f"the base at {ref!r} is a {pipeline}{said}", f"bases can be: {known}")
    width = _text_width(folder / fitting[0].denoiser / "config.json")
    return next((family for family in fitting if family.text_width == width), fitting[0])


def _text_width(config: Path) -> int | None:
    """Width of the text a U-Net reads, where its configuration says so."""
    try:
        width = json.loads(config.read_text(encoding="utf-8"))["cross_attention_dim"]
    except (OSError, ValueError, KeyError, TypeError):  # damaged: loading it will say so
        return None
    return width if isinstance(width, int) else None


def _declared_family(folder: Path) -> Family | None:
    """Raises: BaseError when `sealsmith.json` cannot be read or names no family known here."""
    declared = folder / "sealsmith.json"
    if not declared.is_file():
        return None
    try:
        name = json.loads(declared.read_text(encoding="utf-8"))["family"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BaseError(
            f"{declared} does not say which family the base is of: {error!r}",
            'it holds one object: {"family": "sd1"}; without the file the kind of pipeline decides',
        ) from error
    if name not in FAMILIES:
        raise BaseError(f"unknown family {name!r} in {declared}", f"known families: {', '.join(FAMILIES)}")
    return FAMILIES[name]
