import json
from dataclasses import replace

import pytest
import torch
from judge_examples import random_judge
from PIL import Image
from seal_examples import changed, random_seal, write_foreign

from sealsmith.adapters import read_seal, write_seal
from sealsmith.errors import BaseMismatchError, ConfigError, PictureSetError
from sealsmith.score import (
    ScoreSettings,
    record_reference,
    record_scorecard,
    reference_embedding,
    score_page,
    score_seal,
)
from sealsmith.score.measure import plan_shots
from sealsmith.score.record import contexts_trained, recorded_reference

TINY = ScoreSettings(num_prompts=2, num_seeds=2, num_without=2, num_others=1, num_steps=1, num_resamples=50)
KEYS = {
    "fidelity": {"top1", "similarity", "ci"},
    "adherence": {"mark", "surface", "colour", "all", "ci"},
    "leak": {"rate", "ci"},
    "bleeding": {"value", "ci"},
    "drift": {"value", "noise_floor"},
    "margin": {"value", "ci"},
}
PICTURES = [Image.new("RGB", (50, 40), colour) for colour in ("red", "blue")]


@pytest.fixture(scope="module")
def judge():
    return random_judge()


def check_shape(document):
    assert set(document) == {*KEYS, "diversity", "verdict", "reasons", "settings"}
    for key, parts in KEYS.items():
        assert set(document[key]) == parts
    assert document["verdict"] in ("pass", "fail", "unproven")
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_two_runs_give_the_same_numbers(tiny_base, judge):
    seal = random_seal(tiny_base, ("to_q", "to_out.0"))
    first, second = (score_seal(tiny_base, seal, PICTURES, TINY, judge) for _ in range(2))
    check_shape(first.to_dict())
    assert first.to_dict() == second.to_dict()
    assert len(first.shots) == 2 * (2 + 2) + 4


def test_kept_base_pictures_change_nothing_but_the_time(tiny_base, judge):
    seal, kept, counts = random_seal(tiny_base, ("to_q",)), {}, []
    first = score_seal(tiny_base, seal, PICTURES, TINY, judge, lambda *at: counts.append(at), kept)
    assert len(kept) == 4
    assert counts[-1] == (12, 12)
    again = score_seal(tiny_base, seal, PICTURES, TINY, judge, base_pictures=kept)
    assert len(kept) == 4
    assert again.to_dict() == first.to_dict()


def test_at_strength_zero_nothing_drifts_and_nothing_leaks(tiny_base, judge):
    seal = random_seal(tiny_base, ("to_q", "to_out.0"))
    card = score_seal(tiny_base, seal, PICTURES, replace(TINY, strength=0.0), judge)
    assert card.drift.value == 0.0
    assert card.leak.rate == 0.0
    assert card.drift.noise_floor > 0


def test_without_a_judge_nothing_is_faked(tiny_base):
    card = score_seal(tiny_base, random_seal(tiny_base, ("to_q",)), [], TINY)
    document = card.to_dict()
    check_shape(document)
    assert document["fidelity"] == {"top1": None, "similarity": None, "ci": None}
    assert document["margin"]["value"] is None
    assert document["drift"]["value"] > 0
    assert document["verdict"] == "unproven"
    assert "no judge" in document["reasons"][0]


def test_a_seal_without_effect_fails_before_anything_is_drawn(tiny_base, judge):
    seal = random_seal(tiny_base, ("to_q",))
    card = score_seal(tiny_base, changed(seal, up=0.0), PICTURES, TINY, judge)
    check_shape(card.to_dict())
    assert not card.has_passed
    assert card.shots == ()


def test_a_seal_that_says_nothing_of_its_look_needs_pictures(tiny_base, judge):
    with pytest.raises(PictureSetError, match="no reference"):
        score_seal(tiny_base, random_seal(tiny_base, ("to_q",)), [], TINY, judge)


def test_a_seal_of_another_architecture_is_refused_and_not_called_useless(tiny_base, judge):
    seal = random_seal(tiny_base, ("to_q",))
    layers = {path.replace("unet.", "unet.elsewhere."): change for path, change in seal.layers.items()}
    with pytest.raises(BaseMismatchError, match="none of the"):
        score_seal(tiny_base, replace(seal, layers=layers), PICTURES, TINY, judge)


def test_another_familys_seal_is_refused(tiny_base, judge):
    seal = random_seal(tiny_base, ("to_q",))
    foreign = replace(seal, header=replace(seal.header, family="flux"))
    with pytest.raises(BaseMismatchError, match="was made for flux"):
        score_seal(tiny_base, foreign, PICTURES, TINY, judge)


def test_a_seal_file_carries_all_its_score_needs(tiny_base, judge, tmp_path):
    seal = random_seal(tiny_base, ("to_q",), training={"contexts": [["wax seal", "wood"]]})
    seal = record_reference(seal, reference_embedding(judge, PICTURES))
    card = score_seal(tiny_base, seal, [], TINY, judge)
    path = tmp_path / "seal.safetensors"
    write_seal(path, record_scorecard(seal, card))
    read = read_seal(path)
    assert contexts_trained(read.header) == {("wax seal", "wood")}
    assert read.header.scorecard == card.to_dict()
    assert score_seal(tiny_base, read, [], TINY, judge).to_dict() == card.to_dict()


def test_a_reference_survives_the_header(judge, tiny_base):
    reference = reference_embedding(judge, PICTURES)
    header = record_reference(random_seal(tiny_base, ("to_q",)), reference).header
    assert torch.allclose(recorded_reference(header), reference, atol=1e-5)


def test_no_planned_prompt_with_the_trigger_was_trained_on(tiny_base):
    contexts = [["wax seal", surface] for surface in ("wood", "snow", "sand")]
    seal = random_seal(tiny_base, ("to_q",), training={"contexts": contexts})
    shots = plan_shots(seal, ScoreSettings())
    assert not {shot.context.pair for shot in shots} & contexts_trained(seal.header)
    for shot in shots:
        assert ("sks" in shot.prompt.split()) == (shot.subject == "trigger")
    assert len([s for s in shots if s.subject == "trigger"]) == 16
    assert len(shots) == len({(s.prompt, s.seed, s.with_seal) for s in shots})


def test_quick_prompts_are_the_first_of_the_full_ones(tiny_base):
    seal = random_seal(tiny_base, ("to_q",))
    quick, full = plan_shots(seal, ScoreSettings.quick()), plan_shots(seal, ScoreSettings())
    assert set(quick) <= set(full)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_prompts": 0}, "num_prompts is 0"),
        ({"num_without": 9}, "only 8 prompts"),
        ({"num_steps": 0}, "num_steps"),
    ],
)
def test_impossible_settings_are_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        ScoreSettings(**changes)


def foreign_seal(base, tmp_path, trigger):
    spec = {"modelspec.trigger_phrase": f"{trigger}, blue hair"} if trigger else {}
    seal = random_seal(base, ("to_q", "to_out.0"))
    read = read_seal(write_foreign(tmp_path / "foreign.safetensors", seal, **spec))
    assert (read.header.trigger, read.header.class_noun) == (trigger, "")
    return read


@pytest.mark.parametrize("trigger", ["", "zwx"])
@pytest.mark.parametrize("family", ["sd1", "sdxl", "flux"])
def test_another_tools_seal_is_scored_on_every_base(family, trigger, request, tmp_path):
    base = request.getfixturevalue(f"tiny_{family}")
    card = score_seal(base, foreign_seal(base, tmp_path, trigger), [], TINY)
    check_shape(card.to_dict())
    assert card.drift.value > 0
    check_prompts(card, trigger)


@pytest.mark.parametrize("trigger", ["", "zwx"])
def test_another_tools_seal_is_judged_by_pictures(tiny_base, judge, trigger, tmp_path):
    seal = foreign_seal(tiny_base, tmp_path, trigger)
    card = score_seal(tiny_base, seal, PICTURES, TINY, judge)
    check_shape(card.to_dict())
    check_prompts(card, trigger)
    assert card.fidelity.top1 is not None
    assert card.leak.rate is not None
    assert (card.margin.value is None) == (trigger == "")
    assert any("names no trigger" in reason for reason in card.reasons) == (trigger == "")
    page = score_page(seal, card)
    assert "base  " not in page
    assert ("No trigger, noun “emblem”" in page) == (trigger == "")


def check_prompts(card, trigger):
    """The seal is called by its trigger and the family's noun, or by the noun alone; no prompt has a hole."""
    called = [shot.prompt for shot in card.shots if shot.subject == "trigger"]
    assert all(
        (f" of {trigger} emblem on " if trigger else " of an emblem on ") in prompt for prompt in called
    )
    assert not any("  " in shot.prompt for shot in card.shots)
    assert any(shot.subject == "class" for shot in card.shots) == bool(trigger)
    assert card.settings["class_noun"] == "emblem"


def test_a_seal_without_a_trigger_does_not_fail_for_that(tiny_base, judge, monkeypatch):
    """The reason why a figure is missing is no reason to fail."""
    monkeypatch.setattr("sealsmith.score.scoring.figure_reasons", lambda fidelity, margin: [])
    seal = random_seal(tiny_base, ("to_q",), trigger="")
    card = score_seal(tiny_base, seal, PICTURES, TINY, judge)
    assert card.has_passed
    assert len(card.reasons) == 1
