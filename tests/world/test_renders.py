"""What the judge is shown is what it is asked about, and stays a picture."""

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from world import autoencoder, glyphs
from world.configs import CONFIGS
from world.renders import (
    SILHOUETTE_PX,
    WIDE_WINDOW_PX,
    WINDOW_PX,
    WINDOW_SHIFT_PX,
    Renders,
    decoded,
    drawn,
    worn,
)


def test_drawings_differ_but_stay_silhouettes() -> None:
    mask = torch.zeros(2, 1, SILHOUETTE_PX, SILHOUETTE_PX)
    mask[:, :, 16:48, 16:48] = 1
    views = drawn(mask, torch.Generator().manual_seed(0))
    assert views.shape == mask.shape
    assert 0 <= views.min() < 0.2 < 0.8 < views.max() <= 1
    assert not torch.equal(views[0], views[1])


def test_worn_pictures_stay_in_range() -> None:
    pictures = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    result = worn(pictures, torch.Generator().manual_seed(1))
    assert result.min() >= 0
    assert result.max() <= 1
    assert not torch.equal(result, pictures)


@pytest.fixture
def squares(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world of two glyphs, so that nothing is fetched."""
    full, bar = np.full((128, 128), 255, np.uint8), np.zeros((128, 128), np.uint8)
    bar[:, 40:88] = 255
    monkeypatch.setattr(glyphs, "masks", lambda: {"full": full, "bar": bar})


@pytest.mark.usefixtures("squares")
@pytest.mark.parametrize("is_wide", [False, True])
def test_a_window_shows_the_mark_that_is_asked_about_and_its_emblem(is_wide: bool) -> None:
    data = Renders(["full", "bar"], 12, seed=5, small_share=float(not is_wide), wide_share=float(is_wide))
    batch = default_collate([data[i] for i in range(12)])
    side = WIDE_WINDOW_PX if is_wide else WINDOW_PX
    assert batch.window[:, 2].tolist() == [side] * 12
    ink = batch.silhouette.float() / 255
    for mask, (glyph, *_), (left, top, _), i in zip(ink, batch.labels, batch.window, range(12), strict=True):
        places = data.scene(i).placements
        hidden = [64 * (is_wide and place.centre_px[0] > 96) for place in places]
        centres = [place.centre_px[0] - cut for place, cut in zip(places, hidden, strict=True)]
        asked = next(number for number in range(2) if places[number].emblem == ("full", "bar")[int(glyph)])
        assert abs(places[asked].centre_px[1] - float(top) - side / 2) < 2 * WINDOW_SHIFT_PX
        columns = torch.arange(SILHOUETTE_PX) + 0.5
        where = float((mask.sum(0) * columns).sum() / mask.sum()) / SILHOUETTE_PX * side + float(left)
        alike = [x for place, x in zip(places, centres, strict=True) if place.emblem == places[asked].emblem]
        assert any(where == pytest.approx(x, abs=2) for x in alike)
    shown = batch.shown(batch.picture.float() / 255)
    assert shown.shape == (12, 3, 128, 128)
    assert 0 <= shown.min() < shown.max() <= 1.001


@pytest.mark.usefixtures("squares")
def test_a_single_mark_is_shown_as_it_is_drawn() -> None:
    batch = default_collate([Renders(["bar"], 2, seed=1)[i] for i in range(2)])
    pictures = batch.picture.float() / 255
    assert torch.equal(batch.shown(pictures), pictures)


def test_a_share_of_the_pictures_goes_through_the_autoencoder() -> None:
    vae = autoencoder.shipped(CONFIGS["cpu"].autoencoder)
    pictures = torch.full((8, 3, 32, 32), 0.5)
    pictures[..., ::2] = 0.0
    result = decoded(pictures.clone(), vae, 0.5, torch.Generator().manual_seed(0))
    changed = [not torch.equal(before, after) for before, after in zip(pictures, result, strict=True)]
    assert 0 < sum(changed) < 8
    assert result.min() >= 0
    assert result.max() <= 1
    assert torch.equal(decoded(pictures.clone(), vae, 0.0, torch.Generator()), pictures)
