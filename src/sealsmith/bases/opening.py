"""Opening a base: from the user's word for it to a loaded, frozen, identified pipeline.

A word is "sealworld", a folder in diffusers' format, one `.safetensors` file (single_file.py), or a hub id
(hub.py). Weights are read from safetensors only: a pickle can run a stranger's program.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
from safetensors import SafetensorError

from ..errors import BaseError, ConfigError
from . import families  # noqa: F401 - registers the families
from .base import SEALWORLD_FOLDER, Base
from .family import FAMILIES, Family
from .hub import hub_folder, is_hub_id
from .single_file import configuration_folder
from .weights import WEIGHT_PARTS, variant_of, weight_files

INDEX_NAME = "model_index.json"
_BROKEN = (
    OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError, SafetensorError
)  # fmt: skip
"""What diffusers and transformers raise on folders that are incomplete, damaged or of another kind."""


def open_base(ref: str = "sealworld", device: str = "cpu") -> Base:
    """The base a user named; fp32, frozen, on `device`.

    Raises: BaseError when it is not there, is of no known family, or is damaged; ConfigError for a device this
    machine has not.
    """
    check_device(device)
    if ref == "sealworld":
        return _open_folder(ref, SEALWORLD_FOLDER, device)
    path = Path(ref)
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except OSError as error:
        raise BaseError(f"no base at {ref!r}: {error.strerror}", "name a folder you may read") from error
    if is_file:
        return _open_file(ref, path, device)
    if not is_folder and is_hub_id(ref):
        return _open_folder(ref, hub_folder(ref), device)
    return _open_folder(ref, path, device)


def check_device(device: str) -> None:
    """Raises: ConfigError when PyTorch cannot compute there."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(
            f"PyTorch cannot use the device {device!r} here",
            "give cpu, or cuda where a GPU and its PyTorch are",
        ) from error


def _open_folder(ref: str, folder: Path, device: str) -> Base:
    family = _family(ref, folder)
    variant = variant_of(folder / family.denoiser)
    weights = tuple(path for part in WEIGHT_PARTS for path in weight_files(folder / part, variant))

    def load(pipeline_class: Any, options: dict[str, Any]) -> Any:
        return pipeline_class.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, variant=variant, **options
        )

    name = ref if is_hub_id(ref) and not Path(ref).exists() else folder.resolve().name
    return _opened(family, ref, name, folder, weights, device, load)


def _open_file(ref: str, path: Path, device: str) -> Base:
    folder = configuration_folder(path)
    family = _family(ref, folder)

    def load(pipeline_class: Any, options: dict[str, Any]) -> Any:
        return pipeline_class.from_single_file(
            str(path), config=str(folder), local_files_only=True, **options
        )

    return _opened(family, ref, path.stem, folder, (path,), device, load)


def _opened(
    family: Family,
    ref: str,
    name: str,
    folder: Path,
    weights: tuple[Path, ...],
    device: str,
    load: Callable[[Any, dict[str, Any]], Any],
) -> Base:
    options = {"dtype": torch.float32, **family.pipeline_options}
    try:
        pipeline = load(getattr(diffusers, family.pipeline), options)
        for part in (
            pipeline.vae,
            *(getattr(pipeline, name) for name in (family.denoiser, *family.text_encoders)),
        ):
            part.requires_grad_(False).eval()
        pipeline.to(device)
    except _BROKEN as error:
        raise BaseError(
            f"the base at {ref!r} cannot be opened: {error}", "check that the download is complete"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    base = Base(family, ref, name, folder, pipeline, torch.device(device), weights)
    _check_draws_from_text(base)
    return base


def _family(ref: str, folder: Path) -> Family:
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
    fitting = [family for family in FAMILIES.values() if family.pipeline == pipeline]
    if declared is not None or not fitting:
        known = ", ".join(sorted({family.pipeline for family in FAMILIES.values()}))
        said = f", not a {declared.name} as its sealsmith.json says" if declared else ""
        raise BaseError(f"the base at {ref!r} is a {pipeline}{said}", f"bases can be: {known}")
    return fitting[0]


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


def _check_draws_from_text(base: Base) -> None:
    """Raises: BaseError for a denoiser that wants more than noise, as those for inpainting do."""
    takes, gives = base.family.workings.latent_channels(base), base.vae.config.latent_channels
    if takes != gives:
        raise BaseError(
            f"the denoiser of {base.ref!r} takes {takes} channels and its VAE has {gives}: "
            "it does not draw from text alone",
            "take a text-to-image base; those for inpainting or editing cannot be used",
        )
