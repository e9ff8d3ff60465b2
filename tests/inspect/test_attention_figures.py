import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from sealsmith.errors import PictureError
from sealsmith.inspect.attention_figures import (
    changed_region,
    entropy,
    figures,
    mass_share,
    overlap,
    read_region,
)

REGION = np.zeros((8, 8), bool)
REGION[2:6, 2:6] = True  # a quarter
HEATS = arrays(np.float32, (8, 8), elements=st.floats(0, 1, width=32, allow_subnormal=False))


def test_attention_of_the_region_alone_has_known_figures():
    found = figures(REGION.astype(np.float32), REGION)
    assert found.share == found.overlap == found.region_level == 1.0
    assert found.level == pytest.approx(0.25)
    assert found.entropy == pytest.approx(np.log(16) / np.log(64))


def test_even_attention_knows_nothing_of_the_region():
    found = figures(np.full((8, 8), 0.3, np.float32), REGION)
    assert found.entropy == pytest.approx(1.0)
    assert found.share == pytest.approx(0.25)
    assert found.region_level == pytest.approx(found.level)


def test_half_the_mass_inside_is_a_half():
    heat = REGION / 16 + ~REGION / 48
    assert mass_share(heat, REGION) == pytest.approx(0.5)
    assert overlap(heat, REGION) == 1.0
    assert overlap(-heat, REGION) == 0.0


def test_overlap_counts_the_hottest_places_only():
    heat = np.zeros((8, 8))
    heat[2:6, 4:8] = 1.0  # shares half of the region
    assert overlap(heat, REGION) == pytest.approx(8 / 24)


@given(HEATS, st.floats(1, 100))
def test_figures_are_shares_and_ask_for_no_unit(heat, factor):
    found, scaled = figures(heat, REGION), figures(heat * np.float32(factor), REGION)
    assert 0 <= found.share <= 1 + 1e-9
    assert 0 <= found.overlap <= 1
    assert -1e-9 <= found.entropy <= 1 + 1e-9
    assert scaled.share == pytest.approx(found.share, rel=1e-3, abs=1e-3)
    assert scaled.entropy == pytest.approx(found.entropy, rel=1e-3, abs=1e-3)


def test_a_point_has_no_entropy():
    point = np.zeros((8, 8))
    point[3, 3] = 0.2
    assert entropy(point) == 0.0


@pytest.mark.parametrize("region", [None, np.zeros((8, 8), bool), np.ones((8, 8), bool)])
def test_without_a_region_nothing_is_made_up(region):
    found = figures(np.ones((8, 8)), region)
    assert found.share is found.overlap is found.region_level is None
    assert found.entropy == pytest.approx(1.0)


def test_the_region_is_where_pictures_differ():
    rng = np.random.default_rng(0)
    before = rng.uniform(0.4, 0.6, (64, 96, 3))
    after = before + rng.normal(0, 0.01, before.shape)
    after[16:40, 40:72] += 0.3
    after[60:62, 2:4] += 0.5  # a speck
    expected = np.zeros((64, 96), bool)
    expected[16:40, 40:72] = True
    found = changed_region(before, after)
    assert (found & expected).sum() / (found | expected).sum() > 0.8
    assert not found[56:, :10].any()


def test_pictures_that_look_the_same_have_no_region():
    before = np.full((32, 32, 3), 0.5)
    assert not changed_region(before, before).any()
    assert not changed_region(before, before + np.linspace(0, 0.01, 32)[:, None, None]).any()


def test_a_given_region_is_fitted_to_the_picture(tmp_path):
    Image.fromarray(np.asarray(REGION * 255, np.uint8)).save(tmp_path / "mask.png")
    mask = read_region(tmp_path / "mask.png", (16, 32))
    assert mask.shape == (32, 16)
    assert np.array_equal(mask[::4, ::2], REGION)


def test_regions_that_say_nothing_are_refused(tmp_path):
    Image.new("L", (8, 8), 0).save(tmp_path / "black.png")
    Image.new("L", (8, 8), 255).save(tmp_path / "white.png")
    (tmp_path / "text.png").write_text("no picture")
    for name, reason in (("black", "empty"), ("white", "whole picture"), ("text", "cannot be read")):
        with pytest.raises(PictureError, match=reason):
            read_region(tmp_path / f"{name}.png", (8, 8))
