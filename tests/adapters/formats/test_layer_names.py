"""Names both ways, on every adaptable layer of the real architectures (shells without memory)."""

from types import SimpleNamespace

import pytest
import torch
from diffusers.loaders.lora_conversion_utils import (
    _convert_non_diffusers_lora_to_diffusers,
    _maybe_map_sgm_blocks_to_diffusers,
)
from diffusers.utils import (
    convert_state_dict_to_diffusers,
    convert_state_dict_to_peft,
    convert_unet_state_dict_to_peft,
)
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sealsmith.adapters.formats.names import (
    diffusers_name,
    diffusers_place,
    kohya_name,
    kohya_place,
    original_place,
)
from sealsmith.adapters.formats.place import Place
from sealsmith.bases.architectures import full_size

BASES = {"sd1": "sd1", "sd2": "sd1", "sdxl": "sdxl", "flux": "flux"}
"""Architecture -> the family its files are written for."""
NUM_LAYERS = {"sd1": 354, "sd2": 420, "sdxl": 1059, "flux": 744}


def layer_paths(architecture: str) -> list[str]:
    return [
        f"{component}.{name.removeprefix('text_model.')}"
        for component, model in full_size(architecture).items()
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    ]


@pytest.mark.parametrize("architecture", BASES)
def test_every_layer_of_the_real_models_comes_back_from_its_kohya_name(architecture: str) -> None:
    paths = layer_paths(architecture)
    names = [kohya_name(path, BASES[architecture]) for path in paths]
    assert len(set(names)) == len(paths) == NUM_LAYERS[architecture]
    for path, name in zip(paths, names, strict=True):
        assert name is not None
        place = kohya_place(name[0])
        assert place is not None
        assert place.paths[name[1]] == path


@pytest.mark.parametrize("architecture", BASES)
def test_every_layer_of_the_real_models_comes_back_from_its_diffusers_name(architecture: str) -> None:
    for path in layer_paths(architecture):
        for spelling in (path, diffusers_name(path), f"base_model.model.{path}"):
            assert diffusers_place(spelling) == Place((path,))


@pytest.mark.parametrize("prefix", ["lora_transformer_", "lycoris_"])
def test_flux_names_with_diffusers_words_are_read_whatever_the_prefix(prefix: str) -> None:
    for path in layer_paths("flux"):
        if path.startswith("transformer."):
            name = prefix + path.removeprefix("transformer.").replace(".", "_")
            assert kohya_place(name) == Place((path,))


def test_sdxl_names_mean_to_stock_diffusers_what_they_mean_here() -> None:
    """Each layer's number rides through diffusers' own converter in the place of its tensors."""
    paths = layer_paths("sdxl")
    state = {}
    for number, path in enumerate(paths):
        name = kohya_name(path, "sdxl")
        assert name is not None
        for ending in ("lora_down.weight", "lora_up.weight", "alpha"):
            state[f"{name[0]}.{ending}"] = torch.tensor(float(number))
    mapped = _maybe_map_sgm_blocks_to_diffusers(state, SimpleNamespace(layers_per_block=2))
    converted, alphas = _convert_non_diffusers_lora_to_diffusers(mapped)
    assert len(alphas) == len(paths)
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in converted.items():
        component, _, rest = name.partition(".")
        parts.setdefault(component, {})[rest] = tensor
    found = {}
    for component, part in parts.items():
        if component == "unet":
            peft = convert_unet_state_dict_to_peft(part)
        else:
            peft = convert_state_dict_to_peft(convert_state_dict_to_diffusers(part))
        for name, tensor in peft.items():
            found[f"{component}.{name.removeprefix('text_model.')}"] = int(tensor)
    expected = {f"{path}.lora_{half}.weight": i for i, path in enumerate(paths) for half in "AB"}
    assert found == expected


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (
            "lora_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_q",
            "unet.down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_q",
        ),
        ("lora_unet_input_blocks_3_0_op", "unet.down_blocks.0.downsamplers.0.conv"),
        ("lora_unet_middle_block_2_out_layers_3", "unet.mid_block.resnets.1.conv2"),
        ("lora_unet_output_blocks_2_1_conv", "unet.up_blocks.0.upsamplers.0.conv"),
        ("lora_unet_output_blocks_8_0_skip_connection", "unet.up_blocks.2.resnets.2.conv_shortcut"),
        ("lora_unet_label_emb_0_2", "unet.add_embedding.linear_2"),
        ("lora_te_text_model_encoder_layers_11_mlp_fc1", "text_encoder.encoder.layers.11.mlp.fc1"),
        ("lora_te_encoder_layers_11_mlp_fc1", "text_encoder.encoder.layers.11.mlp.fc1"),
        (
            "lora_te3_encoder_block_0_layer_1_DenseReluDense_wi_0",
            "text_encoder_2.encoder.block.0.layer.1.DenseReluDense.wi_0",
        ),
    ],
)
def test_names_met_in_the_wild(name: str, path: str) -> None:
    assert kohya_place(name) == Place((path,))


@pytest.mark.parametrize(
    ("module", "paths"),
    [
        ("diffusion_model.input_blocks.1.0.in_layers.2", ("unet.down_blocks.0.resnets.0.conv1",)),
        ("model.diffusion_model.out.2", ("unet.conv_out",)),
        (
            "diffusion_model.double_blocks.3.txt_attn.qkv",
            tuple(f"transformer.transformer_blocks.3.attn.add_{x}_proj" for x in "qkv"),
        ),
        ("double_blocks.3.processor.proj_lora2", ("transformer.transformer_blocks.3.attn.to_add_out",)),
        (
            "text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1",
            ("text_encoder.encoder.layers.0.mlp.fc1",),
        ),
    ],
)
def test_original_modules(module: str, paths: tuple[str, ...]) -> None:
    assert original_place(module) == Place(paths)


def test_the_original_output_layer_keeps_shift_and_scale_the_other_way_round() -> None:
    place = original_place("diffusion_model.final_layer.adaLN_modulation.1")
    assert place == Place(("transformer.norm_out.linear",), swapped=True)


@pytest.mark.parametrize(
    ("spelling", "path"),
    [
        (
            "down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_out",
            "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0",
        ),
        (
            "text_encoder.text_model.encoder.layers.0.self_attn.to_out",
            "text_encoder.encoder.layers.0.self_attn.out_proj",
        ),
        ("base_model.model.x_embedder", "transformer.x_embedder"),
    ],
)
def test_older_spellings_of_diffusers(spelling: str, path: str) -> None:
    assert diffusers_place(spelling) == Place((path,))


@pytest.mark.parametrize(
    "name",
    [
        "lora_unet_",
        "lora_unet_conv_in_",
        "lora_unet_down_blocks_0__conv",
        "lora_unet_input_blocks_0_1_proj_in",
        "lora_unet_input_blocks_3_1_op",
        "lora_unet_middle_block_3_proj_in",
        "lora_unet_double_blocks_0_img_attn_norm",
        "lora_te_text_model_embeddings_token_embedding",
        "lora_prior_unet_conv_in",
        "bundle_emb.sks",
    ],
)
def test_a_name_that_is_not_understood_has_no_place(name: str) -> None:
    assert kohya_place(name) is None


@given(
    st.text(st.sampled_from("abc_.019:\n")), st.sampled_from(["", "lora_unet_", "unet.", "diffusion_model."])
)
def test_no_name_makes_a_path_of_empty_segments(text: str, prefix: str) -> None:
    for place in (kohya_place(prefix + text), diffusers_place(prefix + text), original_place(prefix + text)):
        assert place is None or all("" not in path.split(".") for path in place.paths)


@pytest.mark.parametrize(
    ("path", "family"),
    [
        ("unet.encoder_hid_proj", "sd1"),
        ("text_encoder_2.encoder.layers.0.mlp.fc1", "sd1"),
        ("transformer.transformer_blocks.0.attn.norm_q", "flux"),
        ("unet.down_blocks.0.motion_modules.0.proj_in", "sdxl"),
    ],
)
def test_a_layer_that_kohya_cannot_name_gets_no_name(path: str, family: str) -> None:
    assert kohya_name(path, family) is None
