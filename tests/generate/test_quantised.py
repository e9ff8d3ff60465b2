"""Fused first, quantised after: nearer to the whole base with its seals than the other order is."""

import math
from pathlib import Path

import pytest
import torch
from seal_examples import changed, random_seal
from torch import nn
from unet_probe import predict

from sealsmith.adapters import Seal, attached, fused
from sealsmith.adapters.fit import fit_seal
from sealsmith.bases import Base, open_base
from sealsmith.bases.quantise import is_quantised, quantise
from sealsmith.errors import ConfigError
from sealsmith.generate import Request, fuse_then_quantise, generate_quantised

pytest.importorskip("torchao", reason="pip install 'sealsmith[quantised]' to run these")

LINEAR = ("to_q", "to_k", "to_v", "to_out.0")


def small_seal(base: Base) -> Seal:
    """One whose changes are a few hundredths of the weights, as those of a real seal."""
    return changed(random_seal(base, LINEAR), down=0.1, up=0.5)


def rounded_twice(base: Base, seal: Seal) -> None:
    """The wrong order: quantised, and the change then added to what that left of the weights."""
    fit = fit_seal(base.components, "", seal)
    quantise(base)
    for module in base.denoiser.modules():
        if isinstance(module, nn.Linear):
            module.weight = nn.Parameter(module.weight.dequantize(), requires_grad=False)
    for path, module in fit.modules.items():
        module.weight += fit.changes[path].delta()
    quantise(base)


def test_the_right_order_is_nearer_to_the_truth_than_the_wrong_one(tiny_base_folder: Path) -> None:
    truth, right, wrong = (open_base(str(tiny_base_folder)) for _ in range(3))
    seal = small_seal(truth)
    with fused(truth, [(seal, 1.0)]):
        wanted = predict(truth)
    fuse_then_quantise(right, [(seal, 1.0)])
    rounded_twice(wrong, seal)
    assert (predict(right) - wanted).norm() < 0.9 * (predict(wrong) - wanted).norm()


def test_pictures_are_the_fused_ones_but_for_rounding_and_say_so(tiny_base: Base) -> None:
    seals = [(small_seal(tiny_base), 1.0)]
    request = Request("a red wax seal on wood", seed=3, num_steps=2)
    with fused(tiny_base, seals):
        wanted = predict(tiny_base)
    [picture] = generate_quantised(tiny_base, request, seals)
    assert is_quantised(tiny_base)
    assert (picture.recipe.quantised, picture.recipe.seals[0].trigger) == ("int8", "sks")
    assert (predict(tiny_base) - wanted).norm() < 0.03 * wanted.norm()


def test_after_a_failure_the_base_is_as_it_was(tiny_base: Base) -> None:
    before = predict(tiny_base)
    with pytest.raises(ConfigError, match="unknown precision"):
        fuse_then_quantise(tiny_base, [(small_seal(tiny_base), 1.0)], "int3")
    assert torch.equal(predict(tiny_base), before)
    with attached(tiny_base, [(small_seal(tiny_base), 1.0)]):
        assert not math.isclose(float(predict(tiny_base).sum()), float(before.sum()))
