"""The table of recipes, in miniature: what is there is not done again, and every objective says what it means."""

import sys
from pathlib import Path

import pytest
import torch
from small_world import small_masks

from world import glyphs, recipe_ablation
from world.objective import amplitudes, wanted
from world.recipe_ablation import LEVELS, VARIANTS, Lessons, Terms, clean_errors, learn, table

TERMS = Terms(
    steps=2, batch=2, pictures=8, valid_pictures=2, captions=1, sampling_steps=1, config="miniature"
)
NAMES = ("default", "epsilon", "schedule-free AdamW")


@pytest.fixture(autouse=True)
def small_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    masks = small_masks()
    monkeypatch.setattr(glyphs, "RUNS", tmp_path)
    monkeypatch.setattr(glyphs, "masks", lambda: masks)


def test_every_variant_is_a_recipe() -> None:
    recipes = [TERMS.settings(changes).denoiser for changes in VARIANTS.values()]
    assert len(set(recipes)) == len(VARIANTS)


def test_variants_are_measured_once_and_told_in_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe_ablation.run(TERMS, NAMES)
    monkeypatch.setattr(recipe_ablation, "measure", lambda *_: pytest.fail("it is there already"))
    recipe_ablation.run(TERMS, NAMES)
    lines = table(TERMS, list(VARIANTS)).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == list(NAMES)
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize("name", ["default", "x"])
def test_a_model_that_knows_the_answer_has_no_error_whatever_it_is_asked(name: str) -> None:
    taught = Lessons.of(TERMS)
    assert taught.latents.values.std().item() == pytest.approx(1, abs=1e-4)
    learner = learn(TERMS, name, taught)
    errors = clean_errors(learner, learner.averaged(), taught.latents, TERMS.valid_pictures)
    assert len(errors) == len(LEVELS)
    assert all(0 < error < 10 for error in errors)
    clean = taught.latents.values[: TERMS.valid_pictures]

    def knowing(noisy: torch.Tensor, times: torch.Tensor, *_: object) -> torch.Tensor:
        a, s = amplitudes(learner.signal[times])
        return wanted(learner.settings.objective, clean, (noisy - a * clean) / s, a, s)

    assert max(clean_errors(learner, knowing, taught.latents, TERMS.valid_pictures)) < 1e-5


def test_an_unknown_variant_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["recipe_ablation", "--only", "default,elderly"])
    with pytest.raises(SystemExit, match="no variant is called 'elderly'"):
        recipe_ablation.main()
