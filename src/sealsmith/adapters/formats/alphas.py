"""Alphas that are not among the tensors: PEFT's configuration in the header of diffusers' files, both ways."""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import SealFormatError
from ..changes import Change
from .names_text import nested

CONFIG_KEY = "lora_adapter_metadata"
_COMPONENTS = ("unet", "transformer", "text_encoder", "text_encoder_2")
_DAMAGED = "fetch the file again, or remove that entry of its header"


@dataclass(frozen=True)
class _Alphas:
    """What one component's configuration says about alpha."""

    alpha: Any
    patterns: Mapping[str, Any]
    use_rslora: bool


class HeaderAlphas:
    """What a file's header says about alpha, asked layer by layer."""

    def __init__(self, metadata: Mapping[str, str]):
        config = _parse(metadata.get(CONFIG_KEY, "{}"))
        prefixed = any(key.partition(".")[0] in _COMPONENTS for key in config)
        # Without prefixes it is the file of one component, written by that component itself.
        self._components = {
            component: _alphas(config, f"{component}." if prefixed else "") for component in _COMPONENTS
        }

    def alpha(self, path: str, rank: int) -> float | None:
        """The layer's alpha, such that alpha / rank is its scale; None when the header says nothing.

        With `use_rslora` PEFT scales by alpha / sqrt(rank).
        Raises: SealFormatError when it is no number.
        """
        component, _, module = path.partition(".")
        config = self._components[component]
        alpha = _matching(config.patterns, module, config.alpha)
        if alpha is None:
            return None
        if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not math.isfinite(alpha):
            raise SealFormatError(f"the header's alpha for {path!r} is {alpha!r}, not a number", _DAMAGED)
        return alpha * math.sqrt(rank) if config.use_rslora else float(alpha)


def _alphas(config: Mapping[str, Any], prefix: str) -> _Alphas:
    patterns = config.get(f"{prefix}alpha_pattern")
    plain = (
        {key.replace("\\", ""): value for key, value in patterns.items()}
        if isinstance(patterns, dict)
        else {}
    )
    return _Alphas(config.get(f"{prefix}lora_alpha"), plain, config.get(f"{prefix}use_rslora") is True)


def adapter_config(layers: Mapping[str, Change]) -> dict[str, Any]:
    """What diffusers' files state under "lora_adapter_metadata": the `peft.LoraConfig` of every component.

    `layers` are low-rank, or DoRA around low-rank, as `write_layers` wrote them. Keys have the component in front.
    Ranks and alphas that are not the component's commonest are listed by layer.
    """
    config: dict[str, Any] = {}
    for component in _COMPONENTS:
        own = f"{component}."
        mine = {path.removeprefix(own): layer for path, layer in layers.items() if path.startswith(own)}
        if mine:
            config |= {own + key: value for key, value in _component_config(component, mine).items()}
    return config


def _component_config(component: str, layers: Mapping[str, Change]) -> dict[str, Any]:
    rank = _commonest([layer.rank for layer in layers.values()])
    alpha = _commonest([layer.alpha for layer in layers.values()])
    is_text = component.startswith("text")
    # The anchor keeps a short name ("proj_out") from standing for every layer that ends in it. Text encoders
    # have no such names, but a level that is there or not.
    anchor = "" if is_text else "^"
    return {
        "r": rank,
        "lora_alpha": _plain(alpha),
        "rank_pattern": {anchor + path: layer.rank for path, layer in layers.items() if layer.rank != rank},
        "alpha_pattern": {
            anchor + path: _plain(layer.alpha) for path, layer in layers.items() if layer.alpha != alpha
        },
        "target_modules": _targets(sorted(layers), is_text),
        "use_dora": any(layer.kind == "dora" for layer in layers.values()),
        "use_rslora": False,
    }


def _targets(paths: list[str], is_text: bool) -> list[str] | str:
    """Whole paths, which PEFT takes for the ends of names; or one expression, where that would be too many."""
    if is_text or all("." in path for path in paths):
        return paths
    return "|".join(re.escape(path) for path in paths)


def _commonest(values: list[float]) -> Any:
    """Of equally common ones the smallest, so that the order of the layers plays no part."""
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))


def _plain(alpha: float) -> float:
    """A whole number as an int, which is what PEFT's configuration declares."""
    return int(alpha) if float(alpha).is_integer() else alpha


def _parse(text: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SealFormatError(f"the header's {CONFIG_KEY!r} is no JSON: {error}", _DAMAGED) from error
    if not isinstance(config, dict):
        raise SealFormatError(f"the header's {CONFIG_KEY!r} is no table of settings", _DAMAGED)
    return config


def _matching(patterns: Mapping[str, Any], module: str, default: Any) -> Any:
    """The value of the longest pattern that is the module's path or the end of it, as PEFT matches them.

    Differs: patterns are plain names with or without "^" in front, as diffusers and we write them; PEFT takes
    regular expressions, which a stranger's file could make run for ever.
    """
    for path in (module, nested(module)):
        if f"^{path}" in patterns:
            return patterns[f"^{path}"]
        while path:
            if path in patterns:
                return patterns[path]
            path = path.partition(".")[2]
    return default
