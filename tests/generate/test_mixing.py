"""A strength over the steps acts at just the steps it names, and block weights reach just their blocks."""

import dataclasses
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seal_examples import random_seal

from sealsmith.adapters import Seal, attached, is_attached
from sealsmith.adapters.strength import parse_strength
from sealsmith.bases import Base
from sealsmith.errors import ConfigError
from sealsmith.generate import Request, generate, generate_batch, generate_quantised, pipeline
from sealsmith.generate.mixing import MIXES, Seals, Share, Turn, is_fusible, placed
from sealsmith.generate.passes import CalledPlaces
from sealsmith.generate.recipe import dump_json, dump_parameters, parse_json, parse_parameters

REQUEST = Request("a red wax seal of sks emblem on wood", seed=3, num_steps=4, guidance=3.0)
TARGETS = ("to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2", "q_proj")


@dataclass(frozen=True)
class Listed:
    """One strength a step, written out."""

    values: tuple[float, ...]
    is_constant = False

    def factor(self, path: str, step: int, num_steps: int) -> float:
        return self.values[step]


@pytest.fixture
def seal(tiny_base: Base) -> Seal:
    return random_seal(tiny_base, TARGETS)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.8:stop=2", (0.8, 0.8, 0, 0)),
        ("0.8:start=1", (0, 0.8, 0.8, 0.8)),
        ("0.8:step=1-3", (0, 0.8, 0.8, 0)),
        ("1:stop=0.5", (1, 1, 0, 0)),
        ("1@0,0.1@1", (1, 0.7, 0.4, 0.1)),
        ("1@0,0@3", (1, 2 / 3, 1 / 3, 0)),
    ],
)
def test_a_picture_is_drawn_with_the_strengths_that_are_written_out(
    tiny_base: Base, seal: Seal, text: str, values: tuple[float, ...]
) -> None:
    strength = parse_strength(text)
    assert not is_fusible([(seal, strength)])
    path = next(path for path in seal.layers if path.startswith("unet."))
    placed_strength = placed(tiny_base, [(seal, strength)])[0][1]
    assert [placed_strength.factor(path, step, 4) for step in range(4)] == pytest.approx(values)
    (scheduled,) = generate(tiny_base, REQUEST, [(seal, strength)])
    heard: list[tuple[int, int]] = []
    with attached(tiny_base, [(seal, Listed(values))]) as attachment:
        before = tiny_base.denoiser.register_forward_pre_hook(
            lambda module, inputs: attachment.at(len(heard) % 4, 4) or heard.append((0, 0))
        )
        (by_hand,) = generate(tiny_base, REQUEST)
        before.remove()
    assert len(heard) == 4
    torch.testing.assert_close(scheduled.pixels, by_hand.pixels, rtol=0, atol=1e-6)


def test_a_batch_draws_the_same_with_strengths_that_change_and_that_do_not(
    tiny_base: Base, seal: Seal
) -> None:
    for text in ("0.8:stop=2", "0.8:in=0:out=0.5"):
        strength = parse_strength(text)
        (alone,) = generate(tiny_base, REQUEST, [(seal, strength)])
        (batched,) = generate_batch(tiny_base, [REQUEST], [(seal, strength)])
        torch.testing.assert_close(batched.pixels, alone.pixels, rtol=0, atol=1e-4)
        assert batched.recipe == alone.recipe


def test_block_weights_of_zero_are_the_bare_base_to_the_bit(tiny_base: Base, seal: Seal) -> None:
    (bare,) = generate(tiny_base, REQUEST)
    for text in ("1:lbw=NONE", "0", "1:in=0:mid=0:out=0:unet=0:te=0"):
        (drawn,) = generate(tiny_base, REQUEST, [(seal, parse_strength(text))])
        assert torch.equal(drawn.pixels, bare.pixels), text
    (other,) = generate(tiny_base, REQUEST, [(seal, parse_strength("1:lbw=MIDALL"))])
    assert not torch.equal(other.pixels, bare.pixels)


PAIR = Request(
    "a red wax seal of sks emblem and a blue ink stamp of ohwx emblem on wood",
    seed=3,
    num_steps=4,
    guidance=3.0,
)


@pytest.fixture
def pair(tiny_base: Base) -> list[tuple[Seal, float]]:
    return [
        (random_seal(tiny_base, TARGETS, trigger=word, seed=i), 1.0) for i, word in enumerate(("sks", "ohwx"))
    ]


def pixels(base: Base, request: Request, seals: Seals, mix: str) -> torch.Tensor:
    (picture,) = generate(base, dataclasses.replace(request, mix=mix), seals)
    assert picture.recipe.mix == (mix if len(seals) > 1 else "sum")
    return picture.pixels


def test_switched_seals_act_one_step_each(tiny_base: Base, pair: list[tuple[Seal, float]]) -> None:
    (first, _), (second, _) = pair
    by_hand = [(first, Listed((1, 0, 1, 0))), (second, Listed((0, 1, 0, 1)))]
    with attached(tiny_base, by_hand) as attachment:
        heard: list[int] = []
        before = tiny_base.denoiser.register_forward_pre_hook(
            lambda module, inputs: attachment.at(len(heard), 4) or heard.append(0)
        )
        (wanted,) = generate(tiny_base, PAIR)
        before.remove()
    torch.testing.assert_close(pixels(tiny_base, PAIR, pair, "switch"), wanted.pixels, rtol=0, atol=1e-6)


@given(count=st.integers(2, 5), num_steps=st.integers(1, 120))
def test_at_every_step_just_one_seal_has_its_turn_and_every_pass_is_one_s_own(
    count: int, num_steps: int
) -> None:
    path = "unet.mid_block.attentions.0.proj_in"
    for step in range(num_steps):
        assert sum(Turn(1.0, i, count).factor(path, step, num_steps) for i in range(count)) == 1
    for part in range(count * num_steps):
        owners = [Share(1.0, i, count).factor(path, part, count * num_steps) for i in range(count)]
        assert owners == [float(i == part % count) for i in range(count)]
    assert Turn(0.5, 1, count).factor("text_encoder.layers.0.q_proj", 0, num_steps) == 0.5
    assert Share(0.5, 1, count).factor("text_encoder.layers.0.q_proj", 0, num_steps) == 0.5


def test_a_shared_step_asks_a_strength_for_the_step_it_is(tiny_base: Base) -> None:
    whole = parse_strength("1@0,0.1@1:stop=3")
    path = "unet.mid_block.attentions.0.proj_in"
    for step in range(4):
        assert Share(whole, 1, 3).factor(path, 3 * step + 1, 12) == whole.factor(path, step, 4)


def test_a_composite_averages_what_each_seal_alone_predicts(
    tiny_base: Base, pair: list[tuple[Seal, float]]
) -> None:
    """One step, by hand: both seals' own guided predictions, their mean, the scheduler's step."""
    request = dataclasses.replace(PAIR, num_steps=1)
    seen: list[torch.Tensor] = []
    real = pipeline._guided

    def watched(prediction: torch.Tensor, guidance: float) -> torch.Tensor:
        seen.append(real(prediction, guidance))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "_guided", watched)
        for one in pair:
            generate(tiny_base, request, [one])
        alone = torch.cat(seen)
        patch.setattr(pipeline, "_guided", lambda prediction, guidance: alone.mean(0, keepdim=True))
        (wanted,) = generate(tiny_base, request)
    torch.testing.assert_close(
        pixels(tiny_base, request, pair, "composite"), wanted.pixels, rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("mix", ["switch", "composite", "masked"])
def test_one_seal_alone_is_mixed_in_no_way(tiny_base: Base, pair: list[tuple[Seal, float]], mix: str) -> None:
    assert torch.equal(pixels(tiny_base, PAIR, pair[:1], mix), pixels(tiny_base, PAIR, pair[:1], "sum"))


@pytest.mark.parametrize("mix", ["composite", "masked"])
def test_a_seal_shared_with_itself_is_the_seal(tiny_base: Base, mix: str) -> None:
    """Two seals with one change and two triggers: whoever a place listens to, it hears the same."""
    one = random_seal(tiny_base, TARGETS)
    other = dataclasses.replace(one, header=dataclasses.replace(one.header, trigger="ohwx"))
    both = pixels(tiny_base, PAIR, [(one, 0.8), (other, 0.8)], mix)
    torch.testing.assert_close(both, pixels(tiny_base, PAIR, [(one, 0.8)], "sum"), rtol=0, atol=1e-5)


@pytest.mark.parametrize("mix", MIXES)
def test_a_batch_mixes_as_a_request_alone_does(
    tiny_base: Base, pair: list[tuple[Seal, float]], mix: str
) -> None:
    wanted = pixels(tiny_base, PAIR, pair, mix)
    requests = [PAIR, dataclasses.replace(PAIR, mix=mix)]
    _, batched = generate_batch(tiny_base, requests, pair)
    torch.testing.assert_close(batched.pixels, wanted, rtol=0, atol=1e-4)
    if mix != "sum":
        assert not torch.allclose(wanted, pixels(tiny_base, PAIR, pair, "sum"), atol=1e-2)


def test_every_step_is_told_once_however_many_passes_it_takes(
    tiny_base: Base, pair: list[tuple[Seal, float]]
) -> None:
    told: list[tuple[int, int]] = []
    generate(tiny_base, dataclasses.replace(PAIR, mix="composite"), pair, lambda *step: told.append(step))
    assert told == [(done, 4) for done in range(1, 5)]


def test_masks_follow_the_attention_and_are_shares() -> None:
    """Left of four places attends the first trigger, right the second; a loud word has no more to say."""
    called = CalledPlaces([[1], [2, 3]], (2, 2))
    left = torch.tensor([[0.1, 0.8, 0.05, 0.05], [0.1, 0.2, 0.4, 0.3]])  # [places' kinds, tokens]
    shares = left[[0, 1, 0, 1]].T[None]
    called.add(torch.cat([torch.rand_like(shares), shares]))
    weights = called.weights()
    assert torch.allclose(weights.sum(0), torch.ones(1, 2, 2))
    assert (weights[0, 0, :, 0] > 0.95).all()
    assert (weights[1, 0, :, 1] > 0.95).all()


def test_an_even_attention_masks_nothing() -> None:
    called = CalledPlaces([[1], [2]], (4, 4))
    called.add(torch.tensor([0.5, 0.4, 0.1]).view(1, 3, 1).expand(1, 3, 4))
    assert torch.allclose(called.weights(), torch.full((2, 1, 4, 4), 0.5))
    unread = CalledPlaces([[1], [2]], (4, 4))
    assert torch.allclose(unread.weights(), torch.full((2, 1, 4, 4), 0.5))


def test_masks_need_the_triggers_in_the_prompt(tiny_base: Base, pair: list[tuple[Seal, float]]) -> None:
    request = dataclasses.replace(PAIR, prompt="a red wax seal of sks on wood", use_trigger=False)
    with pytest.raises(ConfigError, match="does not call 'seal of ohwx' by its 'ohwx'"):
        pixels(tiny_base, request, pair, "masked")
    assert not is_attached(tiny_base)
    assert not tiny_base.denoiser._forward_hooks


def test_a_transformer_has_no_masks_but_takes_turns(tiny_flux: Base) -> None:
    seals = [
        (random_seal(tiny_flux, ("to_q",), trigger=word, seed=i), 1.0)
        for i, word in enumerate(("sks", "zwx"))
    ]
    request = dataclasses.replace(PAIR, num_steps=1, prompt="sks and zwx")
    with pytest.raises(ConfigError, match="is a transformer"):
        pixels(tiny_flux, request, seals, "masked")
    pixels(tiny_flux, request, seals, "composite")


def test_an_unknown_mix_is_refused(tiny_base: Base) -> None:
    with pytest.raises(ConfigError, match="mixed by 'stir'"):
        generate(tiny_base, dataclasses.replace(PAIR, mix="stir"))


def test_seals_in_quantised_weights_take_no_turns(tiny_base: Base, pair: list[tuple[Seal, float]]) -> None:
    with pytest.raises(ConfigError, match="cannot be mixed by switch"):
        next(generate_quantised(tiny_base, dataclasses.replace(PAIR, mix="switch"), pair))


def test_a_recipe_says_the_mix_in_both_texts(tiny_base: Base, pair: list[tuple[Seal, float]]) -> None:
    (picture,) = generate(tiny_base, dataclasses.replace(PAIR, mix="switch", num_steps=1), pair)
    assert parse_json(dump_json(picture.recipe)) == picture.recipe
    assert parse_parameters(dump_parameters(picture.recipe)).mix == "switch"
