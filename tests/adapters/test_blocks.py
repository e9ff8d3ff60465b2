"""Laws of blocks: every layer of a base is in exactly one, under the name the original network gave it."""

import re
from collections.abc import Iterator, Mapping

import pytest
import torch
from torch import nn

from sealsmith.adapters.blocks import (
    FLUX,
    PRESETS,
    SD1,
    SDXL,
    BlockWeights,
    FluxLayout,
    Layout,
    UNetLayout,
    find_layout,
    parse_block_weights,
    side,
    uniform_weight,
)
from sealsmith.bases import architectures
from sealsmith.errors import ConfigError

TINY = UNetLayout(3, 1)


LAYOUTS = {"sd1": SD1, "sd2": SD1, "sdxl": SDXL, "flux": FLUX}


def layer_paths(components: Mapping[str, nn.Module]) -> Iterator[str]:
    """Every module with a weight of its own: all a seal could adapt, and more."""
    for component, module in components.items():
        for path, layer in module.named_modules():
            if isinstance(getattr(layer, "weight", None), torch.Tensor):
                yield f"{component}.{path}"


@pytest.fixture(scope="module", params=LAYOUTS)
def full_size(request: pytest.FixtureRequest) -> tuple[list[str], Layout]:
    return list(layer_paths(architectures.full_size(request.param))), LAYOUTS[request.param]


def test_every_layer_is_in_one_block_and_every_block_has_layers(full_size: tuple[list[str], Layout]) -> None:
    paths, layout = full_size
    blocks = {layout.block(path) for path in paths}
    assert len(paths) > 300
    assert blocks == set(layout.ids)


def test_the_layout_is_found_from_module_names(full_size: tuple[list[str], Layout]) -> None:
    paths, layout = full_size
    assert find_layout(paths) == layout
    denoiser = [path for path in paths if not path.startswith("text_encoder")]
    assert find_layout([path.partition(".")[2] for path in denoiser]) == layout


def test_weights_reach_every_layer_of_their_block_and_no_other(full_size: tuple[list[str], Layout]) -> None:
    paths, layout = full_size
    for loud in layout.ids:
        numbers = ",".join(str(int(block == loud)) for block in layout.ids)
        weights = parse_block_weights(numbers, layout=layout)
        assert all(weights.weight(path) == (layout.block(path) == loud) for path in paths)


def test_all_is_as_without_block_weights_and_none_as_without_a_seal(
    full_size: tuple[list[str], Layout],
) -> None:
    paths, layout = full_size
    for numbers, expected in {"ALL": 1.0, "": 1.0, "NONE": 0.0, "ALL0.5": 0.5, "0.25": 0.25}.items():
        weights = parse_block_weights(numbers, layout=layout)
        assert {weights.weight(path) for path in paths} == {expected}
        assert uniform_weight(numbers) == expected


@pytest.mark.parametrize(
    ("layout", "path", "original"),
    [
        (SD1, "unet.conv_in", "IN00"),
        (SD1, "unet.down_blocks.0.attentions.0.proj_in", "IN01"),
        (SD1, "unet.down_blocks.0.downsamplers.0.conv", "IN03"),
        (SD1, "unet.down_blocks.2.resnets.1.conv1", "IN08"),
        (SD1, "unet.down_blocks.2.downsamplers.0.conv", "IN09"),
        (SD1, "unet.down_blocks.3.resnets.1.conv2", "IN11"),
        (SD1, "unet.mid_block.resnets.1.conv1", "MID"),
        (SD1, "unet.up_blocks.0.upsamplers.0.conv", "OUT02"),
        (SD1, "unet.up_blocks.1.attentions.0.proj_in", "OUT03"),
        (SD1, "unet.up_blocks.3.attentions.2.proj_in", "OUT11"),
        (SD1, "unet.conv_out", "OUT11"),
        (SD1, "unet.time_embedding.linear_1", "BASE"),
        (SD1, "text_encoder.encoder.layers.3.self_attn.q_proj", "BASE"),
        (SDXL, "unet.down_blocks.1.attentions.0.proj_in", "IN04"),
        (SDXL, "unet.down_blocks.2.attentions.1.proj_in", "IN08"),
        (SDXL, "unet.up_blocks.0.attentions.0.proj_in", "OUT00"),
        (SDXL, "unet.up_blocks.1.attentions.2.proj_in", "OUT05"),
        (SDXL, "unet.add_embedding.linear_1", "BASE"),
        (FLUX, "transformer.transformer_blocks.18.attn.to_q", "D18"),
        (FLUX, "transformer.single_transformer_blocks.7.proj_mlp", "S07"),
        (FLUX, "transformer.x_embedder", "IN"),
        (FLUX, "transformer.time_text_embed.guidance_embedder.linear_1", "IN"),
        (FLUX, "transformer.norm_out.linear", "OUT"),
        (FLUX, "text_encoder.encoder.layers.3.mlp.fc1", "CLIP"),
        (FLUX, "text_encoder_2.encoder.block.0.layer.0.SelfAttention.q", "T5"),
        (TINY, "unet.down_blocks.1.downsamplers.0.conv", "IN04"),
        (TINY, "unet.up_blocks.1.upsamplers.0.conv", "OUT03"),
    ],
)
def test_blocks_have_the_original_networks_names(layout: Layout, path: str, original: str) -> None:
    assert layout.block(path) == original


def test_the_lists_have_the_fields_lengths() -> None:
    assert [len(layout.ids) for layout in (SD1, SDXL, FLUX)] == [26, 20, 61]
    assert [len(layout.short_ids) for layout in (SD1, SDXL, FLUX)] == [17, 12, 61]
    assert FLUX.ids[:4] == ("CLIP", "T5", "IN", "D00")
    assert FLUX.ids[22] == "S00"


@pytest.mark.parametrize(
    ("preset", "numbers"),
    [
        ("INS", "1,1,1,1,0,0,0,0,0,0,0,0,0,0,0,0,0"),
        ("IND", "1,0,0,0,1,1,1,0,0,0,0,0,0,0,0,0,0"),
        ("INALL", "1,1,1,1,1,1,1,0,0,0,0,0,0,0,0,0,0"),
        ("MIDD", "1,0,0,0,1,1,1,1,1,1,1,1,0,0,0,0,0"),
        ("OUTD", "1,0,0,0,0,0,0,0,1,1,1,1,0,0,0,0,0"),
        ("OUTS", "1,0,0,0,0,0,0,0,0,0,0,0,1,1,1,1,1"),
        ("outall", "1,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1"),
    ],
)
def test_presets_are_the_extensions_lists(preset: str, numbers: str) -> None:
    assert parse_block_weights(preset, layout=SD1) == parse_block_weights(numbers)


@pytest.mark.parametrize("layout", [SD1, SDXL, TINY, UNetLayout(2, 1)])
def test_halves_make_the_whole_on_every_u_net(layout: Layout) -> None:
    def loud(preset: str) -> set[str]:
        weights = parse_block_weights(preset, layout=layout).weights
        return {block for block, weight in weights.items() if weight} - {"BASE"}

    assert loud("INS") | loud("IND") == loud("INALL")
    assert loud("OUTD") | loud("OUTS") == loud("OUTALL")
    assert not loud("INS") & loud("IND")
    assert loud("INALL") | loud("MIDALL") | loud("OUTALL") == set(layout.ids) - {"BASE"}
    assert loud("MIDD") == loud("IND") | {"MID"} | loud("OUTD")


def test_a_block_a_short_list_leaves_out_takes_its_neighbours_weight() -> None:
    numbers = [round(0.01 * number, 2) for number in range(17)]
    weights = parse_block_weights(",".join(map(str, numbers))).weights
    listed = dict(zip(SD1.short_ids, numbers, strict=True))
    assert all(weights[block] == number for block, number in listed.items())
    stand_ins = {"IN00": "IN01", "IN03": "IN02", "IN06": "IN05", "IN11": "IN08", "OUT02": "OUT03"}
    assert all(weights[block] == listed[other] for block, other in stand_ins.items())


def test_elements_take_the_place_of_their_blocks_weight() -> None:
    weights = parse_block_weights("ALL0.5", "ATTNDEEPOFF", SD1)
    assert weights.weight("unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q") == 0
    assert weights.weight("unet.mid_block.resnets.0.conv1") == 0.5
    assert weights.weight("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q") == 0.5


@pytest.mark.parametrize(
    ("path", "third"),
    [
        ("unet.conv_in", "in"), ("unet.time_embedding.linear_1", "in"), ("unet.down_blocks.0.x", "in"),
        ("unet.mid_block.x", "mid"), ("unet.up_blocks.0.x", "out"), ("unet.conv_out", "out"),
        ("transformer.x_embedder", None), ("text_encoder.encoder", None),
    ],
)  # fmt: skip
def test_thirds_of_a_u_net(path: str, third: str | None) -> None:
    assert side(path) == third


@pytest.mark.parametrize(
    ("numbers", "layout", "problem", "remedy"),
    [
        ("1,0", None, "2 block weights fits no known network", "17 or 26 numbers"),
        (
            "1,0",
            SD1,
            "2 block weights does not fit",
            r"26 numbers \(BASE, IN00-IN11, MID, OUT00-OUT11\) or 17",
        ),
        (",".join("1" * 17), TINY, "17 block weights does not fit", r"14 numbers .* in=, mid= and out="),
        ("INSIDE", SD1, "no block weights called 'INSIDE'", "INS, IND"),
        ("INS", FLUX, "'INS' are for U-Nets", "61 numbers: CLIP, T5, IN, D00-D18, S00-S37, OUT"),
        ("1,R,0", None, "hold 'R', which no picture could be repeated with", "a number"),
        ("1,x,0", None, "no list of numbers", "write"),
        ("1,nan", None, "not all finite", "write"),
    ],
)
def test_what_fits_no_base_is_refused_with_what_does(
    numbers: str, layout: Layout | None, problem: str, remedy: str
) -> None:
    with pytest.raises(ConfigError, match=problem) as error:
        parse_block_weights(numbers, layout=layout)
    assert re.search(remedy, error.value.remedy)


def test_elements_need_blocks_of_their_name() -> None:
    with pytest.raises(ConfigError, match="no lbwe='ATTN'"):
        parse_block_weights("ALL", "ATTN", SD1)
    with pytest.raises(ConfigError, match="blocks IN05 to OUT05, which this base has not"):
        parse_block_weights("ALL", "ATTNDEEPON", FluxLayout(1, 1))


def test_a_list_for_another_network_is_no_silent_one() -> None:
    weights: BlockWeights = parse_block_weights(",".join("1" * 12))
    with pytest.raises(ConfigError, match="20 blocks, which has no IN11 for"):
        weights.weight("unet.down_blocks.3.resnets.1.conv1")


def test_a_network_without_blocks_is_refused() -> None:
    with pytest.raises(ConfigError, match="block weights need a U-Net or a Flux transformer"):
        find_layout(["layers.0.attention"])


def test_no_preset_is_a_number_or_a_list() -> None:
    assert all("," not in preset and not preset[0].isdigit() for preset in PRESETS)
