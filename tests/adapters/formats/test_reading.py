"""Reading files as other tools write them: endings, alphas, what is reported and what is refused."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_examples import KINDS, LAYERS, random_change, random_layers, weight_for
from torch import Tensor

from sealsmith.adapters.changes import Decomposed, Hadamard, Kronecker, LowRank
from sealsmith.adapters.formats import header_entries, read_layers, write_layers
from sealsmith.errors import SealError, SealFormatError, SealShapeError

Q = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
OUT = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0"
TEXT = "text_encoder.encoder.layers.0.self_attn.q_proj"
KOHYA_Q = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
DOWN = torch.arange(16.0).reshape(2, 8)
UP = torch.arange(12.0).reshape(6, 2)
UNKNOWN = (
    "lora_unet_conv_in.diff_b",
    f"{Q}.lora_B.bias",
    f"{KOHYA_Q}.oft_blocks",
    f"{KOHYA_Q}.w_norm",
    "lora_unet_down_blocks_0_strange_thing.lora_down.weight",
    "lora_unet_out_2_extra.alpha",
    "bundle_emb.sks.string_to_param.*",
    "unet.conv_out.lora_embedding_A",
    "text_encoder_3.encoder.block.0.layer.0.SelfAttention.q.lora_A.weight",
    "diffusion_model.joint_blocks.0.x_block.attn.qkv.lora_A.weight",
    "<s1>",
    "emb_params",
    "vision.x.lora_down.weight",
    "diffusion_model.input_blocks.1.0.in_layers.0.diff",
    "text_encoders.clip_l.transformer.text_model.encoder.layers.0.layer_norm1.diff",
    f"{Q}.diff",
    "base_model.model.encoder.down_blocks.0.lora_A.weight",
)


def rewritten(tensors: dict[str, Tensor], dialect: str) -> dict[str, Tensor]:
    """A diffusers file's tensors under the names of an older or other dialect."""
    if dialect == "diffusers-old":
        ends = {".lora_A.weight": ".lora.down.weight", ".lora_B.weight": ".lora.up.weight"}
    else:
        ends = {".lora_A.weight": ".lora_down.weight", ".lora_B.weight": ".lora_up.weight"}
    renamed = {}
    for name, tensor in tensors.items():
        for end, other in ends.items():
            if name.endswith(end):
                name = name.removesuffix(end) + other
        renamed[name] = tensor
    return renamed


def file_of(dialect: str) -> dict[str, Tensor]:
    if dialect == "first":
        return {"text_encoder:0:up": torch.ones(8, 2), "text_encoder:0:down": torch.ones(2, 8)}
    if dialect == "original":
        return {
            "diffusion_model.double_blocks.0.img_attn.qkv.lora_A.weight": torch.ones(2, 8),
            "diffusion_model.double_blocks.0.img_attn.qkv.lora_B.weight": torch.ones(24, 2),
        }
    layers = random_layers(LAYERS["sd1"], ["lora"], [2], [1.0])
    if dialect == "kohya":
        return write_layers(layers, "kohya", "sd1").tensors
    return rewritten(write_layers(layers, "diffusers", "sd1").tensors, dialect)


@pytest.mark.parametrize("dialect", ["kohya", "diffusers", "diffusers-old", "original", "first"])
@given(st.sets(st.sampled_from(UNKNOWN)), st.sets(st.text("xyz._", min_size=1, max_size=8)))
def test_every_unknown_tensor_is_reported_and_no_other(
    dialect: str, known: set[str], random: set[str]
) -> None:
    names = known | random
    file = file_of(dialect)
    parsed = read_layers(file | {name: torch.ones(1) for name in names})
    assert set(parsed.unknown) == names
    assert parsed.dialect == ("diffusers" if dialect == "diffusers-common" else dialect)
    assert parsed.layers.keys() == read_layers(file).layers.keys()


@settings(deadline=None, max_examples=30)
@given(
    family=st.sampled_from(list(LAYERS)),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3),
    data=st.data(),
)
def test_no_tensor_vanishes(family: str, kinds: list[str], data: st.DataObject) -> None:
    """Take any tensors away: the file is refused by name, or each one left matters or is reported."""
    whole = write_layers(random_layers(LAYERS[family], kinds, [2], [1.0]), "kohya", family).tensors
    left = data.draw(st.sets(st.sampled_from(sorted(whole)), min_size=1))
    try:
        parsed = read_layers({name: whole[name] for name in left})
    except SealError as error:
        message = str(error)
    else:
        message = ""
    if message:
        assert message.startswith("layer '")
        return
    read = left - set(parsed.unknown)
    assert bool(read) == bool(parsed.layers)
    assert all(name.endswith((".alpha", ".dora_scale")) for name in parsed.unknown)


@pytest.mark.parametrize(
    ("down", "up", "path", "dialect"),
    [
        (f"{KOHYA_Q}.lora_down.weight", f"{KOHYA_Q}.lora_up.weight", Q, "kohya"),
        (f"{KOHYA_Q}.lora_A.weight", f"{KOHYA_Q}.lora_B.weight", Q, "kohya"),
        (f"{Q}.lora_A.weight", f"{Q}.lora_B.weight", Q, "diffusers"),
        (f"{Q}.lora_A.default.weight", f"{Q}.lora_B.default.weight", Q, "diffusers"),
        (f"base_model.model.{Q}.lora_A.weight", f"base_model.model.{Q}.lora_B.weight", Q, "diffusers"),
        (f"{Q}.lora.down.weight", f"{Q}.lora.up.weight", Q, "diffusers-old"),
        (
            f"{OUT[:-9]}.processor.to_out_lora.down.weight",
            f"{OUT[:-9]}.processor.to_out_lora.up.weight",
            OUT,
            "diffusers-old",
        ),
        (
            f"{Q[5:-5]}.processor.to_q_lora.down.weight",
            f"{Q[5:-5]}.processor.to_q_lora.up.weight",
            Q,
            "diffusers-old",
        ),
        (
            "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.down.weight",
            "text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.up.weight",
            TEXT,
            "diffusers-old",
        ),
        (
            "text_encoder.text_model.encoder.layers.0.self_attn.to_q_lora.down.weight",
            "text_encoder.text_model.encoder.layers.0.self_attn.to_q_lora.up.weight",
            TEXT,
            "diffusers-old",
        ),
        (
            "double_blocks.0.processor.proj_lora1.down.weight",
            "double_blocks.0.processor.proj_lora1.up.weight",
            "transformer.transformer_blocks.0.attn.to_out.0",
            "original",
        ),
        (
            "single_blocks.0.processor.proj_lora.down.weight",
            "single_blocks.0.processor.proj_lora.up.weight",
            "transformer.single_transformer_blocks.0.proj_out",
            "original",
        ),
    ],
)
def test_halves_by_every_name_they_have_had(down: str, up: str, path: str, dialect: str) -> None:
    parsed = read_layers({down: DOWN, up: UP})
    assert parsed.unknown == ()
    assert parsed.dialect == dialect
    change = parsed.layers[path]
    assert change.alpha == change.rank == 2
    assert torch.equal(change.delta(), UP @ DOWN)


def test_a_file_may_mix_dialects() -> None:
    file = {
        f"{KOHYA_Q}.lora_down.weight": DOWN,
        f"{KOHYA_Q}.lora_up.weight": UP,
        f"{KOHYA_Q}.alpha": torch.tensor(1.0),
        f"{TEXT}.lora_A.weight": DOWN,
        f"{TEXT}.lora_B.weight": UP,
    }
    parsed = read_layers(file)
    assert parsed.layers.keys() == {Q, TEXT}
    assert parsed.layers[Q].alpha == 1.0
    assert parsed.dialect == "kohya"


HALVES = {f"{Q}.lora_A.weight": DOWN, f"{Q}.lora_B.weight": UP}


@pytest.mark.parametrize(
    ("config", "alpha"),
    [
        ({}, 2.0),
        ({"unet.lora_alpha": 8}, 8.0),
        ({"unet.r": 2, "unet.lora_alpha": 8, "unet.use_rslora": True}, 8 * math.sqrt(2)),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {Q[5:]: 3}}, 3.0),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {f"^{Q[5:]}": 3}}, 3.0),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"to_q": 3, "attn1.to_q": 5}}, 5.0),
        ({"unet.lora_alpha": 8, "unet.alpha_pattern": {"^to_q": 3, "to_k": 5}}, 8.0),
        ({"text_encoder.lora_alpha": 8}, 2.0),
        ({"r": 2, "lora_alpha": 8}, 8.0),
    ],
)
def test_alpha_is_found_in_the_header(config: dict[str, object], alpha: float) -> None:
    layers = read_layers(HALVES, {"lora_adapter_metadata": json.dumps(config)}).layers
    assert layers[Q].alpha == pytest.approx(alpha)


def test_an_alpha_tensor_goes_before_the_header() -> None:
    header = {"lora_adapter_metadata": json.dumps({"unet.lora_alpha": 8})}
    assert read_layers(HALVES | {f"{Q}.alpha": torch.tensor([5.0])}, header).layers[Q].alpha == 5.0


def test_a_text_encoders_alpha_is_found_with_its_old_level_or_without() -> None:
    file = {f"{TEXT}.lora_A.weight": DOWN, f"{TEXT}.lora_B.weight": UP}
    for level in ("", "text_model."):
        pattern = {f"{level}{TEXT.removeprefix('text_encoder.')}": 7}
        config = json.dumps({"text_encoder.lora_alpha": 1, "text_encoder.alpha_pattern": pattern})
        assert read_layers(file, {"lora_adapter_metadata": config}).layers[TEXT].alpha == 7.0


@pytest.mark.parametrize("dialect", ["diffusers", "kohya"])
def test_alphas_and_ranks_that_differ_by_layer_survive(dialect: str) -> None:
    layers = random_layers(LAYERS["flux"], ["lora"], [1, 2, 3], [0.25, 1.5, 2.0, 7.0])
    again = read_layers(write_layers(layers, dialect, "flux").tensors, header_entries(layers, dialect)).layers
    for path, change in layers.items():
        torch.testing.assert_close(again[path].delta(), change.delta())


@pytest.mark.parametrize(
    "config",
    ["{", "[1]", '{"unet.lora_alpha": "8"}', '{"unet.lora_alpha": true}', '{"unet.lora_alpha": NaN}'],
)
def test_a_header_that_makes_no_sense_is_refused(config: str) -> None:
    with pytest.raises(SealFormatError, match=r"the header's '?(lora_adapter_metadata|alpha)"):
        read_layers(HALVES, {"lora_adapter_metadata": config})


def test_the_middle_of_a_convolution_is_folded_into_its_down() -> None:
    generator = torch.Generator().manual_seed(0)
    down, up = torch.randn(2, 5, 1, 1, generator=generator), torch.randn(4, 2, 1, 1, generator=generator)
    mid = torch.randn(2, 2, 3, 3, generator=generator)
    name = "lora_unet_down_blocks_0_resnets_0_conv1"
    file = {f"{name}.lora_down.weight": down, f"{name}.lora_mid.weight": mid, f"{name}.lora_up.weight": up}
    change = read_layers(file).layers["unet.down_blocks.0.resnets.0.conv1"]
    picture = torch.randn(1, 5, 6, 6, generator=generator)
    one_by_one = torch.conv2d(torch.conv2d(torch.conv2d(picture, down), mid), up)
    torch.testing.assert_close(torch.conv2d(picture, change.delta()), one_by_one, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "magnitude", "by_input"),
    [
        ("dora_scale", torch.ones(6, 1), False),
        ("dora_scale", torch.ones(6), False),
        ("dora_scale", torch.ones(1, 8), True),
        ("lora_magnitude_vector", torch.ones(6), False),
        ("lora_magnitude_vector.weight", torch.ones(6), False),
        ("lora_magnitude_vector.default.weight", torch.ones(1, 6, 1, 1), False),
    ],
)
def test_magnitudes_by_every_name_they_have(name: str, magnitude: Tensor, by_input: bool) -> None:
    change = read_layers(HALVES | {f"{Q}.{name}": magnitude}).layers[Q]
    assert isinstance(change, Decomposed)
    assert change.by_input is by_input
    changed = weight_for((6, 8)) + change.delta(weight_for((6, 8)))
    torch.testing.assert_close(changed.norm(dim=0 if by_input else 1), torch.ones(8 if by_input else 6))


@pytest.mark.parametrize("name", ["alpha", "dora_scale"])
def test_what_changes_nothing_by_itself_is_reported(name: str) -> None:
    assert read_layers({f"{KOHYA_Q}.{name}": torch.ones(1)}).unknown == (f"{KOHYA_Q}.{name}",)


@pytest.mark.parametrize("kind", ["lora", "loha", "loha-core", "lokr", "lokr-core"])
def test_a_layer_with_a_missing_tensor_is_refused_by_name(kind: str) -> None:
    path = "unet.down_blocks.0.resnets.0.conv1"
    whole = write_layers({path: random_change(kind, (8, 8, 3, 3), 2, 1.0, 0)}, "kohya", "sd1").tensors
    for name in whole:
        if not name.endswith(".alpha"):
            # Without its core a LoKr's shapes no longer fit; all others are seen to be missing.
            with pytest.raises(SealError, match=rf"layer '{path}'(: its| has no| has one| has not exactly)"):
                read_layers({other: tensor for other, tensor in whole.items() if other != name})


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({f"{Q}.lora_A.default.weight": DOWN}, "stands in the file twice"),
        ({f"{KOHYA_Q}.lora_down.weight": DOWN, f"{KOHYA_Q}.lora_up.weight": UP}, "stands in the file twice"),
        ({f"{Q}.diff": torch.ones(6, 8)}, "tensors of two kinds: lora and full"),
        ({f"{Q}.dora_scale": torch.ones(6), f"{Q}.lora_magnitude_vector": torch.ones(6)}, "two magnitudes"),
    ],
)
def test_a_layer_said_twice_is_refused(extra: dict[str, Tensor], message: str) -> None:
    with pytest.raises(SealFormatError, match=message):
        read_layers(HALVES | extra)


def test_a_layer_fused_and_split_in_one_file_is_refused() -> None:
    path = "transformer.transformer_blocks.0.attn.to_k"
    file = file_of("original") | {f"{path}.lora_A.weight": DOWN, f"{path}.lora_B.weight": torch.ones(8, 2)}
    with pytest.raises(SealFormatError, match=f"layer '{path}' stands in the file twice"):
        read_layers(file)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"lora_A.weight": DOWN, "lora_B.weight": torch.ones(6, 3)}, r"down \(2, 8\), up \(6, 3\)"),
        ({"lora_A.weight": DOWN, "lora_B.weight": torch.ones(6, 2, 1, 1)}, "do not fit"),
        ({"lora_A.weight": torch.ones(2), "lora_B.weight": torch.ones(6)}, "do not fit"),
        ({"lora_A.weight": DOWN, "lora_B.weight": torch.ones(0, 2)}, "do not fit"),
        ({"lora_A.weight": torch.ones(0, 8), "lora_B.weight": torch.ones(6, 0)}, "do not fit"),
        ({"lora_A.weight": torch.tensor(1.0), "lora_B.weight": torch.tensor(1.0)}, "do not fit"),
        ({"lora_down.weight": DOWN, "lora_up.weight": UP, "lora_mid.weight": torch.ones(2, 2)}, "do not fit"),
        ({"lora_A.weight": DOWN, "lora_B.weight": UP, "alpha": torch.ones(2)}, "2 alphas, expected 1"),
        ({"lora_A.weight": DOWN, "lora_B.weight": UP, "dora_scale": torch.ones(7, 1)}, "do not fit"),
        ({"lora_A.weight": DOWN, "lora_B.weight": UP, "dora_scale": torch.ones(1, 7)}, "do not fit"),
        ({"diff": torch.ones(3, 3, 3)}, "do not fit"),
        ({"hada_w1_a": UP, "hada_w1_b": DOWN, "hada_w2_a": UP, "hada_w2_b": UP}, "do not fit"),
        ({"lokr_w1": UP, "lokr_w2_a": UP, "lokr_w2_b": UP}, "do not fit"),
        ({"lokr_w1": torch.ones(2), "lokr_w2": UP}, "do not fit"),
    ],
)
def test_tensors_that_do_not_fit_each_other_are_refused(tensors: dict[str, Tensor], message: str) -> None:
    with pytest.raises(SealShapeError, match=message):
        read_layers({f"{Q}.{end}": tensor for end, tensor in tensors.items()})


def test_lycoris_kinds_are_kept() -> None:
    for kind, expected in (("lora", LowRank), ("loha", Hadamard), ("lokr", Kronecker)):
        layers = {Q: random_change(kind, (8, 8), 2, 1.0, 0)}
        assert isinstance(read_layers(write_layers(layers, "kohya", "sd1").tensors).layers[Q], expected)


@pytest.mark.parametrize(
    "tensors",
    [
        {"lokr_w1": torch.ones(4000, 1), "lokr_w2": torch.ones(1, 40_000)},
        {"lokr_w1_a": torch.ones(10**6, 1), "lokr_w1_b": torch.ones(1, 10**6), "lokr_w2": torch.ones(1, 1)},
        {name: torch.ones(10**6, 1) for name in ("hada_w1_a", "hada_w2_a")}
        | {name: torch.ones(1, 10**6) for name in ("hada_w1_b", "hada_w2_b")},
        {
            "lora_down.weight": torch.ones(2, 320, 1, 1),
            "lora_up.weight": torch.ones(320, 2, 1, 1),
            "lora_mid.weight": torch.ones(2, 2, 300, 300),
        },
    ],
)
@pytest.mark.parametrize("module", [KOHYA_Q, "lora_unet_double_blocks_0_img_attn_qkv"])
def test_small_factors_of_a_huge_product_are_refused_before_they_are_multiplied(
    module: str, tensors: dict[str, Tensor]
) -> None:
    with pytest.raises(SealShapeError, match="expected at most"):
        read_layers({f"{module}.{end}": tensor for end, tensor in tensors.items()})
