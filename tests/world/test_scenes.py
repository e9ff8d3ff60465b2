import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.bases import FAMILIES
from sealsmith.stage import COLOURS, HELDOUT_MARKS, HELDOUT_SURFACES, MARKS, SURFACES
from world import glyphs, scenes

EMBLEMS = ["dragon head", "star", "letter a", "anvil"]


@given(st.integers(0, 2**32 - 1))
def test_plain_caption_says_everything_and_nothing_held_out(seed: int) -> None:
    scene = scenes.sample_scene(np.random.default_rng(seed), EMBLEMS)
    caption = scenes.caption(scene)
    assert caption.endswith(f" on {scene.surface}")
    assert scene.surface in SURFACES
    for place in scene.placements:
        assert place.mark in MARKS
        assert re.search(
            rf"\b(a|an) {place.colour + ' ' if place.colour else ''}{place.mark} of {place.emblem}\b", caption
        )
        assert place.colour in (MARKS[place.mark].colours or (None,))
        assert place.colour is None or place.colour in COLOURS


@given(st.integers(0, 2**32 - 1))
def test_a_wide_scene_has_two_marks_that_fit_side_by_side(seed: int) -> None:
    scene = scenes.sample_wide_scene(np.random.default_rng(seed), EMBLEMS)
    left, right = scene.placements
    assert left.centre_px[0] + left.radius_px < right.centre_px[0] - right.radius_px
    assert left.centre_px[0] - left.radius_px > 0
    assert right.centre_px[0] + right.radius_px < scene.width_px
    assert scenes.caption(scene).count(" of ") == 2


@given(st.integers(0, 2**32 - 1))
def test_varied_caption_names_mark_and_surface(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene = scenes.sample_scene(rng, EMBLEMS)
    caption = scenes.varied_caption(scene, EMBLEMS, rng)
    assert scene.surface in caption.text
    assert all(place.mark in caption.text for place in scene.placements)
    assert not caption.shapes


@given(st.integers(0, 2**32 - 1))
def test_an_emblem_without_a_word_is_called_by_a_rare_token_of_its_own(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scene = scenes.sample_scene(rng, EMBLEMS, pair_share=0.5)
    caption = scenes.varied_caption(scene, (), rng)
    words = caption.text.replace(",", "").split()
    called = [word for word in words if word in scenes.RARE_TOKENS]
    assert len(set(called)) == len(called) == len(scene.placements)
    assert not any(emblem in caption.text for emblem in ("dragon", "star", "anvil"))
    emblems = dict(zip(called, [p.emblem for p in scene.placements], strict=True))
    if len(scene.placements) == 2:  # in the sentence in the scene's order
        assert all(emblems[token] == emblem for token, emblem in caption.shapes.items())


def test_rare_tokens_are_those_the_family_suggests() -> None:
    assert FAMILIES["sealworld"].rare_tokens == scenes.RARE_TOKENS
    assert FAMILIES["sealworld"].class_noun == scenes.CLASS_NOUN


def test_heldout_file_is_what_the_rule_says() -> None:
    lines = glyphs.HELDOUT_FILE.read_text().splitlines()
    kinds = {
        kind: [line.split(": ", 1)[1] for line in lines if line.startswith(f"{kind}: ")]
        for kind in ("glyph", "mark", "surface")
    }
    assert kinds["mark"] == list(HELDOUT_MARKS)
    assert kinds["surface"] == list(HELDOUT_SURFACES)
    assert len(kinds["glyph"]) > 300
    assert all(glyphs.is_heldout(name) for name in kinds["glyph"])
    assert not glyphs.is_heldout("letter a")
