"""A strength over the steps acts at just the steps it names, and block weights reach just their blocks."""

from dataclasses import dataclass

import pytest
import torch
from seal_examples import random_seal

from sealsmith.adapters import Seal, attached
from sealsmith.adapters.strength import parse_strength
from sealsmith.bases import Base
from sealsmith.generate import Request, generate, generate_batch
from sealsmith.generate.mixing import is_fusible, placed

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
