from dataclasses import replace

import pytest
import torch
from seal_examples import random_seal

from sealsmith.adapters import Seal, attached, largest_change
from sealsmith.score import Fidelity, Margin
from sealsmith.score.verdict import figure_reasons, weight_reasons


def test_the_largest_change_is_what_attaching_does(tiny_base):
    seal = random_seal(tiny_base, ("attn2.to_k",))
    weights = {name: tensor.clone() for name, tensor in tiny_base.unet.named_parameters()}
    changes = []
    with attached(tiny_base, [(seal, 1.0)]):
        for name, module in tiny_base.unet.named_modules():
            if name.endswith("attn2.to_k"):
                change = module.get_delta_weight("seal_0").detach()
                changes.append(float(change.norm() / weights[f"{name}.weight"].norm()))
    assert largest_change(weights, seal) == pytest.approx(max(changes), rel=1e-5)


def test_a_seal_that_changes_nothing_is_a_failure(tiny_base):
    seal = random_seal(tiny_base, ("to_q",))
    assert weight_reasons(tiny_base, seal) == []
    untrained = Seal(seal.header, {k: t * 0 if "lora_B" in k else t for k, t in seal.state.items()})
    [reason] = weight_reasons(tiny_base, untrained)
    assert "changes nothing" in reason


def test_weights_that_are_not_finite_are_a_failure(tiny_base):
    seal = random_seal(tiny_base, ("to_q",))
    key = next(iter(seal.state))
    broken = replace(seal, state=seal.state | {key: torch.full_like(seal.state[key], torch.nan)})
    [reason] = weight_reasons(tiny_base, broken)
    assert "not finite" in reason
    assert key in reason


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
