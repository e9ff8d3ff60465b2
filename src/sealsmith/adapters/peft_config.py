"""The `peft.LoraConfig` that rebuilds an adapter, as diffusers keeps it in a file's header.

Only what differs from PEFT's defaults or states a fact: a complete dump would fail in every PEFT version that
lacks one of its keys. Checked against diffusers 0.42 and PEFT 0.21.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol

ADAPTER_KEY = "lora_adapter_metadata"
"""Where diffusers looks for it in a header. It must not stand beside alpha tensors: diffusers refuses both."""

_NESTED = "text_model."
"""A level of CLIP's text encoders that some versions of transformers have and others lack."""


class Ranked(Protocol):
    """What a layer must say of itself here."""

    @property
    def rank(self) -> int: ...

    @property
    def alpha(self) -> float: ...


def adapter_config(layers: Mapping[str, Ranked], use_dora: bool = False) -> dict[str, Any]:
    """The configs of all components in one table, each key with its component before it: "unet.r".

    `layers` by canonical path, component first. Every component that has layers has its keys: with a table
    that lacks one, diffusers would load that component with PEFT's defaults.
    """
    components = dict.fromkeys(path.partition(".")[0] for path in layers)
    return {
        f"{component}.{key}": value
        for component in components
        for key, value in lora_config(layers, component, use_dora).items()
    }


def lora_config(layers: Mapping[str, Ranked], component: str, use_dora: bool = False) -> dict[str, Any]:
    """Arguments of the `LoraConfig` of one component, ranks and alphas of single layers included.

    `r` and `lora_alpha` are the most frequent ones; layers that differ stand in `rank_pattern` and
    `alpha_pattern`. PEFT takes pattern keys as regular expressions on the end of a module's name: ours match one
    layer each, for in the denoiser they also name its beginning.
    """
    prefix = f"{component}."
    own = {path.removeprefix(prefix): layer for path, layer in layers.items() if path.startswith(prefix)}
    rank = _most_frequent([layer.rank for layer in own.values()])
    alpha = _most_frequent([_plain(layer.alpha) for layer in own.values()])
    is_text = component.startswith("text_encoder")
    return {
        "r": rank,
        "lora_alpha": alpha,
        "rank_pattern": {
            _pattern(path, is_text): layer.rank for path, layer in own.items() if layer.rank != rank
        },
        "alpha_pattern": {
            _pattern(path, is_text): _plain(layer.alpha)
            for path, layer in own.items()
            if _plain(layer.alpha) != alpha
        },
        "lora_dropout": 0.0,
        "target_modules": _targets(own, is_text),
        "use_dora": use_dora,
        "use_rslora": False,
    }


def _targets(paths: Mapping[str, Ranked], is_text: bool) -> list[str] | str:
    """Full paths, which PEFT matches with the ends of module names; or one expression for the exact names.

    The expression where a path has but one level: "proj_out" is the end of every block's "proj_out".
    """
    names = sorted(path.removeprefix(_NESTED) if is_text else path for path in paths)
    if all("." in name for name in names):
        return names
    return "|".join(re.escape(name) for name in names)


def _pattern(path: str, is_text: bool) -> str:
    # A text encoder's module may have one more level in front, so only the denoiser's are tied to the beginning.
    return re.escape(path.removeprefix(_NESTED)) if is_text else f"^{re.escape(path)}"


def _most_frequent(values: list[Any]) -> Any:
    """Of equally frequent ones the smallest, so that the order of the layers plays no part."""
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))


def _plain(alpha: float) -> int | float:
    return int(alpha) if float(alpha).is_integer() else alpha
