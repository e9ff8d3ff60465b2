"""The first LoRA files for Stable Diffusion (cloneofsimo's `lora`, winter 2022/23): tensors named by position.

"unet:7:up" and "unet:7:down" are the eighth layer met when walking the U-Net of that time and taking what lies in
modules of the classes that the header lists. Only Stable Diffusion 1 and 2 existed then, and both have the same
layout, so the walk is written down here and every position is checked by its shape.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from torch import Tensor

from ...errors import SealFormatError, SealShapeError
from .parts import Part
from .place import Place

_NAME = re.compile(r"(unet|text_encoder):([0-9]{1,5}):(up|down)")
_CHANNELS = (320, 640, 1280, 1280)
_NUM_TEXT_LAYERS = 24
_UNET_CLASSES = frozenset(("CrossAttention", "Attention", "GEGLU"))
_ADVICE = "these files are for Stable Diffusion 1 and 2 only; train the seal again for other bases"


class Spot(NamedTuple):
    """A layer on the walk. A size of 0 is the text encoder's width, which is the base's own matter."""

    path: str
    outputs: int
    inputs: int


class First:
    name = "first"

    def sort(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, Part]:
        """What each tensor is, by its name; nothing when the file is no such file.

        Raises: SealShapeError naming a position whose tensors do not fit the layer there; SealFormatError when the
        header does not say which classes were walked.
        """
        numbered: dict[str, dict[int, dict[str, str]]] = {}
        for name in tensors:
            match = _NAME.fullmatch(name)
            if match is not None:
                numbered.setdefault(match[1], {}).setdefault(int(match[2]), {})[match[3]] = name
        found: dict[str, Part] = {}
        for component, positions in numbered.items():
            walk = _walk(component, positions, tensors, metadata)
            for position, names in positions.items():
                if position < len(walk):
                    spot = walk[position]
                    _check(spot, names, tensors)
                    place = Place((spot.path,))
                    found |= {name: Part(place, role, self.name) for role, name in names.items()}
        return found


def unet_walk(classes: frozenset[str], attn2_last: bool) -> list[Spot]:
    """The layers of Stable Diffusion's U-Net inside modules of `classes`, in the order of the walk.

    `attn2_last`: whether a transformer block holds its feed-forward part before its second attention, as it did
    until the spring of 2023.
    """
    spots: list[Spot] = []
    for level in range(4):
        layers = [(_CHANNELS[max(level - 1, 0)], _CHANNELS[level]), (_CHANNELS[level],) * 2]
        spots += _block(f"unet.down_blocks.{level}", layers, level < 3, classes, attn2_last)
    for level, width in enumerate(reversed(_CHANNELS)):
        below = _CHANNELS[min(4 - level, 3)]
        skips = [width, width, _CHANNELS[max(2 - level, 0)]]
        layers = [(before + skip, width) for before, skip in zip((below, width, width), skips, strict=True)]
        spots += _block(f"unet.up_blocks.{level}", layers, level > 0, classes, attn2_last)
    width = _CHANNELS[-1]
    attentions = _attention("unet.mid_block.attentions.0", width, classes, attn2_last)
    resnets = [spot for i in (0, 1) for spot in _resnet(f"unet.mid_block.resnets.{i}", width, width, classes)]
    return [*spots, *attentions, *resnets]


def text_walk() -> list[Spot]:
    """The text encoder's attention layers, in the order in which CLIP's attention holds them."""
    order = ("k_proj", "v_proj", "q_proj", "out_proj")
    return [
        Spot(f"text_encoder.encoder.layers.{layer}.self_attn.{leaf}", 0, 0)
        for layer in range(_NUM_TEXT_LAYERS)
        for leaf in order
    ]


def _block(
    path: str, layers: list[tuple[int, int]], has_attention: bool, classes: frozenset[str], attn2_last: bool
) -> Iterator[Spot]:
    """One level: its attentions come before its resnets, as the module holds them."""
    if has_attention:
        for i, (_, width) in enumerate(layers):
            yield from _attention(f"{path}.attentions.{i}", width, classes, attn2_last)
    for i, (inputs, outputs) in enumerate(layers):
        yield from _resnet(f"{path}.resnets.{i}", inputs, outputs, classes)


def _attention(path: str, width: int, classes: frozenset[str], attn2_last: bool) -> Iterator[Spot]:
    block = f"{path}.transformer_blocks.0"
    parts = ("attn1", "ff", "attn2") if attn2_last else ("attn1", "attn2", "ff")
    for part in parts:
        if part == "ff":
            if "GEGLU" in classes:
                yield Spot(f"{block}.ff.net.0.proj", 8 * width, width)
        elif not classes.isdisjoint(("CrossAttention", "Attention")):
            context = width if part == "attn1" else 0
            yield Spot(f"{block}.{part}.to_q", width, width)
            yield Spot(f"{block}.{part}.to_k", width, context)
            yield Spot(f"{block}.{part}.to_v", width, context)
            yield Spot(f"{block}.{part}.to_out.0", width, width)


def _resnet(path: str, inputs: int, outputs: int, classes: frozenset[str]) -> Iterator[Spot]:
    if "ResnetBlock2D" in classes:
        yield Spot(f"{path}.conv1", outputs, inputs)
        yield Spot(f"{path}.time_emb_proj", outputs, 4 * _CHANNELS[0])
        yield Spot(f"{path}.conv2", outputs, outputs)
        if inputs != outputs:
            yield Spot(f"{path}.conv_shortcut", outputs, inputs)


def _walk(
    component: str,
    positions: Mapping[int, Mapping[str, str]],
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
) -> list[Spot]:
    if component == "text_encoder":
        return text_walk()
    classes = _classes(metadata)
    fifth = positions.get(4, {}).get("up")
    attn2_last = fifth is None or tensors[fifth].shape[0] == 8 * _CHANNELS[0]
    return unet_walk(classes, attn2_last)


def _classes(metadata: Mapping[str, str]) -> frozenset[str]:
    """The classes that the header says were walked; those of the time when it says nothing."""
    text = metadata.get("unet")
    if text is None:
        return _UNET_CLASSES
    try:
        classes = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SealFormatError(f"the header's list of classes is no JSON: {error}", _ADVICE) from error
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise SealFormatError(f"the header's list of classes is {text[:80]!r}", _ADVICE)
    return frozenset(classes)


def _check(spot: Spot, names: Mapping[str, str], tensors: Mapping[str, Tensor]) -> None:
    for role, name in names.items():
        tensor = tensors[name]
        axis, expected = (0, spot.outputs) if role == "up" else (1, spot.inputs)
        if tensor.ndim < 2 or (expected and tensor.shape[axis] != expected):
            raise SealShapeError(
                f"{name!r} {tuple(tensor.shape)} does not fit {spot.path!r}, which stands at its position",
                _ADVICE,
            )
