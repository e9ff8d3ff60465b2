"""The first LoRA files, whose tensors are numbered in the order of a walk through the models."""

import json

import pytest
import torch
from torch import Tensor, nn

from sealsmith.adapters.changes import LowRank
from sealsmith.adapters.formats import read_layers
from sealsmith.adapters.formats.first import text_walk, unet_walk
from sealsmith.bases.architectures import full_size
from sealsmith.errors import SealFormatError, SealShapeError

DEFAULT = frozenset(("CrossAttention", "Attention", "GEGLU"))
EXTENDED = DEFAULT | {"ResnetBlock2D"}


def walked(component: str, classes: frozenset[str]) -> list[tuple[str, torch.Size]]:
    """Path and weight's shape of every layer inside a module of those classes, as these files' trainer met them."""
    return [
        (f"{component}.{ancestor}.{name}".replace(".text_model", ""), module.weight.shape)
        for ancestor, parent in full_size("sd1")[component].named_modules()
        if type(parent).__name__ in classes
        for name, module in parent.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    ]


@pytest.mark.parametrize("classes", [DEFAULT, EXTENDED, frozenset(("Attention",)), frozenset(("GEGLU",))])
def test_the_unet_is_walked_as_its_module_is(classes: frozenset[str]) -> None:
    """Today's blocks hold attn1, attn2, ff; all else is held in the order of then."""
    spots = unet_walk(classes, attn2_last=False)
    expected = walked("unet", classes)
    assert [spot.path for spot in spots] == [path for path, _ in expected]
    for spot, (_, shape) in zip(spots, expected, strict=True):
        assert spot.outputs == shape[0]
        assert spot.inputs in (0, shape[1])


def test_blocks_of_that_time_held_their_second_attention_last() -> None:
    spots = unet_walk(DEFAULT, attn2_last=True)
    inside = [spot.path.rpartition("transformer_blocks.0.")[2] for spot in spots[:9]]
    attentions = [
        f"attn{number}.{leaf}" for number in (1, 2) for leaf in ("to_q", "to_k", "to_v", "to_out.0")
    ]
    assert inside == [*attentions[:4], "ff.net.0.proj", *attentions[4:]]
    assert {spot.path for spot in spots} == {spot.path for spot in unet_walk(DEFAULT, attn2_last=False)}


def test_the_text_encoder_is_walked_as_its_module_is() -> None:
    expected = walked("text_encoder", frozenset(("CLIPAttention",)))
    assert [spot.path for spot in text_walk()][: len(expected)] == [path for path, _ in expected]


def first_file(classes: frozenset[str], attn2_last: bool, rank: int = 2) -> dict[str, Tensor]:
    """A whole file for Stable Diffusion 1.5; every tensor is filled with its position."""
    shapes = {
        f"{component}.{name}".replace(".text_model", ""): module.weight.shape
        for component, model in full_size("sd1").items()
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    }
    tensors = {}
    text = [spot for spot in text_walk() if spot.path in shapes]
    for component, spots in (("unet", unet_walk(classes, attn2_last)), ("text_encoder", text)):
        for position, spot in enumerate(spots):
            outputs, inputs, *kernel = shapes[spot.path]
            ones = [1] * len(kernel)
            tensors[f"{component}:{position}:up"] = torch.full((outputs, rank, *ones), float(position))
            tensors[f"{component}:{position}:down"] = torch.ones(rank, inputs, *kernel)
    return tensors


def header(classes: frozenset[str]) -> dict[str, str]:
    return {"unet": json.dumps(sorted(classes)), "text_encoder": '["CLIPAttention"]', "<s1>": "<embed>"}


@pytest.mark.parametrize("classes", [DEFAULT, EXTENDED])
@pytest.mark.parametrize("attn2_last", [True, False])
def test_a_whole_file_is_read_layer_by_layer(classes: frozenset[str], attn2_last: bool) -> None:
    file = first_file(classes, attn2_last) | {"<s1>": torch.zeros(768)}
    parsed = read_layers(file, header(classes))
    assert parsed.dialect == "first"
    assert parsed.unknown == ("<s1>",)
    spots = unet_walk(classes, attn2_last)
    assert len(parsed.layers) == len(spots) + 48
    for position, spot in enumerate(spots):
        change = parsed.layers[spot.path]
        assert change.alpha == change.rank == 2
        assert isinstance(change, LowRank)
        assert float(change.up.mean()) == position


def test_a_position_beyond_the_walk_is_unknown() -> None:
    tensors = {"text_encoder:96:up": torch.ones(4, 2), "text_encoder:96:down": torch.ones(2, 4)}
    assert read_layers(tensors).unknown == ("text_encoder:96:down", "text_encoder:96:up")


def test_a_file_for_another_model_is_refused() -> None:
    tensors = {"unet:0:up": torch.ones(64, 2), "unet:0:down": torch.ones(2, 64)}
    with pytest.raises(SealShapeError, match=r"'unet:0:up' \(64, 2\) does not fit 'unet.down_blocks.0"):
        read_layers(tensors)
    with pytest.raises(SealShapeError, match=r"'unet:0:up' \(320,\) does not fit"):
        read_layers({"unet:0:up": torch.ones(320)})


@pytest.mark.parametrize("classes", ["{", "5", '{"a": 1}', "[1]"])
def test_a_list_of_classes_that_is_none_is_refused(classes: str) -> None:
    with pytest.raises(SealFormatError, match="the header's list of classes is"):
        read_layers({"unet:0:up": torch.ones(320, 2)}, {"unet": classes})
