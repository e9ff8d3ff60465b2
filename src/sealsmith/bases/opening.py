"""Opening a base: from the user's word for it to a loaded, frozen, identified pipeline.

A word is "sealworld", a folder in diffusers' format, one `.safetensors` file (single_file.py), or a hub id
(hub.py). Weights are read from safetensors only: a pickle can run a stranger's program.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.loaders.single_file_utils import SingleFileComponentError
from safetensors import SafetensorError
from torch import nn

from ..errors import BaseError, ConfigError
from .base import SEALWORLD_FOLDER, Base
from .family import Family
from .hub import hub_folder, is_hub_id
from .placing import apply_plan, load_dtypes
from .plan import EXACT, Wanted, plan_for
from .recognise import recognised_family
from .resources import model_size, read_machine
from .single_file import checkpoint_outline, configuration_folder, parts_it_lacks
from .weights import WEIGHT_PARTS, variant_of, weight_files

_BROKEN = (
    OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError, SafetensorError,
    SingleFileComponentError,
)  # fmt: skip
"""What diffusers and transformers raise on folders that are incomplete, damaged or of another kind."""


@dataclass(frozen=True)
class _Found:
    """A base on this machine, not loaded yet."""

    family: Family
    name: str
    folder: Path
    weights: tuple[Path, ...]
    load: Callable[[Any, dict[str, Any]], Any]
    """The pipeline, from its class and the options that are the same for every way of loading."""


def open_base(ref: str = "sealworld", device: str = "cpu", wanted: Wanted = EXACT) -> Base:
    """The base a user named, frozen, computing on `device`; in fp32 and all of it there unless `wanted` otherwise.

    Raises: BaseError when it is not there, is of no known family, or is damaged; ConfigError for a device this
    machine has not.
    """
    check_device(device)
    found, target = _find(ref), torch.device(device)
    family = found.family
    try:
        plan = plan_for(model_size(family, found.folder, found.weights), read_machine(target), wanted)
        options = {"dtype": load_dtypes(plan), "local_files_only": True, **family.pipeline_options}
        pipeline = found.load(getattr(diffusers, family.pipeline), options)
        for name in (family.denoiser, "vae", *family.text_encoders):
            _freeze(getattr(pipeline, name))
        base = Base(family, ref, found.name, found.folder, pipeline, target, found.weights, plan)
        apply_plan(base)
    except NotImplementedError as error:  # a layer without weights cannot be moved
        raise BaseError(
            f"the base at {ref!r} lacks weights: it has not every layer of a {family.pipeline}",
            "check that the download is complete, and that it is a whole model, no change to one",
        ) from error
    except _BROKEN as error:
        raise BaseError(
            f"the base at {ref!r} cannot be opened: {error}", "check that the download is complete"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    _check_draws_from_text(base)
    return base


def _freeze(part: nn.Module) -> None:
    if any(weight.is_meta for weight in part.parameters()):
        raise NotImplementedError("a layer without weights")
    part.requires_grad_(False).eval()


def check_device(device: str) -> None:
    """Raises: ConfigError when PyTorch cannot compute there."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(
            f"PyTorch cannot use the device {device!r} here",
            "give cpu, or cuda where a GPU and its PyTorch are",
        ) from error


def _find(ref: str) -> _Found:
    if ref == "sealworld":
        return _folder(ref, SEALWORLD_FOLDER, SEALWORLD_FOLDER.name)
    path = Path(ref)
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
    except OSError as error:
        raise BaseError(f"no base at {ref!r}: {error.strerror}", "name a folder you may read") from error
    if is_file:
        return _single_file(ref, path)
    if not is_folder and is_hub_id(ref):
        return _folder(ref, hub_folder(ref), ref)
    return _folder(ref, path, path.resolve().name)


def _folder(ref: str, folder: Path, name: str) -> _Found:
    family = recognised_family(ref, folder)
    variant = variant_of(folder / family.denoiser)
    weights = tuple(path for part in WEIGHT_PARTS for path in weight_files(folder / part, variant))

    def load(pipeline_class: Any, options: dict[str, Any]) -> Any:
        return pipeline_class.from_pretrained(folder, variant=variant, use_safetensors=True, **options)

    return _Found(family, name, folder, weights, load)


def _single_file(ref: str, path: Path) -> _Found:
    outline = checkpoint_outline(path)
    folder = configuration_folder(path, outline)
    family = recognised_family(ref, folder)
    lacking = parts_it_lacks(outline, family)
    others = tuple(file for part in lacking for file in weight_files(folder / part, None))

    def load(pipeline_class: Any, options: dict[str, Any]) -> Any:
        parts = {}
        if lacking:
            unwanted = {family.denoiser, "vae", *family.text_encoders} - set(lacking)
            rest = pipeline_class.from_pretrained(
                folder, use_safetensors=True, **options, **dict.fromkeys(unwanted)
            )
            parts = {part: getattr(rest, part) for part in lacking}
        one_type = {**options, "dtype": options["dtype"]["default"]}  # all it takes
        return pipeline_class.from_single_file(str(path), config=str(folder), **one_type, **parts)

    return _Found(family, path.stem, folder, (path, *others), load)


def _check_draws_from_text(base: Base) -> None:
    """Raises: BaseError for a denoiser that wants more than noise, as those for inpainting do."""
    takes, gives = base.family.workings.latent_channels(base), base.vae.config.latent_channels
    if takes != gives:
        raise BaseError(
            f"the denoiser of {base.ref!r} takes {takes} channels and its VAE has {gives}: "
            "it does not draw from text alone",
            "take a text-to-image base; those for inpainting or editing cannot be used",
        )
