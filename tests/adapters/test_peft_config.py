"""What our LoRA config says, PEFT and a stock pipeline build: every layer, its rank, its alpha, and no other."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from peft import LoraConfig, inject_adapter_in_model
from safetensors.torch import save_file
from torch import nn

from sealsmith.adapters import LowRank
from sealsmith.adapters.formats.alphas import adapter_config
from sealsmith.bases import Base


class Size(NamedTuple):
    rank: int
    alpha: float


def config_of(component: str, sizes: dict[str, Size]) -> dict[str, Any]:
    """The LoRA config of one component whose layers have these sizes, as it comes back from a file."""
    layers = {
        f"{component}.{path}": LowRank(torch.zeros(size.rank, 16), torch.zeros(16, size.rank), size.alpha)
        for path, size in sizes.items()
    }
    config = json.loads(json.dumps(adapter_config(layers)))
    return {key.removeprefix(f"{component}."): value for key, value in config.items()}


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.to_q, self.proj_out = nn.Linear(16, 16), nn.Linear(16, 16)


class Blocks(nn.Module):
    """Names that are ends of other names, as Flux has them."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Inner() for _ in range(12))
        self.single_blocks = nn.ModuleList(Inner() for _ in range(12))
        self.proj_out = nn.Linear(16, 16)


def built(model: nn.Module) -> dict[str, Size]:
    """Every layer PEFT adapted, with its rank and alpha."""
    return {
        name: Size(*module.r.values(), *module.lora_alpha.values())
        for name, module in model.named_modules()
        if hasattr(module, "lora_alpha")
    }


PATHS = [name for name, module in Blocks().named_modules() if isinstance(module, nn.Linear)]


@settings(max_examples=30, deadline=None)
@example({"proj_out": Size(2, 1.0), "blocks.1.proj_out": Size(3, 8.0)})
@given(
    st.dictionaries(
        st.sampled_from(PATHS),
        st.builds(Size, st.integers(1, 4), st.sampled_from([1.0, 2.5, 8.0])),
        min_size=1,
    )
)
def test_peft_builds_exactly_these_layers_with_these_ranks_and_alphas(sizes: dict[str, Size]) -> None:
    model = Blocks()
    config = config_of("transformer", sizes)
    given_exactly = {f"{path}.lora_A.weight": torch.zeros(size.rank, 16) for path, size in sizes.items()}
    given_exactly |= {f"{path}.lora_B.weight": torch.zeros(16, size.rank) for path, size in sizes.items()}
    inject_adapter_in_model(LoraConfig(**config), model, state_dict=given_exactly)
    assert built(model) == sizes


@pytest.mark.parametrize("nested", [True, False])
def test_a_text_encoders_layers_are_found_with_and_without_the_level_transformers_dropped(
    nested: bool,
) -> None:
    sizes = {"encoder.blocks.1.to_q": Size(2, 1.0), "encoder.blocks.2.to_q": Size(3, 4.0)}
    model: nn.Module = nn.ModuleDict({"encoder": Blocks()})
    model = nn.ModuleDict({"text_model": model}) if nested else model
    config = config_of("text_encoder", sizes)
    inject_adapter_in_model(LoraConfig(**config), model)
    found = {name.removeprefix("text_model."): size for name, size in built(model).items()}
    assert found == sizes


def test_a_stock_pipeline_builds_unet_and_text_encoder_each_with_its_own(
    tiny_base: Base, tmp_path: Path
) -> None:
    """As `pipeline.load_lora_weights(file)` does it, with ranks and alphas that differ from layer to layer."""
    pipeline = tiny_base.pipeline
    components: dict[str, nn.Module] = {"unet": pipeline.unet, "text_encoder": pipeline.text_encoder}
    sizes: dict[str, Size] = {}
    state: dict[str, torch.Tensor] = {}
    for component, model in components.items():
        for name, module in model.named_modules():
            if isinstance(module, nn.Linear) and name.endswith(("to_q", "to_k", "q_proj", "fc1", "proj_in")):
                path = f"{component}.{name}"
                sizes[path] = Size(1 + len(sizes) % 3, [1.0, 2.5][len(sizes) % 2])
                rank = sizes[path].rank
                state[f"{path}.lora_A.weight"] = torch.ones(rank, module.in_features)
                state[f"{path}.lora_B.weight"] = torch.ones(module.out_features, rank)
    layers = {
        path.replace("text_model.", ""): LowRank(
            state[f"{path}.lora_A.weight"], state[f"{path}.lora_B.weight"], size.alpha
        )
        for path, size in sizes.items()
    }
    config = json.dumps(adapter_config(layers))
    save_file(state, tmp_path / "a.safetensors", {"format": "pt", "lora_adapter_metadata": config})
    pipeline.load_lora_weights(tmp_path / "a.safetensors")
    for component, model in components.items():
        wanted = {p.partition(".")[2]: size for p, size in sizes.items() if p.startswith(f"{component}.")}
        assert wanted
        assert {k.removeprefix("text_model."): v for k, v in built(model).items()} == {
            k.removeprefix("text_model."): v for k, v in wanted.items()
        }
