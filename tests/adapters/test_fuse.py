"""A fused base answers like an attached one, and is the old base to the bit when the seals are taken out."""

import dataclasses
import random
from collections.abc import Sequence
from itertools import permutations

import pytest
import torch
from change_examples import mixed_seal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seal_examples import random_seal
from unet_probe import is_untouched, predict, weights

from sealsmith.adapters import Fusion, Seal, attached, fused, is_fused
from sealsmith.adapters.beside import weight_of
from sealsmith.adapters.fit import adaptable
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


class Schedule:
    """A strength of 0.5 that may say of itself that it changes."""

    def __init__(self, is_constant: bool):
        self.is_constant = is_constant

    def factor(self, path: str, step: int, num_steps: int) -> float:
        return 0.5 if self.is_constant or step == 0 else 0.0


def all_weights(base: Base) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{path}": weight_of(module).clone()
        for name, part in base.components.items()
        for path, module in adaptable(part).items()
    }


def act(fusion: Fusion, seals: Sequence[Seal], chance: random.Random) -> None:
    """One random step in a fusion's life."""
    seal, strength = chance.choice(seals), chance.uniform(-1.5, 1.5)
    inside = [inner for inner, _ in fusion.seals]
    action = chance.choice(["fuse", "fuse", "unfuse", "switch", "clear"])
    if action == "fuse":
        fusion.fuse(seal, strength)
    elif action == "unfuse" and inside:
        fusion.unfuse(chance.choice(inside))
    elif action == "switch":
        fusion.switch([(one, chance.uniform(-1, 1)) for one in chance.sample(seals, chance.randint(0, 3))])
    elif action == "clear":
        fusion.clear()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_fifty_random_steps_leave_the_base_as_it_was(tiny_base: Base, dtype: torch.dtype) -> None:
    for component in tiny_base.components.values():
        component.to(dtype)
    pristine, chance = all_weights(tiny_base), random.Random(3)
    seals = [mixed_seal(tiny_base.components, seed) for seed in range(4)]
    fusion = Fusion(tiny_base)
    for _ in range(50):
        act(fusion, seals, chance)
        fusion.verify()
        assert is_fused(tiny_base) == bool(fusion.seals)
    in_the_end = fusion.seals or [(seals[0], 1.0)]
    fusion.switch(in_the_end)
    after_history = all_weights(tiny_base)
    fusion.close()
    assert_bit_equal(all_weights(tiny_base), pristine)
    with fused(tiny_base, in_the_end):
        assert_bit_equal(all_weights(tiny_base), after_history)


def assert_bit_equal(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    assert found.keys() == wanted.keys()
    assert [key for key in wanted if not torch.equal(found[key], wanted[key])] == []


def test_the_weights_are_the_pristine_ones_plus_the_sum_in_any_order(tiny_base: Base) -> None:
    pristine = all_weights(tiny_base)
    seals = [(mixed_seal(tiny_base.components, seed), 0.3 * (seed - 1.5)) for seed in range(3)]
    fusion, seen = Fusion(tiny_base), []
    for order in permutations(seals):
        fusion.switch(order)
        seen.append(all_weights(tiny_base))
    for weights_then in seen[1:]:
        assert_bit_equal(weights_then, seen[0])
    for path, weight in pristine.items():
        parts = [
            strength * seal.layers[path].delta(weight) for seal, strength in seals if path in seal.layers
        ]
        torch.testing.assert_close(seen[0][path], weight + sum(parts), rtol=1e-5, atol=1e-6)


def test_every_kind_of_change_answers_inside_as_it_does_beside(tiny_base: Base) -> None:
    seals = [(mixed_seal(tiny_base.components, seed), 0.4) for seed in range(2)]
    with attached(tiny_base, seals):
        beside = predict(tiny_base)
    with fused(tiny_base, seals):
        inside = predict(tiny_base)
    torch.testing.assert_close(inside, beside, rtol=1e-3, atol=1e-4)


def test_verify_sees_a_single_changed_weight(tiny_base: Base) -> None:
    fusion = Fusion(tiny_base)
    fusion.fuse(random_seal(tiny_base, ATTENTION))
    fusion.clear()
    fusion.verify()
    weight = next(m for p, m in tiny_base.unet.named_modules() if p.endswith("to_q")).weight
    with torch.no_grad():
        weight[0, 0] += 1e-3
    with pytest.raises(AssertionError, match="is not what was fused into it"):
        fusion.verify()


def test_a_base_has_one_fusion_at_a_time(tiny_base: Base) -> None:
    seals = two_seals(tiny_base)
    with fused(tiny_base, seals):
        assert is_fused(tiny_base)
        with pytest.raises(ConfigError, match="already has seals in its weights"):
            Fusion(tiny_base)
    Fusion(tiny_base).switch(seals)


def test_a_seal_that_is_not_in_cannot_be_taken_out(tiny_base: Base) -> None:
    (one, _), (other, _) = two_seals(tiny_base)
    fusion = Fusion(tiny_base)
    fusion.fuse(one)
    with pytest.raises(ConfigError, match="'seal of ohwx' is not in the weights"):
        fusion.unfuse(other)


def test_a_strength_of_one_number_is_fused_and_one_that_changes_is_refused(tiny_base: Base) -> None:
    seal, before = random_seal(tiny_base, ATTENTION), weights(tiny_base)
    with fused(tiny_base, [(seal, 0.5)]):
        wanted = weights(tiny_base)
    with fused(tiny_base, [(seal, Schedule(is_constant=True))]):
        assert is_untouched(tiny_base, wanted)
    with (
        pytest.raises(ConfigError, match="changes over the steps cannot be fused"),
        fused(tiny_base, [(seal, Schedule(is_constant=False))]),
    ):
        pass
    assert is_untouched(tiny_base, before)
