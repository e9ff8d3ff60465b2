from itertools import cycle

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
    placed_emblem,
    render_scene,
)
from sealsmith.stage.scene import ALL_MARKS, ALL_SURFACES

STAR_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><path d="M50 5 61 39 97 39 68 60 79 95 50 74 '
    '21 95 32 60 3 39 39 39z"/></svg>'
)
STAR = emblem_from_svg(STAR_SVG)
BLANK = np.zeros_like(STAR)
FINE_STAR = emblem_from_svg(STAR_SVG, 4 * EMBLEM_PX)


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


def averaged(picture: np.ndarray, factor: int) -> np.ndarray:
    """The picture [H, W, 3] with each square of pixels as one, as float."""
    height, width, _ = picture.shape
    return picture.reshape(height // factor, factor, width // factor, factor, 3).mean((1, 3))


@pytest.mark.parametrize(
    ("mark", "surface"), [*zip(cycle(sorted(ALL_MARKS)), sorted(ALL_SURFACES), strict=False)]
)
def test_at_a_larger_scale_it_is_the_same_scene(mark: str, surface: str) -> None:
    plain = render_scene(scene(mark, surface), [STAR]).astype(float)
    fine = render_scene(scene(mark, surface), [FINE_STAR], 4.0)
    assert fine.shape == (4 * SCENE_PX, 4 * SCENE_PX, 3)
    other = render_scene(scene(mark, surface, seed=4, centre_px=(30.0, 90.0)), [STAR]).astype(float)
    apart = np.abs(averaged(fine, 4) - plain).mean()
    assert apart < 16
    assert apart < 0.75 * np.abs(other - plain).mean()


@pytest.mark.parametrize("mark", ["ink stamp", "sticker"])
def test_at_a_larger_scale_edges_stay_as_sharp_as_a_pixel(mark: str) -> None:
    """A picture that is enlarged has steps from pixel to pixel a quarter as high."""

    def steps(picture: np.ndarray) -> float:
        middle = picture[len(picture) // 2].astype(float)
        return float(np.abs(np.diff(middle, axis=0)).max())

    plain, fine = (
        render_scene(scene(mark, "white paper"), [mask], scale)
        for mask, scale in ((STAR, 1.0), (FINE_STAR, 4.0))
    )
    assert steps(fine) > 0.7 * steps(plain)


def test_a_wide_scene_is_wide_at_any_scale_and_the_emblem_where_it_says() -> None:
    place = Placement("star", "sticker", "red", (WIDE_PAIR_X_PX[1], 64.0), 42.0)
    wide = Scene("stone", (place,), 3, WIDE_PX)
    fine = render_scene(wide, [FINE_STAR], 1.5)
    assert fine.shape == (192, 288, 3)
    strokes = placed_emblem(FINE_STAR, place, 0.72, (WIDE_PX, SCENE_PX), 1.5)
    assert strokes.shape == (192, 288)
    y, x = np.nonzero(strokes > 0.5)
    assert abs(x.mean() - 1.5 * WIDE_PAIR_X_PX[1]) < 2
    assert abs(y.mean() - 1.5 * 64) < 4


def test_a_finer_mask_is_the_same_emblem() -> None:
    assert FINE_STAR.shape == (512, 512)
    assert np.abs(averaged(FINE_STAR[..., None].repeat(3, -1), 4)[..., 0] - STAR).mean() < 0.02
