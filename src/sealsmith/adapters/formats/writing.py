"""Writing layers as the tensors of a file, in the dialects that others read."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from ...errors import ConfigError, SealShapeError
from ..changes import Change, Decomposed, Full, Hadamard, Kronecker, LowRank, reshaped
from .alphas import CONFIG_KEY, adapter_config
from .fused import joined, swapped
from .names import diffusers_name, kohya_name, kohya_place
from .names_unet import kernel


class Written(NamedTuple):
    """A file's tensors, and what could not become any."""

    tensors: dict[str, Tensor]
    unwritable: dict[str, str]
    """Path -> reason, of every layer the dialect cannot express."""


def write_layers(layers: Mapping[str, Change], dialect: str, family: str) -> Written:
    """The tensors of `layers` (by canonical path) in `dialect`, one of `WRITERS`, for a base of `family`.

    Raises: ConfigError for another dialect.
    """
    if dialect not in WRITERS:
        known = " or ".join(WRITERS)
        raise ConfigError(f"seals cannot be written in the dialect {dialect!r}", f"choose {known}")
    return WRITERS[dialect](layers, family)


def native_dialect(layers: Mapping[str, Change], family: str) -> str:
    """The dialect that holds these layers as they are: none made low-rank, none left out.

    "diffusers" where PEFT has the kind; else kohya's names, which LyCORIS' kinds mostly go by; and where those
    lack a name, or fuse layers as in transformers, LyCORIS' kinds under diffusers' names.
    """
    is_plain = all(_inner(change).kind == "lora" for change in layers.values())
    if is_plain and not any(_why_not_peft(path, change, layers) for path, change in layers.items()):
        return "diffusers"
    is_named = all(
        kohya_name(path, family) is not None and not path.startswith("transformer.") for path in layers
    )
    return "kohya" if is_named else "lycoris"


def header_entries(layers: Mapping[str, Change], dialect: str) -> dict[str, str]:
    """What a file's header must say for its tensors to mean the same: diffusers' files keep their alphas there.

    kohya's must not have it: stock diffusers refuses a file with two kinds of alphas.
    """
    if dialect != "diffusers":
        return {}
    return {CONFIG_KEY: json.dumps(adapter_config(_peft_layers(layers, "")[0]), sort_keys=True)}


def _write_diffusers(layers: Mapping[str, Change], family: str) -> Written:
    """diffusers' and PEFT's names. Every kind but DoRA becomes low-rank, which is exact."""
    written, unwritable = _peft_layers(layers, family)
    tensors: dict[str, Tensor] = {}
    for path, change in written.items():
        name = diffusers_name(path)
        inner = _inner(change)
        assert isinstance(inner, LowRank)
        tensors[f"{name}.lora_A.weight"] = inner.down
        tensors[f"{name}.lora_B.weight"] = inner.up
        if isinstance(change, Decomposed):
            # Denoisers are loaded by PEFT, which appends ".weight", text encoders by transformers, which does not.
            end = ".weight" if path.startswith("text") else ""
            tensors[f"{name}.lora_magnitude_vector{end}"] = _peft_magnitude(change)
    return Written(tensors, unwritable)


def _inner(change: Change) -> Change:
    return change.change if isinstance(change, Decomposed) else change


def _peft_layers(layers: Mapping[str, Change], family: str) -> tuple[dict[str, Change], dict[str, str]]:
    """The layers as low-rank changes, DoRA around them, and path -> reason of those PEFT cannot hold."""
    written: dict[str, Change] = {}
    unwritable: dict[str, str] = {}
    for path, change in layers.items():
        reason = _why_not_peft(path, change, layers)
        if reason:
            unwritable[path] = reason
            continue
        if isinstance(change, Decomposed):
            written[path] = replace(change, change=change.change.as_low_rank())
        else:
            written[path] = change.as_low_rank()
        written[path] = _unflattened(written[path], kernel(path, family))
    return written, unwritable


def _unflattened(change: Change, kernel_size: tuple[int, ...]) -> Change:
    """A convolution's change with its kernel's axes, if it came without."""
    outputs, inputs, *axes = change.shape
    area = math.prod(kernel_size)
    if axes or not kernel_size or inputs % area:
        return change
    return reshaped(change, (outputs, inputs // area, *kernel_size)) or change


def _why_not_peft(path: str, change: Change, layers: Mapping[str, Change]) -> str:
    """Why PEFT cannot hold a layer; "" when it can."""
    if not isinstance(change, Decomposed):
        return ""
    if change.by_input:
        return "DoRA with one magnitude an input, which PEFT does not have"
    component = path.partition(".")[0]
    if any(layer.kind != "dora" for other, layer in layers.items() if other.startswith(f"{component}.")):
        return f"DoRA on some layers of the {component} only, which PEFT does not have"
    return ""


def _peft_magnitude(change: Decomposed) -> Tensor:
    """PEFT's shape of the magnitudes: [O], or [1, O, 1, 1] for a convolution."""
    magnitude = change.magnitude.reshape(-1)
    return magnitude.reshape(1, -1, 1, 1) if len(change.shape) == 4 else magnitude


def _write_kohya(layers: Mapping[str, Change], family: str) -> Written:
    """kohya's names, LyCORIS' for its own kinds; Flux's layers joined as the original model fuses them."""
    unwritable: dict[str, str] = {}
    modules: dict[str, dict[int, Change]] = {}
    for path, change in layers.items():
        found = kohya_name(path, family)
        if found is None:
            unwritable[path] = f"kohya's files for {family or 'this family'} have no name for it"
        else:
            modules.setdefault(found[0], {})[found[1]] = change
    tensors: dict[str, Tensor] = {}
    for name, parts in modules.items():
        try:
            tensors |= {f"{name}.{end}": tensor for end, tensor in _kohya_tensors(name, parts).items()}
        except SealShapeError as error:
            place = kohya_place(name)
            assert place is not None
            unwritable |= {place.paths[index]: str(error) for index in parts}
    return Written(tensors, unwritable)


def _write_lycoris(layers: Mapping[str, Change], family: str) -> Written:
    """diffusers' names with LyCORIS' endings and alphas: every kind as it is."""
    tensors = {
        f"{diffusers_name(path)}.{end}": tensor
        for path, change in layers.items()
        for end, tensor in _endings(change).items()
    }
    return Written(tensors, {})


def _kohya_tensors(name: str, parts: Mapping[int, Change]) -> dict[str, Tensor]:
    place = kohya_place(name)
    assert place is not None
    if place.swapped:
        return _endings(swapped(parts[0]))
    return _endings(joined(parts, len(place.paths)) if len(place.paths) > 1 else parts[0])


def _endings(change: Change) -> dict[str, Tensor]:
    if isinstance(change, Decomposed):
        ones = (1,) * (len(change.shape) - 2)
        shape = (1, -1, *ones) if change.by_input else (-1, 1, *ones)
        return _endings(change.change) | {"dora_scale": change.magnitude.reshape(shape)}
    if isinstance(change, Full):
        return {"diff": change.diff}
    alpha = torch.tensor(change.alpha, dtype=torch.float32)
    if isinstance(change, LowRank):
        return {"lora_down.weight": change.down, "lora_up.weight": change.up, "alpha": alpha}
    assert isinstance(change, Hadamard | Kronecker)
    prefix = "hada" if isinstance(change, Hadamard) else "lokr"
    fields = ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t1", "t2")
    present = {field: getattr(change, field, None) for field in fields}
    return {f"{prefix}_{field}": part for field, part in present.items() if part is not None} | {
        "alpha": alpha
    }


WRITERS: dict[str, Callable[[Mapping[str, Change], str], Written]] = {
    "diffusers": _write_diffusers,
    "kohya": _write_kohya,
    "lycoris": _write_lycoris,
}
"""Dialect -> its writer."""
