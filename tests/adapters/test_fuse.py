"""A fused base answers like an attached one, and is the old base to the bit when the seals are taken out."""

import dataclasses
from collections.abc import Sequence

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seal_examples import random_seal
from unet_probe import is_untouched, predict, weights

from sealsmith.adapters import Seal, attached, fused
from sealsmith.bases import Base
from sealsmith.errors import ConfigError, SealShapeError

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
CONVOLUTIONS = ("conv1", "conv2")


def two_seals(base: Base) -> Sequence[tuple[Seal, float]]:
    """Two seals that share a group of layers, one of them turned around."""
    return [
        (random_seal(base, (*ATTENTION, *CONVOLUTIONS), rank=4, alpha=7.0, seed=1), 0.7),
        (random_seal(base, ("to_v", "conv1"), rank=2, alpha=2.0, trigger="ohwx", seed=2), -0.3),
    ]


def test_fused_equals_attached_for_several_seals_at_once(tiny_base: Base) -> None:
    plain, seals = predict(tiny_base), two_seals(tiny_base)
    with attached(tiny_base, seals) as attachment:
        beside = predict(tiny_base)
    with fused(tiny_base, seals) as fused_reports:
        inside = predict(tiny_base)
    assert fused_reports == attachment.reports
    torch.testing.assert_close(inside, beside, rtol=1e-4, atol=1e-5)
    assert (inside - plain).abs().max() > 1e-3


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(strengths=st.lists(st.floats(0.01, 1e3), min_size=1, max_size=3), seed=st.integers(0, 9))
def test_unfusing_restores_every_weight_to_the_bit(
    tiny_base: Base, strengths: list[float], seed: int
) -> None:
    before = weights(tiny_base)
    seals = [(random_seal(tiny_base, ATTENTION, seed=seed + i), s) for i, s in enumerate(strengths)]
    with fused(tiny_base, seals):
        assert not is_untouched(tiny_base, before)
    assert is_untouched(tiny_base, before)


def test_an_interruption_still_restores_the_weights(tiny_base: Base) -> None:
    before = weights(tiny_base)
    with pytest.raises(KeyboardInterrupt, match="now"), fused(tiny_base, two_seals(tiny_base)):
        raise KeyboardInterrupt("now")
    assert is_untouched(tiny_base, before)


def test_nothing_is_touched_when_one_seal_does_not_fit(tiny_base: Base) -> None:
    before, good, bad = (
        weights(tiny_base),
        random_seal(tiny_base, ATTENTION),
        random_seal(tiny_base, ATTENTION),
    )
    path, change = next(iter(bad.layers.items()))
    bad.layers[path] = dataclasses.replace(change, down=torch.zeros(4, 999))
    with pytest.raises(SealShapeError, match="the base has"), fused(tiny_base, [(good, 1.0), (bad, 1.0)]):
        pass
    assert is_untouched(tiny_base, before)


def test_a_base_with_seals_beside_its_layers_is_not_fused(tiny_base: Base) -> None:
    seals = two_seals(tiny_base)
    with (
        attached(tiny_base, seals),
        pytest.raises(ConfigError, match="already carries adapters"),
        fused(tiny_base, seals),
    ):
        pass
