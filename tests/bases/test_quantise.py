"""A quantised base is smaller, answers nearly as before, and takes seals beside its layers but not into them."""

from pathlib import Path

import pytest
import torch
from change_examples import mixed_seal
from seal_examples import random_seal
from torch import Tensor, nn
from unet_probe import predict

from sealsmith.adapters import Fusion, attached, fused
from sealsmith.bases import Base, Wanted, open_base
from sealsmith.bases.quantise import is_quantised, quantise
from sealsmith.errors import ConfigError

pytest.importorskip("torchao", reason="pip install 'sealsmith[quantised]' to run these")


def linear_layers(base: Base) -> list[nn.Linear]:
    return [module for module in base.denoiser.modules() if isinstance(module, nn.Linear)]


def stored_bytes(tensor: Tensor) -> int:
    """What a parameter takes in memory, a quantised one as it is stored."""
    if not hasattr(tensor, "__tensor_flatten__"):
        return tensor.nbytes
    names, _ = tensor.__tensor_flatten__()
    return sum(stored_bytes(getattr(tensor, name)) for name in names)


def weight_bytes(module: nn.Module) -> int:
    return sum(stored_bytes(parameter) for parameter in module.parameters())


def test_the_linear_layers_shrink_to_a_quarter_and_the_answer_hardly_moves(tiny_base: Base) -> None:
    before, plain = sum(weight_bytes(layer) for layer in linear_layers(tiny_base)), predict(tiny_base)
    assert not is_quantised(tiny_base)
    assert quantise(tiny_base) == len(linear_layers(tiny_base))
    assert is_quantised(tiny_base)
    after = sum(weight_bytes(layer) for layer in linear_layers(tiny_base))
    assert 0.25 < after / before < 0.4  # biases and one scale an output on top
    error = (predict(tiny_base) - plain).norm() / plain.norm()
    assert 0 < error < 0.03


def test_no_seal_is_fused_into_it_and_nothing_changes(tiny_base: Base) -> None:
    quantise(tiny_base)
    before = predict(tiny_base)
    with (
        pytest.raises(ConfigError, match="the base is quantised") as refused,
        fused(tiny_base, [(random_seal(tiny_base, ("to_q",)), 1.0)]),
    ):
        pass
    assert "fuse first, quantise after" in refused.value.remedy
    assert torch.equal(predict(tiny_base), before)


def test_a_seal_beside_its_layers_acts_as_on_the_whole_base(tiny_base: Base) -> None:
    seals = [
        (random_seal(tiny_base, ("to_q", "to_v", "conv1")), 0.5),
        (mixed_seal({"unet": tiny_base.unet}, seed=0, kinds=("dora",)), 0.2),
    ]
    plain = predict(tiny_base)
    with attached(tiny_base, seals):
        wanted = predict(tiny_base)
    quantise(tiny_base)
    before = predict(tiny_base)
    with attached(tiny_base, seals):
        found = predict(tiny_base)
    assert (found - wanted).norm() < 0.1 * (wanted - plain).norm()
    assert torch.equal(predict(tiny_base), before)


def test_it_is_quantised_once_and_to_something_known(tiny_base: Base) -> None:
    with pytest.raises(ConfigError, match="unknown precision 'int3'"):
        quantise(tiny_base, "int3")
    quantise(tiny_base)
    with pytest.raises(ConfigError, match="is quantised already"):
        quantise(tiny_base)


def test_a_base_with_seals_in_it_may_be_quantised(tiny_base: Base) -> None:
    fusion = Fusion(tiny_base)
    fusion.fuse(random_seal(tiny_base, ("to_q",)))
    wanted = predict(tiny_base)
    quantise(tiny_base)
    assert (predict(tiny_base) - wanted).norm() < 0.03 * wanted.norm()


def test_a_base_offloaded_layer_by_layer_has_nothing_to_quantise(tiny_base_folder: Path) -> None:
    offloaded = open_base(str(tiny_base_folder), wanted=Wanted("fp32", "sequential-offload"))
    with pytest.raises(ConfigError, match="is offloaded layer by layer") as error:
        quantise(offloaded)
    assert "none or model-offload" in error.value.remedy


def test_a_base_offloaded_part_by_part_answers_as_a_whole_one_does(
    tiny_base: Base, tiny_base_folder: Path
) -> None:
    offloaded = open_base(str(tiny_base_folder), wanted=Wanted("fp32", "model-offload"))
    assert quantise(offloaded) == quantise(tiny_base)
    assert torch.equal(predict(offloaded), predict(tiny_base))
