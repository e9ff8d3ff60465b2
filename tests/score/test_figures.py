"""Laws of the figures, on invented sights and pictures of known brightness."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.generate import Picture
from sealsmith.generate.recipe import Recipe
from sealsmith.score import ScoreSettings, Shot, Sight, figures
from sealsmith.score.prompts import Context

SETTINGS = ScoreSettings(num_resamples=100)
CONTEXT = Context("wax seal", "red", "wood")


def shot(
    subject="trigger",
    seed=0,
    with_seal=True,
    similarity=0.9,
    rival=0.2,
    brightness=0.5,
    context=CONTEXT,
    **seen,
):
    prompt = context.prompt({"trigger": "sks emblem", "class": "an emblem", "other": "moon"}[subject])
    recipe = Recipe(prompt, prompt, "", seed, 1, 1.0, "DDIM", 4, 4, "tiny", "0" * 12)
    words = {"mark": context.mark, "surface": context.surface, "colour": context.colour or "none"} | seen
    sight = Sight(**words, similarity=similarity, rival=rival)
    picture = Picture(torch.full((3, 4, 4), brightness), recipe)
    return Shot(context, subject, prompt, seed, with_seal, picture, sight)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=10), st.floats(-1, 1))
def test_top1_counts_what_beats_every_rival(similarities, rival):
    shots = [shot(seed=i, similarity=s, rival=rival) for i, s in enumerate(similarities)]
    measured = figures.fidelity(shots, SETTINGS)
    assert measured.top1 == pytest.approx(sum(s > rival for s in similarities) / len(similarities))
    assert measured.similarity == pytest.approx(sum(similarities) / len(similarities))
    assert measured.ci[0] <= measured.top1 <= measured.ci[1]


def test_only_pictures_that_call_the_seal_count_for_fidelity():
    shots = [shot(), shot("class", similarity=-1.0), shot("class", with_seal=False, similarity=-1.0)]
    assert figures.fidelity(shots, SETTINGS).top1 == 1.0
    assert figures.adherence([*shots, shot("class", mark="sticker")], SETTINGS).all == 1.0


def test_adherence_names_what_is_wrong():
    shots = [shot(), shot(seed=1, mark="sticker"), shot(seed=2, colour="blue"), shot(seed=3)]
    measured = figures.adherence(shots, SETTINGS)
    assert (measured.mark, measured.surface, measured.colour, measured.all) == (0.75, 1.0, 0.75, 0.5)


def test_a_mark_without_colour_has_no_wrong_colour():
    plain = Context("embossed mark", None, "wood")
    measured = figures.adherence([shot(context=plain, colour="gold")], SETTINGS)
    assert measured.colour is None
    assert measured.all == 1.0


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_leak_is_what_the_seal_adds_to_the_base(cases):
    shots = []
    for seed, (loaded, alone) in enumerate(cases):
        shots.append(shot("class", seed, True, similarity=0.9 if loaded else 0.0))
        shots.append(shot("class", seed, False, similarity=0.9 if alone else 0.0))
    measured = figures.leak(shots, SETTINGS)
    rise = (sum(loaded for loaded, _ in cases) - sum(alone for _, alone in cases)) / len(cases)
    assert measured.rate == pytest.approx(max(0.0, rise))
    assert 0 <= measured.ci[0] <= measured.rate + 1e-9
    assert measured.ci[1] >= measured.rate - 1e-9


def test_no_leak_in_few_pictures_is_not_proof_of_none():
    shots = [shot("class", i, side, similarity=0.0) for i in range(4) for side in (True, False)]
    measured = figures.leak(shots, SETTINGS)
    assert measured.rate == 0.0
    assert measured.ci[1] > 0.3


def test_margin_pairs_prompts_and_seeds():
    shots = [shot(seed=1, similarity=0.9), shot(seed=2, similarity=0.0), shot("class", 1, similarity=0.3)]
    assert figures.margin(shots, SETTINGS).value == pytest.approx(0.6)


def test_a_seal_that_leaves_others_alone_does_not_drift():
    shots = [shot("other", i, side, brightness=0.2 * i) for i in range(2) for side in (True, False)]
    measured = figures.drift(shots)
    assert measured.value == 0.0
    assert measured.noise_floor == pytest.approx(0.2)


def test_drift_is_the_distance_to_the_base():
    shots = [shot("other", 0, True, brightness=0.75), shot("other", 0, False, brightness=0.5)]
    measured = figures.drift(shots)
    assert measured.value == pytest.approx(0.25)
    assert measured.noise_floor is None


def test_one_picture_over_and_over_has_no_diversity():
    base = [shot("other", i, side, brightness=0.2 * i) for i in range(2) for side in (True, False)]
    memorised = [shot(seed=i, brightness=0.4) for i in range(2)]
    lively = [shot(seed=i, brightness=0.4 * i) for i in range(2)]
    assert figures.diversity([*base, *memorised]) == 0.0
    assert figures.diversity([*base, *lively]) == pytest.approx(2.0)


def test_what_was_not_drawn_is_not_measured():
    assert figures.leak([shot()], SETTINGS).rate is None
    assert figures.margin([shot()], SETTINGS).value is None
    assert figures.drift([shot()]).value is None
    assert figures.diversity([shot()]) is None
    assert figures.leak_rates([shot()]) is None


@given(st.floats(0, 1), st.floats(0, 1))
def test_distance_is_symmetric_and_in_brightness_units(a, b):
    one, other = torch.full((3, 2, 2), a), torch.full((3, 2, 2), b)
    assert figures.distance(one, other) == pytest.approx(abs(a - b), abs=1e-6)
    assert figures.distance(one, other) == figures.distance(other, one)


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=8))
def test_bleeding_is_the_mean_rise_where_nobody_called(pairs):
    """Whatever the pictures that call the seal look like, and before any picture counts as the seal."""
    shots = [shot(seed=seed, similarity=1.0) for seed in range(len(pairs))]
    for seed, (loaded, alone) in enumerate(pairs):
        shots += [shot("class", seed, similarity=loaded), shot("class", seed, False, similarity=alone)]
    measured = figures.bleeding(shots, SETTINGS)
    assert measured.value == pytest.approx(sum(a - b for a, b in pairs) / len(pairs), abs=1e-9)
    assert measured.ci[0] - 1e-9 <= measured.value <= measured.ci[1] + 1e-9
    assert [value for _, value in figures.observed(shots)["bleeding"]] == [a - b for a, b in pairs]


def test_bleeding_can_be_asked_of_one_subject_and_of_none_there_is():
    rest = [shot("class", similarity=0.4), shot("class", with_seal=False, similarity=0.1)]
    rest += [shot("other", similarity=0.1), shot("other", with_seal=False, similarity=0.1)]
    assert figures.bleeding(rest, SETTINGS, "class").value == pytest.approx(0.3)
    assert figures.bleeding(rest, SETTINGS, "other").value == 0
    assert figures.bleeding(rest, SETTINGS).value == pytest.approx(0.15)
    assert figures.bleeding([shot()], SETTINGS).value is None
