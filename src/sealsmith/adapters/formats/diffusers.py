"""The dialect of PEFT and diffusers: `unet.<layer>.lora_A.weight` is down, `...lora_B.weight` is up."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from ...errors import SealFormatError
from ..seal import Layer

_KEY = re.compile(r"(?P<path>unet\..+)\.lora_(?P<half>[AB])\.weight")


class Diffusers:
    name = "diffusers"

    def is_mine(self, keys: Iterable[str]) -> bool:
        return all(_KEY.fullmatch(key) for key in keys)

    def layers(self, state: Mapping[str, Tensor]) -> dict[str, Layer]:
        halves: dict[str, dict[str, Tensor]] = {}
        for key, tensor in state.items():
            match = _KEY.fullmatch(key)
            if match is None:
                raise SealFormatError(
                    f"unknown tensor name {key!r}", "this is not a seal in diffusers' dialect"
                )
            halves.setdefault(match["path"], {})[match["half"]] = tensor
        for path, found in halves.items():
            if len(found) < 2:
                missing = "lora_B" if "A" in found else "lora_A"
                raise SealFormatError(
                    f"layer {path!r} has no {missing}", "the file is incomplete; fetch it again"
                )
        return {path: Layer(down=found["A"], up=found["B"]) for path, found in halves.items()}

    def state(self, layers: Mapping[str, Layer]) -> dict[str, Tensor]:
        named = {}
        for path, layer in layers.items():
            named[f"{path}.lora_A.weight"] = layer.down
            named[f"{path}.lora_B.weight"] = layer.up
        return named
