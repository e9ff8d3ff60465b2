"""How several seals act together where a request leaves it open: decided once, with a reason the user is told."""

import dataclasses

import pytest
import torch
from seal_examples import random_seal

from sealsmith.adapters import Seal
from sealsmith.adapters.strength import parse_strength
from sealsmith.bases import Base
from sealsmith.generate import Request, generate, generate_batch, generate_quantised
from sealsmith.generate.mix_choice import choose_mix
from sealsmith.generate.mixing import Seals
from sealsmith.score.pairs import plan_pairs

REQUEST = Request("a red wax seal of an emblem on wood", seed=3, num_steps=2, guidance=3.0)
TARGETS = ("to_q", "to_v", "q_proj")


def named(base: Base, trigger: str, seed: int = 0, targets: tuple[str, ...] = TARGETS) -> Seal:
    return random_seal(base, targets, trigger=trigger, seed=seed)


@pytest.fixture
def pair(tiny_base: Base) -> list[tuple[Seal, float]]:
    return [(named(tiny_base, word, i), 1.0) for i, word in enumerate(("sks", "ohwx"))]


def chosen(base: Base, seals: Seals, request: Request = REQUEST) -> tuple[str, str]:
    choice = choose_mix(base, request.resolved(base), seals)
    return choice.mix, choice.reason


def test_two_called_seals_are_masked_where_that_was_measured(
    tiny_base: Base, tiny_sd1: Base, pair: list[tuple[Seal, float]]
) -> None:
    assert chosen(tiny_base, pair) == ("masked", "it was measured to be best on sealworld")
    assert chosen(tiny_base, [*pair, (named(tiny_base, "zwx", 2), 0.5)])[0] == "masked"
    others = [(named(tiny_sd1, word), 1.0) for word in ("sks", "ohwx")]
    assert chosen(tiny_sd1, others) == ("sum", "nothing else was measured on sd1")


@pytest.mark.parametrize("mix", ["sum", "switch", "composite", "masked"])
def test_a_mix_that_was_asked_for_stays(tiny_base: Base, pair: list[tuple[Seal, float]], mix: str) -> None:
    assert chosen(tiny_base, pair, dataclasses.replace(REQUEST, mix=mix))[0] == mix


def test_seals_that_do_not_act_are_not_counted(tiny_base: Base, pair: list[tuple[Seal, float]]) -> None:
    (first, _), (second, _) = pair
    few = ("sum", "fewer than two seals change what is drawn")
    assert chosen(tiny_base, []) == chosen(tiny_base, pair[:1]) == few
    assert chosen(tiny_base, [(first, 1.0), (second, 0.0)]) == few
    assert chosen(tiny_base, [(first, 1.0), (second, parse_strength("0"))]) == few
    assert chosen(tiny_base, [(first, 1.0), (named(tiny_base, "zwx", targets=("q_proj",)), 1.0)]) == few
    assert chosen(tiny_base, [(first, 1.0), (second, parse_strength("0:in=1"))])[0] == "masked"


def test_seals_that_their_triggers_do_not_tell_apart_are_added_up(
    tiny_base: Base, pair: list[tuple[Seal, float]]
) -> None:
    first, twin = pair[0], (named(tiny_base, "SKS, other words", 1), 1.0)
    mute = (named(tiny_base, "", 1), 1.0)
    for seals in ([first, twin], [first, mute, (named(tiny_base, "", 2), 1.0)]):
        assert chosen(tiny_base, seals) == ("sum", "two of the seals have the same trigger, or none")
    assert chosen(tiny_base, [first, mute]) == ("sum", f"the prompt does not call {mute[0].name!r}")
    silent = dataclasses.replace(REQUEST, prompt="a seal of sks on wood", use_trigger=False)
    assert chosen(tiny_base, pair, silent) == ("sum", "the prompt does not call 'seal of ohwx'")
    cut = dataclasses.replace(REQUEST, prompt="wood " * 100 + "sks and ohwx", long_prompts="cut")
    assert chosen(tiny_base, pair, cut)[0] == "masked"  # they are repeated in front
    assert chosen(tiny_base, pair, dataclasses.replace(cut, use_trigger=False))[0] == "sum"


def test_the_picture_is_that_of_the_mix_it_came_to_and_says_so(
    tiny_base: Base, pair: list[tuple[Seal, float]]
) -> None:
    explicit = dataclasses.replace(REQUEST, mix="masked")
    (wanted,), (drawn,) = (generate(tiny_base, request, pair) for request in (explicit, REQUEST))
    assert torch.equal(drawn.pixels, wanted.pixels)
    assert drawn.recipe == wanted.recipe
    assert drawn.recipe.mix == "masked"
    (batched,) = generate_batch(tiny_base, [REQUEST], pair)
    assert batched.recipe == wanted.recipe
    torch.testing.assert_close(batched.pixels, wanted.pixels, rtol=0, atol=1e-4)


def test_one_seal_is_drawn_as_ever(tiny_base: Base, pair: list[tuple[Seal, float]]) -> None:
    (wanted,) = generate(tiny_base, dataclasses.replace(REQUEST, mix="sum"), pair[:1])
    (drawn,) = generate(tiny_base, REQUEST, pair[:1])
    assert torch.equal(drawn.pixels, wanted.pixels)
    assert drawn.recipe.mix == "sum"


def test_seals_in_quantised_weights_are_added_up(tiny_base: Base, pair: list[tuple[Seal, float]]) -> None:
    pytest.importorskip("torchao")
    (picture,) = generate_quantised(tiny_base, REQUEST, pair)
    assert picture.recipe.mix == "sum"


def test_seals_are_measured_together_as_they_are_mixed_by_default(
    tiny_base: Base, pair: list[tuple[Seal, float]]
) -> None:
    seals = [seal for seal, _ in pair]
    for plan in plan_pairs(tiny_base, seals, 2, 1, 0):
        assert chosen(tiny_base, pair, plan.request(seals, 1))[0] == "masked"
