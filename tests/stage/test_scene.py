import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealsmith.stage import (
    COLOURS,
    EMBLEM_PX,
    SCENE_PX,
    WIDE_PAIR_X_PX,
    WIDE_PX,
    Placement,
    Scene,
    emblem_from_svg,
    render_scene,
)
from sealsmith.stage.scene import ALL_MARKS, ALL_SURFACES

STAR = emblem_from_svg(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><path d="M50 5 61 39 97 39 68 60 79 95 50 74 '
    '21 95 32 60 3 39 39 39z"/></svg>'
)
BLANK = np.zeros_like(STAR)


def scene(mark: str, surface: str, seed: int = 3, **place: object) -> Scene:
    colours = ALL_MARKS[mark].colours
    return Scene(surface, (Placement("star", mark, colours[0] if colours else None, **place),), seed)  # type: ignore[arg-type]


@pytest.mark.parametrize("mark", sorted(ALL_MARKS))
def test_emblem_shows_where_it_is_and_only_there(mark: str) -> None:
    with_star = render_scene(scene(mark, "stone"), [STAR]).astype(int)
    without = render_scene(scene(mark, "stone"), [BLANK]).astype(int)
    change = np.abs(with_star - without).mean(-1)
    assert change[40:88, 40:88].mean() > 4
    assert change[:6].mean() < 1


@given(st.sampled_from(sorted(ALL_MARKS)), st.sampled_from(sorted(ALL_SURFACES)), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_same_scene_same_picture(mark: str, surface: str, seed: int) -> None:
    first = render_scene(scene(mark, surface, seed), [STAR])
    assert first.shape == (SCENE_PX, SCENE_PX, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, render_scene(scene(mark, surface, seed), [STAR]))


def test_surfaces_and_colours_are_told_apart() -> None:
    flat = {name: render_scene(Scene(name, (), 1), []).mean((0, 1)) for name in ALL_SURFACES}
    names = sorted(flat)
    closest = min(np.abs(flat[a] - flat[b]).max() for a in names for b in names if a < b)
    assert closest > 3
    assert all(0 <= channel <= 1 for colour in COLOURS.values() for channel in colour)


def test_emblem_touches_the_inscribed_circle() -> None:
    y, x = np.nonzero(STAR > 0.5)
    reach = np.hypot(y + 0.5 - EMBLEM_PX / 2, x + 0.5 - EMBLEM_PX / 2).max()
    assert EMBLEM_PX / 2 - 4 < reach < EMBLEM_PX / 2 + 1


@pytest.mark.parametrize("mark", sorted(ALL_MARKS))
def test_in_a_wide_scene_each_of_two_emblems_shows_in_its_half(mark: str) -> None:
    colours = ALL_MARKS[mark].colours
    places = tuple(
        Placement("star", mark, colours[0] if colours else None, (x, 64.0), 42.0) for x in WIDE_PAIR_X_PX
    )
    wide = Scene("stone", places, 3, WIDE_PX)
    neither = render_scene(wide, [BLANK, BLANK]).astype(int)
    assert neither.shape == (SCENE_PX, WIDE_PX, 3)
    for number in range(2):
        masks = [BLANK, BLANK]
        masks[number] = STAR
        change = np.abs(render_scene(wide, masks).astype(int) - neither).mean(-1)
        own, other = (change[40:88, x - 24 : x + 24].mean() for x in WIDE_PAIR_X_PX[:: 1 - 2 * number])
        assert own > 4
        assert other < 0.3 * own


def test_a_turned_mark_turns_its_emblem() -> None:
    upright = render_scene(scene("sticker", "stone"), [STAR]).astype(int)
    turned = render_scene(scene("sticker", "stone", turn_deg=36.0), [STAR]).astype(int)
    fifth = render_scene(scene("sticker", "stone", turn_deg=72.0), [STAR]).astype(int)
    assert np.abs(upright - fifth).mean() < 0.5 * np.abs(upright - turned).mean()
