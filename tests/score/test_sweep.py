"""A sweep's cells are scorecards of their own, and its recommendation follows its rule."""

import dataclasses
from typing import Any

import pytest
import torch
from judge_examples import random_judge
from seal_examples import equal_layers, random_seal

from sealsmith.adapters import Seal, write_seal
from sealsmith.bases import Base
from sealsmith.errors import ConfigError
from sealsmith.score import (
    Adherence,
    Drift,
    Fidelity,
    Leak,
    Scorecard,
    ScoreSettings,
    record_reference,
    score_seal,
)
from sealsmith.score.axes import Axis
from sealsmith.score.prompts import Context
from sealsmith.score.sheet import contact_sheet, figures_of, sheet_page
from sealsmith.score.sweep import Cell, context_of, recommend, seal_at, settings_at, sweep

FEW = ScoreSettings(num_prompts=1, num_seeds=1, num_without=1, num_others=1, num_steps=1)


@pytest.fixture
def seal(tiny_base: Base) -> Seal:
    reference = torch.nn.functional.normalize(torch.ones(16), dim=0)
    return record_reference(random_seal(tiny_base, ("to_q", "to_out.0")), reference)


def card(
    top1: float | None, likeness: float = 0.5, adherence: float = 1.0, leak: float = 0.0, drift: float = 0.0
) -> Any:
    return Scorecard(
        "pass",
        (),
        Fidelity(top1, likeness),
        Adherence(all=adherence),
        Leak(leak),
        Drift(drift * 0.1, 0.1),
        shots=tuple(_Called() for _ in range(10)),  # type: ignore[arg-type]
    )


class _Called:
    subject = "trigger"


def cells(**cards: Scorecard) -> list[Cell]:
    """Cells of strengths written as s08 for 0.8."""
    return [Cell({"strength": int(name[1:]) / 10}, one, None) for name, one in cards.items()]  # type: ignore[arg-type]


def test_the_highest_fidelity_wins() -> None:
    found = recommend(cells(s0=card(0), s5=card(0.5), s10=card(0.9), s15=card(0.7)))
    assert found.strength == 1.0
    assert "fidelity 90%" in found.reason


def test_within_one_picture_the_likeness_decides_and_then_the_weaker() -> None:
    assert recommend(cells(s8=card(0.8, 0.7), s10=card(0.9, 0.6))).strength == 0.8
    assert recommend(cells(s8=card(0.7, 0.7), s10=card(0.9, 0.6))).strength == 1.0
    assert recommend(cells(s8=card(0.9, 0.6), s10=card(0.9, 0.615))).strength == 0.8


def test_the_strongest_of_all_says_that_a_stronger_one_was_not_tried() -> None:
    found = recommend(cells(s8=card(0.5), s10=card(0.9)))
    assert found.strength == 1.0
    assert "the strongest that was tried" in found.reason
    assert "strongest" not in recommend(cells(s8=card(0.9), s10=card(0.5))).reason


@pytest.mark.parametrize(
    ("fault", "word"), [({"leak": 0.2}, "leak"), ({"adherence": 0.5}, "adherence"), ({"drift": 0.9}, "drift")]
)
def test_a_strength_that_costs_too_much_is_out_with_its_reason(fault: dict[str, float], word: str) -> None:
    found = recommend(cells(s8=card(0.6), s14=card(1.0, **fault)))
    assert found.strength == 0.8
    assert f"1.4 is out for its {word}" in found.reason


def test_where_none_keeps_the_limits_it_is_said() -> None:
    found = recommend(cells(s8=card(0.6, drift=0.9), s14=card(1.0, drift=0.9)))
    assert found.strength == 1.4
    assert "no strength keeps all the limits" in found.reason


def test_a_seal_that_is_never_recognised_is_said_to_be() -> None:
    never = recommend(cells(s05=card(0.0, 0.2), s10=card(0.0, 0.4)))
    assert never is not None
    assert "recognised at no strength" in never.reason
    seen = recommend(cells(s05=card(0.0, 0.2), s10=card(0.1, 0.4)))
    assert seen is not None
    assert "recognised at no strength" not in seen.reason


def test_without_strengths_or_a_judge_nothing_is_recommended() -> None:
    assert recommend(cells(s8=card(1.0))).strength is None
    assert recommend(cells(s8=card(None), s10=card(None))).strength is None


def test_every_cell_is_the_scorecard_of_its_place(tiny_base: Base, seal: Seal) -> None:
    told: list[tuple[int, int]] = []
    axes = Axis("strength", (0.5, 1.0)), Axis("steps", (1, 2))
    judge = random_judge()
    found = sweep(
        tiny_base, seal, *axes, FEW, judge, on_cell=lambda cells, total: told.append((len(cells), total))
    )
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [dict(cell.at) for cell in found.cells] == [
        {"strength": s, "steps": n} for n in (1, 2) for s in (0.5, 1.0)
    ]
    alone = score_seal(tiny_base, seal, (), dataclasses.replace(FEW, strength=0.5, num_steps=2), judge)
    assert found.rows[1][0].card.to_dict() == alone.to_dict()
    assert found.recommended.strength in (0.5, 1.0)
    sheet = contact_sheet(found, "a title")
    assert sheet.width > 2 * 128
    assert sheet.height > 2 * 128
    page = sheet_page(found, seal)
    assert page.count("<img") == 4
    assert found.recommended.reason in page


def test_another_seed_draws_other_pictures_of_the_same_prompts(tiny_base: Base, seal: Seal) -> None:
    found = sweep(tiny_base, seal, Axis("seed", (1, 2)), None, FEW, random_judge())
    one, other = (cell.picture for cell in found.cells)
    assert one.recipe.prompt == other.recipe.prompt
    assert (one.recipe.seed, other.recipe.seed) == (1, 2)
    assert not torch.equal(one.pixels, other.pixels)


def test_prompts_are_drawn_as_they_are(tiny_base: Base, seal: Seal) -> None:
    prompts = "a red wax seal of sks emblem on wood", "something of sks"
    found = sweep(tiny_base, seal, Axis("prompt", prompts), None, FEW, random_judge())
    assert [cell.picture.recipe.prompt for cell in found.cells] == list(prompts)
    assert found.cells[0].card.adherence.all is not None
    assert found.cells[1].card.adherence.all is None
    assert found.cells[1].card.fidelity.top1 is not None


def test_a_rank_is_the_seal_cut_down(tiny_base: Base, seal: Seal) -> None:
    cut = seal_at(seal, {"rank": 2}, {})
    assert {layer.rank for layer in cut.layers.values()} == {2}
    whole = seal_at(seal, {"rank": 99}, {})
    assert {layer.rank for layer in whole.layers.values()} == {4}


def test_a_checkpoint_is_that_file_with_the_finished_seals_look(
    tiny_base: Base, seal: Seal, tmp_path
) -> None:
    early = random_seal(tiny_base, ("to_q",), seed=5)
    path = tmp_path / "step-000100.safetensors"
    write_seal(path, early)
    found = seal_at(seal, {"checkpoint": 100}, {100: path})
    assert equal_layers(found, early)
    assert found.header.training["reference"] == seal.header.training["reference"]
    with pytest.raises(ConfigError, match="no checkpoint of step 300"):
        seal_at(seal, {"checkpoint": 300}, {100: path})


def test_settings_take_what_the_place_says_and_nothing_else() -> None:
    found = settings_at(FEW, {"strength": 0.3, "guidance": 2.0, "rank": 4})
    assert found == dataclasses.replace(FEW, strength=0.3, guidance=2.0)


def test_two_axes_of_one_name_are_refused(tiny_base: Base, seal: Seal) -> None:
    with pytest.raises(ConfigError, match="both axes are seed"):
        sweep(tiny_base, seal, Axis("seed", (1,)), Axis("seed", (2,)), FEW)


def test_a_prompt_s_context_is_what_it_names() -> None:
    assert context_of("a red wax seal of sks emblem on wood") == Context("wax seal", "red", "wood")
    assert context_of("a carved mark of sks on stone") == Context("carved mark", None, "stone")
    assert context_of("a red wax seal and a blue ink stamp on wood") is None
    assert context_of("sks") is None


def test_what_was_not_measured_is_not_shown() -> None:
    assert figures_of(Scorecard("fail", drift=Drift(0.25, 0.5))) == ["drift 0.250"]
