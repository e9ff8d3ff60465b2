from dataclasses import replace

import pytest
import torch
from seal_examples import changed, random_seal
from unet_probe import weights

from sealsmith.adapters import fused, largest_change
from sealsmith.score import Fidelity, Margin
from sealsmith.score.verdict import figure_reasons, weight_reasons


def test_the_largest_change_is_what_attaching_does(tiny_base):
    seal = random_seal(tiny_base, ("attn2.to_k",))
    before = weights(tiny_base)
    with fused(tiny_base, [(seal, 1.0)]):
        after = weights(tiny_base)
    changes = [float((after[name] - before[name]).norm() / before[name].norm()) for name in before]
    assert largest_change(tiny_base.components, seal) == pytest.approx(max(changes), rel=1e-4)


def test_a_seal_that_changes_nothing_is_a_failure(tiny_base):
    seal = random_seal(tiny_base, ("to_q",))
    assert weight_reasons(tiny_base, seal) == []
    [reason] = weight_reasons(tiny_base, changed(seal, up=0.0))
    assert "changes nothing" in reason


def test_weights_that_are_not_finite_are_a_failure(tiny_base):
    seal = random_seal(tiny_base, ("to_q",))
    path, change = next(iter(seal.layers.items()))
    broken = replace(change, up=torch.full_like(change.up, torch.nan))
    [reason] = weight_reasons(tiny_base, replace(seal, layers=seal.layers | {path: broken}))
    assert "not finite" in reason
    assert path in reason


def test_only_a_margin_above_noise_passes():
    good = Fidelity(0.9, 0.8, (0.8, 1.0))
    assert figure_reasons(good, Margin(0.4, (0.2, 0.6))) == []
    [reason] = figure_reasons(good, Margin(0.1, (-0.1, 0.3)))
    assert "no difference above noise" in reason


def test_a_seal_seldom_recognised_is_a_failure():
    [reason] = figure_reasons(Fidelity(0.25, 0.3, (0.1, 0.5)), Margin(0.4, (0.2, 0.6)))
    assert "25%" in reason


def test_what_was_not_measured_is_no_reason():
    assert figure_reasons(Fidelity(), Margin()) == []
