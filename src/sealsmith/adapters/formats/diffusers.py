"""The dialect of PEFT and diffusers: `unet.<layer>.lora_A.weight` is down, `...lora_B.weight` is up."""

import json
import re
from collections.abc import Mapping

from torch import Tensor

from ...errors import SealFormatError
from ..changes import Change, LowRank

_KEY = re.compile(r"(?P<path>unet\..+)\.lora_(?P<half>[AB])\.weight")


def read(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> tuple[dict[str, Change], tuple[str, ...]]:
    halves: dict[str, dict[str, Tensor]] = {}
    unknown = []
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        if match is None:
            unknown.append(key)
            continue
        halves.setdefault(match["path"], {})[match["half"]] = tensor
    for path, found in halves.items():
        if len(found) < 2:
            missing = "lora_B" if "A" in found else "lora_A"
            raise SealFormatError(
                f"layer {path!r} has no {missing}", "the file is incomplete; fetch it again"
            )
    try:
        alpha = json.loads(metadata.get("lora_adapter_metadata", "{}")).get("unet.lora_alpha")
    except (ValueError, AttributeError) as error:
        raise SealFormatError(f"'lora_adapter_metadata' is no JSON object: {error}", "damaged") from error
    layers: dict[str, Change] = {
        path: LowRank(found["A"], found["B"], float(alpha or found["A"].shape[0]))
        for path, found in halves.items()
    }
    return layers, tuple(unknown)


def write(layers: Mapping[str, Change]) -> dict[str, Tensor]:
    named = {}
    for path, change in layers.items():
        low = change.as_low_rank()
        named[f"{path}.lora_A.weight"] = low.down
        named[f"{path}.lora_B.weight"] = low.up
    return named
