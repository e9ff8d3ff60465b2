"""Folders that PEFT's `save_pretrained` wrote: the scale stands beside the weights, not in them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import nn

from sealsmith.adapters import read_seal
from sealsmith.bases import Base
from sealsmith.errors import SealFormatError

PATH = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"


def write_folder(folder: Path, config: Any, name: str = "adapter_model.safetensors") -> Path:
    module = PATH.replace("unet.", "base_model.model.")
    tensors = {f"{module}.lora_A.weight": torch.ones(4, 8), f"{module}.lora_B.weight": torch.ones(8, 4)}
    save_file(tensors, folder / name)
    (folder / "adapter_config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    return folder / name


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # PEFT with transformers 5
@pytest.mark.parametrize("component", ["unet", "text_encoder"])
def test_what_peft_saved_is_read_as_peft_computes_it(component: str, tiny_sd1: Base, tmp_path: Path) -> None:
    module: nn.Module = tiny_sd1.components[component]
    targets = ["to_q", "to_k"] if component == "unet" else ["q_proj"]
    settings = {"r": 4, "lora_alpha": 24, "use_rslora": True, "init_lora_weights": False}
    patterns: dict[str, Any] = {"rank_pattern": {"to_k": 2}, "alpha_pattern": {"to_k": 3}}
    peft = get_peft_model(
        module, LoraConfig(target_modules=targets, **settings, **(patterns if component == "unet" else {}))
    )
    try:
        peft.save_pretrained(tmp_path)
        expected = {
            name.removeprefix("base_model.model."): layer.get_delta_weight("default")
            for name, layer in peft.named_modules()
            if hasattr(layer, "get_delta_weight")
        }
    finally:
        peft.unload()
    seal = read_seal(tmp_path / "adapter_model.safetensors")
    assert seal.unknown == ()
    assert {path.removeprefix(f"{component}.") for path in seal.layers} == {
        path.removeprefix("text_model.") for path in expected
    }
    for path, delta in expected.items():
        change = seal.layers[f"{component}.{path.removeprefix('text_model.')}"]
        torch.testing.assert_close(change.delta(), delta.detach())


def test_only_pefts_own_file_takes_its_settings(tmp_path: Path) -> None:
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 32}
    assert read_seal(write_folder(tmp_path, config)).layers[PATH].alpha == 32
    assert read_seal(write_folder(tmp_path, config, "mine.safetensors")).layers[PATH].alpha == 4


@pytest.mark.parametrize("config", ["{", "[]", '{"lora_alpha": "many"}', " " * (4 << 20) + " {}"])
def test_settings_that_cannot_be_read_refuse_the_file(config: str, tmp_path: Path) -> None:
    with pytest.raises(SealFormatError, match=re.escape("adapter_model.safetensors")):
        read_seal(write_folder(tmp_path, config))
