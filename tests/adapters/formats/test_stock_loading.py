"""Our files in stock diffusers: every layer it takes changes its weight by exactly what the seal says."""

from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline
from layer_examples import random_change
from safetensors.torch import save_file
from torch import nn

from sealsmith.adapters.changes import Change
from sealsmith.adapters.formats import header_entries, write_layers

COMPONENTS = ("unet", "transformer", "text_encoder", "text_encoder_2")
NOT_LOADED = {
    ("flux", "diffusers"): ("text_encoder_2.",),  # stock pipelines load no seal into T5
    ("flux", "kohya"): (
        "text_encoder_2.",
        "transformer.single_transformer_blocks.",  # the width of 3072 is written into stock's converter
        "transformer.time_text_embed.",  # these four it converts, and drops for want of a prefix
        "transformer.x_embedder",
        "transformer.context_embedder",
        "transformer.norm_out",
        "transformer.proj_out",  # and of these it drops the alpha
    ),
}


def modules_of(pipeline: DiffusionPipeline) -> dict[str, nn.Linear | nn.Conv2d]:
    """Canonical path -> layer."""
    return {
        f"{component}.{name.removeprefix('text_model.')}": module
        for component in COMPONENTS
        if hasattr(pipeline, component)
        for name, module in getattr(pipeline, component).named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    }


@pytest.mark.parametrize(
    ("family", "dialect", "kind", "alphas"),
    [
        ("sd1", "diffusers", "lora", (1.0, 2.0, 0.5)),
        ("sd1", "diffusers", "dora", (1.0, 2.0)),
        ("sd1", "kohya", "lora", (1.5,)),
        ("sdxl", "diffusers", "lora", (1.0, 2.0, 0.5)),
        ("sdxl", "diffusers", "dora", (1.0, 2.0)),
        ("sdxl", "diffusers", "loha", (1.0,)),
        ("sdxl", "kohya", "lora", (1.5,)),
        ("flux", "diffusers", "lora", (1.0, 2.0, 0.5)),
        ("flux", "kohya", "lora", (1.0, 2.0, 0.5)),
    ],
)
def test_stock_diffusers_changes_each_weight_as_the_seal_says(
    family: str,
    dialect: str,
    kind: str,
    alphas: tuple[float, ...],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    pipeline = DiffusionPipeline.from_pretrained(request.getfixturevalue(f"tiny_{family}_folder"))
    not_loaded = NOT_LOADED.get((family, dialect), ())
    modules = {path: m for path, m in modules_of(pipeline).items() if not path.startswith(not_loaded)}
    weights = {path: module.weight.detach().clone() for path, module in modules.items()}
    layers: dict[str, Change] = {
        path: random_change(kind, tuple(weight.shape), 1 + i % 3, alphas[i % len(alphas)], seed=i)
        for i, (path, weight) in enumerate(weights.items())
    }
    tensors, unwritable = write_layers(layers, dialect, family)
    assert not unwritable
    file = tmp_path / "seal.safetensors"
    state = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    save_file(state, file, metadata=header_entries(layers, dialect) or None)
    pipeline.load_lora_weights(str(file))
    loaded = {
        f"{component}.{name.removeprefix('text_model.')}": module
        for component in COMPONENTS
        if hasattr(pipeline, component)
        for name, module in getattr(pipeline, component).named_modules()
        if hasattr(module, "lora_A")
    }
    assert loaded.keys() == layers.keys()
    for path, module in loaded.items():
        module.merge()
        found = module.base_layer.weight.detach() - weights[path]
        expected = layers[path].delta(weights[path]).reshape(found.shape)
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
