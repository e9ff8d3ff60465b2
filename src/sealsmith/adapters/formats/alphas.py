"""Alphas that are not among the tensors: PEFT's configuration in the header of diffusers' files, both ways."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ...errors import SealFormatError
from ..changes import Change
from .names_text import nested

CONFIG_KEY = "lora_adapter_metadata"
_COMPONENTS = ("unet", "transformer", "text_encoder", "text_encoder_2")
_DAMAGED = "fetch the file again, or remove that entry of its header"


class HeaderAlphas:
    """What a file's header says about alpha, asked layer by layer."""

    def __init__(self, metadata: Mapping[str, str]):
        self._config = _parse(metadata.get(CONFIG_KEY, "{}"))

    def alpha(self, path: str, rank: int) -> float | None:
        """The layer's alpha, such that alpha / rank is its scale; None when the header says nothing.

        With `use_rslora` PEFT scales by alpha / sqrt(rank).
        Raises: SealFormatError when it is no number.
        """
        component, _, module = path.partition(".")
        own = f"{component}."
        config = {key.removeprefix(own): value for key, value in self._config.items() if key.startswith(own)}
        if not config and not any(key.startswith(f"{name}.") for key in self._config for name in _COMPONENTS):
            config = self._config  # of a file with one component, written by that component itself
        alpha = config.get("lora_alpha")
        patterns = config.get("alpha_pattern") or {}
        if isinstance(patterns, dict):
            alpha = _matching(patterns, module, alpha)
        if alpha is None:
            return None
        if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not math.isfinite(alpha):
            raise SealFormatError(f"the header's alpha for {path!r} is {alpha!r}, not a number", _DAMAGED)
        return alpha * math.sqrt(rank) if config.get("use_rslora") is True else float(alpha)


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
    rank = Counter(layer.rank for layer in layers.values()).most_common(1)[0][0]
    alpha = Counter(layer.alpha for layer in layers.values()).most_common(1)[0][0]
    # The anchor keeps a short name ("proj_out") from standing for every layer that ends in it. Text encoders
    # have no such names, but a level that is there or not.
    anchor = "" if component.startswith("text") else "^"
    return {
        "r": rank,
        "lora_alpha": _plain(alpha),
        "rank_pattern": {anchor + path: layer.rank for path, layer in layers.items() if layer.rank != rank},
        "alpha_pattern": {
            anchor + path: _plain(layer.alpha) for path, layer in layers.items() if layer.alpha != alpha
        },
        "target_modules": _targets(layers),
        "use_dora": any(layer.kind == "dora" for layer in layers.values()),
        "use_rslora": False,
    }


def _targets(paths: Iterable[str]) -> list[str] | str:
    """The layers' names, which PEFT also finds at the end of longer ones; or one expression for these alone.

    The expression where a name has but one level: every block of Flux ends in a "proj_out" too.
    """
    names = sorted(paths)
    return names if all("." in name for name in names) else "|".join(map(re.escape, names))


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

    Differs: patterns are plain names, as diffusers writes them; PEFT takes regular expressions, which a stranger's
    file could make run for ever.
    """
    for path in (module, nested(module)):
        if f"^{path}" in patterns:
            return patterns[f"^{path}"]
        while path:
            if path in patterns:
                return patterns[path]
            path = path.partition(".")[2]
    return default
