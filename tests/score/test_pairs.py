"""Two seals in one picture: what is asked for, and where each is looked for."""

import dataclasses

import pytest
import torch
from judge_examples import random_judge
from seal_examples import random_seal

from sealsmith.adapters import Seal
from sealsmith.bases import Base
from sealsmith.errors import ConfigError
from sealsmith.generate import Picture
from sealsmith.score.pairs import Find, cut_halves, find_seals, plan_pairs
from sealsmith.stage import PAIR_X_PX, WIDE_PAIR_X_PX


@pytest.fixture
def seals(tiny_base: Base) -> list[Seal]:
    return [random_seal(tiny_base, ("to_q",), trigger=word, seed=i) for i, word in enumerate(("sks", "ohwx"))]


def test_every_pair_is_called_in_both_orders(tiny_base: Base, seals: list[Seal]) -> None:
    three = [*seals, random_seal(tiny_base, ("to_q",), trigger="zwx")]
    plans = plan_pairs(tiny_base, three, num_prompts=12, num_seeds=2, seed=3)
    assert len(plans) == 24
    assert {plan.called for plan in plans} == {(i, j) for i in range(3) for j in range(3) if i != j}
    assert len({plan.seed for plan in plans}) == 24
    assert plans == plan_pairs(tiny_base, three, num_prompts=12, num_seeds=2, seed=3)


def test_a_prompt_names_both_triggers_left_one_first(tiny_base: Base, seals: list[Seal]) -> None:
    plan = plan_pairs(tiny_base, seals, 2, 1, 0)[1]
    assert plan.called == (1, 0)
    words = plan.prompt(seals)
    assert 0 < words.index("ohwx emblem and ") < words.index("sks emblem on ")
    assert words.endswith(f" on {plan.contexts[0].surface}")


def test_alone_a_stranger_stands_in_the_other_s_place(tiny_base: Base, seals: list[Seal]) -> None:
    plan = plan_pairs(tiny_base, seals, 1, 1, 0)[0]
    words = plan.prompt(seals, alone=1)
    assert "sks" not in words
    assert words == plan.prompt(seals).replace("sks emblem", plan.stranger)


def test_a_seal_without_a_trigger_is_called_by_its_noun(tiny_base: Base, seals: list[Seal]) -> None:
    silent = random_seal(tiny_base, ("to_q",), trigger="")
    plan = plan_pairs(tiny_base, [seals[0], silent], 1, 1, 0)[0]
    words = plan.prompt([seals[0], silent])
    assert " of sks emblem and " in words
    assert " of an emblem on " in words


def test_contexts_a_seal_was_trained_in_are_avoided(tiny_base: Base, seals: list[Seal]) -> None:
    seen = [["wax seal", "wood"], ["sticker", "sand"]]
    trained = random_seal(tiny_base, ("to_q",), training={"contexts": seen})
    contexts = [one for plan in plan_pairs(tiny_base, [trained, seals[1]], 8, 1, 0) for one in plan.contexts]
    assert not {context.pair for context in contexts} & {tuple(pair) for pair in seen}


def test_seals_of_one_trigger_or_one_seal_alone_are_refused(tiny_base: Base, seals: list[Seal]) -> None:
    for company in (seals[:1], [seals[0], seals[0]]):
        with pytest.raises(ConfigError, match="cannot be called in one picture"):
            plan_pairs(tiny_base, company, 1, 1, 0)


def test_pictures_of_two_are_wide_where_the_base_has_wide_ones(
    tiny_base: Base, tiny_sdxl: Base, seals: list[Seal]
) -> None:
    (plan,) = plan_pairs(tiny_base, seals, 1, 1, 0)
    request = plan.request(seals, 2)
    side = tiny_base.picture_px
    assert (request.width, request.height) == plan.size_px == (1.5 * side, side)
    assert tiny_sdxl.pair_size_px == (tiny_sdxl.picture_px, tiny_sdxl.picture_px)


@pytest.mark.parametrize("is_wide", [False, True])
def test_a_window_shows_the_whole_of_its_mark_and_none_of_the_other(is_wide: bool) -> None:
    width, centres, radius = (192, WIDE_PAIR_X_PX, 44) if is_wide else (128, PAIR_X_PX, 30)
    y, x = torch.meshgrid(torch.arange(128) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    for number, centre in enumerate(centres):
        disc = ((x - centre) ** 2 + (y - 64) ** 2 <= radius**2).float()
        halves = cut_halves(disc.expand(1, 3, *disc.shape))[0, :, 0]
        assert halves[number].sum() > 0.97 * disc.sum()
        assert halves[1 - number].sum() < 0.06 * disc.sum()


@pytest.mark.parametrize("size", [(64, 64), (128, 128), (96, 160)])
def test_the_halves_are_squares_inside_the_picture_left_first(size: tuple[int, int]) -> None:
    width = size[1]
    ramp = torch.arange(width, dtype=torch.float32).expand(1, 3, *size) / width
    halves = cut_halves(ramp)
    assert halves.shape[1] == 2
    assert halves.shape[-1] == halves.shape[-2]
    assert halves[0, 0].mean() < 0.4 < 0.6 < halves[0, 1].mean()


def test_a_seal_is_found_where_it_is_nearest_and_no_other_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a picture with A on the left and B on the right each is found; a third seal is not."""
    judge = dataclasses.replace(random_judge(), distractors=torch.eye(4)[3:])
    seen = torch.tensor([[0.9, 0.1, 0.0, 0.2], [0.3, 0.8, 0.0, 0.5]])
    monkeypatch.setattr(type(judge), "look", lambda self, pictures: _Seen(seen[: len(pictures)]))
    picture = Picture(torch.zeros(3, 64, 64), None)  # type: ignore[arg-type]
    found = find_seals([picture], judge, torch.eye(4)[:3])
    assert [one.is_found for one in found[0]] == [True, True, False]
    assert found[0][0] == Find(pytest.approx(0.9), pytest.approx(0.2))
    assert found[0][1].lead == pytest.approx(0.3)


@dataclasses.dataclass
class _Seen:
    embedding: torch.Tensor
