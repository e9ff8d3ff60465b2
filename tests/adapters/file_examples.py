"""Small `.safetensors` files made by hand, in several dialects, so that every part of them can be falsified."""

import copy
import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class File:
    """A file in the making: its JSON header as a value, and its tensors' bytes."""

    dialect: str
    header: dict[str, Any]
    data: bytes

    @property
    def keys(self) -> list[str]:
        return [key for key in self.header if key != "__metadata__"]

    def dump(self) -> bytes:
        return self.with_text(json.dumps(self.header, separators=(",", ":")).encode())

    def with_text(self, text: bytes) -> bytes:
        """The file with any bytes for its header."""
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text + self.data

    def edited(self, edit: Callable[[dict[str, Any]], object]) -> bytes:
        """The file after `edit` changed its header in place."""
        header = copy.deepcopy(self.header)
        edit(header)
        return File(self.dialect, header, self.data).dump()


def make_file(
    tensors: dict[str, tuple[str, tuple[int, ...], bytes]], dialect: str = "diffusers", **metadata: str
) -> File:
    """A sound file of tensors given as type, shape and bytes."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt", **metadata}}
    data = b""
    for key, (dtype, shape, content) in tensors.items():
        header[key] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    return File(dialect, header, data)


def numbers(dtype: str, *values: float) -> bytes:
    """Numbers as a file stores them."""
    if dtype == "BF16":
        return b"".join(struct.pack("<f", value)[2:] for value in values)
    code = {"F64": "d", "F32": "f", "F16": "e", "I64": "q"}[dtype]
    return struct.pack(f"<{len(values)}{code}", *values)


def ones(dtype: str, *shape: int) -> tuple[str, tuple[int, ...], bytes]:
    return dtype, shape, numbers(dtype, 1) * math.prod(shape)


def pair_keys(dialect: str, block: int) -> tuple[str, str]:
    """What a dialect calls down and up of one layer."""
    path = f"down_blocks.{block}.attentions.0.transformer_blocks.0.attn1.to_q"
    if dialect == "kohya":
        path = f"lora_unet_{path.replace('.', '_')}"
        return f"{path}.lora_down.weight", f"{path}.lora_up.weight"
    if dialect == "old-diffusers":
        return f"unet.{path}.lora.down.weight", f"unet.{path}.lora.up.weight"
    return f"unet.{path}.lora_A.weight", f"unet.{path}.lora_B.weight"


def good_file(dialect: str, dtype: str = "F32", alpha: tuple[str, bytes] | None = None) -> File:
    """Two layers of rank 2 with 6 inputs and 4 outputs; kohya's with an alpha, given as type and bytes."""
    tensors = {}
    for block in range(2):
        down, up = pair_keys(dialect, block)
        tensors |= {down: ones(dtype, 2, 6), up: ones(dtype, 4, 2)}
        if dialect == "kohya":
            kind, content = alpha or (dtype, numbers(dtype, 1))
            tensors[down.replace("lora_down.weight", "alpha")] = (kind, (), content)
    return make_file(tensors, dialect)


DIALECTS = ("diffusers", "old-diffusers", "kohya")
