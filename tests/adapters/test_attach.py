"""Attaching adds exactly each layer's delta, accounts for every tensor, and leaves no trace when undone."""

import dataclasses

import pytest
import torch
from seal_examples import changed, random_seal
from unet_probe import is_untouched, predict, weights

from sealsmith.adapters import LowRank, Seal, attach, attached, detach, is_attached
from sealsmith.adapters.changes import has_effect
from sealsmith.adapters.fit import adaptable, adaptable_at
from sealsmith.bases import Base
from sealsmith.bases.architectures import full_size
from sealsmith.errors import (
    BaseMismatchError,
    ConfigError,
    SealEffectError,
    SealFormatError,
    SealShapeError,
)

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
EVERYTHING = (*ATTENTION, "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out", "conv1", "conv2")


def merge(base: Base, seal: Seal, strength: float) -> None:
    """The seal added into the base's weights, by our own algebra."""
    for path, change in seal.layers.items():
        weight = base.unet.get_submodule(path.removeprefix("unet.")).weight
        weight.data += strength * change.delta()


@pytest.mark.parametrize("targets", [ATTENTION, EVERYTHING])
def test_attached_equals_merged_for_several_seals_at_once(tiny_base: Base, targets: tuple[str, ...]) -> None:
    plain = predict(tiny_base)
    seals = [
        (random_seal(tiny_base, targets, rank=4, alpha=7.0, seed=1), 0.7),
        (random_seal(tiny_base, ("to_v", "conv1"), rank=2, alpha=2.0, trigger="ohwx", seed=2), -0.3),
    ]
    with attached(tiny_base, seals) as attachment:
        bypassed = predict(tiny_base)
    for report, (seal, _) in zip(attachment.reports, seals, strict=True):
        assert (report.matched, report.total, report.unmatched) == (len(seal.layers), len(seal.layers), ())
    for seal, strength in seals:
        merge(tiny_base, seal, strength)
    merged = predict(tiny_base)
    torch.testing.assert_close(bypassed, merged, rtol=1e-4, atol=1e-5)
    assert (bypassed - plain).abs().max() > 1e-3


def test_detach_restores_the_unet_to_the_bit(tiny_base: Base) -> None:
    before = weights(tiny_base)
    modules = [(name, type(module)) for name, module in tiny_base.unet.named_modules()]
    attach(tiny_base, [(random_seal(tiny_base, EVERYTHING), 1.0)])
    predict(tiny_base)
    detach(tiny_base)
    assert is_untouched(tiny_base, before)
    assert [(name, type(module)) for name, module in tiny_base.unet.named_modules()] == modules
    assert not any(module._forward_hooks for module in tiny_base.unet.modules())
    assert not is_attached(tiny_base)


def test_attaching_twice_in_a_row_gives_the_same_prediction(tiny_base: Base) -> None:
    seals = [(random_seal(tiny_base, EVERYTHING), 0.8)]
    predictions = []
    for _ in range(2):
        with attached(tiny_base, seals):
            predictions.append(predict(tiny_base))
    assert torch.equal(*predictions)


def test_strength_zero_is_the_base(tiny_base: Base) -> None:
    plain = predict(tiny_base)
    with attached(tiny_base, [(random_seal(tiny_base, EVERYTHING), 0.0)]):
        assert torch.equal(predict(tiny_base), plain)


def test_an_error_inside_the_context_still_detaches(tiny_base: Base) -> None:
    seals = [(random_seal(tiny_base, ATTENTION), 1.0)]
    with pytest.raises(KeyboardInterrupt, match="now"), attached(tiny_base, seals):
        raise KeyboardInterrupt("now")
    assert not is_attached(tiny_base)


def test_layers_without_a_place_are_reported_and_left_out(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ATTENTION)
    strange = "unet.down_blocks.9.attentions.0.to_q"
    seal.layers[strange] = LowRank(torch.ones(4, 8), torch.ones(8, 4), 4.0)
    with attached(tiny_base, [(seal, 1.0)]) as attachment:
        (report,) = attachment.reports
        assert (report.matched, report.total) == (len(seal.layers) - 1, len(seal.layers))
        assert report.unmatched == (strange,)


def test_a_seal_without_any_place_is_refused(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ATTENTION)
    seal.layers = {path.replace("attentions", "elsewhere"): change for path, change in seal.layers.items()}
    with pytest.raises(BaseMismatchError, match=f"none of the {len(seal.layers)} layers"):
        attach(tiny_base, [(seal, 1.0)])


def test_a_seal_of_another_family_is_refused(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ATTENTION)
    seal.header = dataclasses.replace(seal.header, base="elsewhere", family="sdxl")
    with pytest.raises(BaseMismatchError, match="was made for sdxl") as caught:
        attach(tiny_base, [(seal, 1.0)])
    assert "elsewhere" in caught.value.remedy


def test_a_seal_of_another_base_of_the_family_is_taken_and_said(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ATTENTION)
    seal.header = dataclasses.replace(seal.header, base="elsewhere", base_digest="0" * 12)
    with attached(tiny_base, [(seal, 1.0)]) as attachment:
        assert attachment.reports[0].other_base == "'elsewhere'"
        assert "was trained on 'elsewhere'" in attachment.reports[0].warnings[0]


def test_a_seal_that_changes_nothing_is_refused(tiny_base: Base) -> None:
    with pytest.raises(SealEffectError, match="does nothing"):
        attach(tiny_base, [(changed(random_seal(tiny_base, ATTENTION), up=0.0), 1.0)])


def test_a_wrong_shape_is_named_and_nothing_is_attached(tiny_base: Base) -> None:
    good, bad = random_seal(tiny_base, ATTENTION), random_seal(tiny_base, ATTENTION)
    layer = next(iter(bad.layers))
    bad.layers[layer] = dataclasses.replace(bad.layers[layer], down=torch.zeros(4, 999))
    with pytest.raises(SealShapeError, match=rf"layer '{layer}': .*\(\d+, 999\)"):
        attach(tiny_base, [(good, 1.0), (bad, 1.0)])
    assert not is_attached(tiny_base)


@pytest.mark.parametrize("strength", [float("nan"), float("inf")])
def test_a_strength_must_be_finite(tiny_base: Base, strength: float) -> None:
    with pytest.raises(ConfigError, match=f"the strength of 'seal of sks' is {strength}"):
        attach(tiny_base, [(random_seal(tiny_base, ATTENTION), strength)])


def test_values_must_be_finite(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ATTENTION)
    next(iter(seal.layers.values())).up[0, 0] = torch.nan
    with pytest.raises(SealFormatError, match="NaN or infinity"):
        attach(tiny_base, [(seal, 1.0)])


def test_a_base_carries_one_set_of_seals_at_a_time(tiny_base: Base) -> None:
    seals = [(random_seal(tiny_base, ATTENTION), 1.0)]
    with attached(tiny_base, seals), pytest.raises(ConfigError, match="already carries adapters"):
        attach(tiny_base, seals)


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl", "flux"])
def test_a_layer_is_found_by_its_path_as_by_a_walk(family: str) -> None:
    for component in full_size(family).values():
        layers = adaptable(component)
        assert all(adaptable_at(component, path) is layer for path, layer in layers.items())
        for path in (
            *(f"text_model.{path}" for path in layers),
            "",
            "forward",
            "base_model",
            "x.y",
            "config",
        ):
            assert adaptable_at(component, path) is layers.get(path)


def test_an_effect_is_found_wherever_it_is() -> None:
    down, up = torch.zeros(2, 6), torch.zeros(4, 2)
    assert not has_effect(LowRank(down, up, 2.0))
    down[1, 5], up[3, 1] = 1e-3, 1e-3  # nothing in the first column
    assert has_effect(LowRank(down, up, 2.0))
    down[1, 0], down[1, 5] = 1e-3, 0.0
    assert has_effect(LowRank(down, up, 2.0))
    assert not has_effect(LowRank(down * 1e-4, up, 2.0))
