"""Laws of logo training sets: one drawing, the same shape in every picture, captions that tell the truth."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sealsmith.errors import ConfigError, PictureError, PictureSetError
from sealsmith.stage import MARKS, SURFACES, rasterise_svg
from sealsmith.stage.captions import article
from sealsmith.stage.letters import LETTERS, letter_emblem, letter_name
from sealsmith.train.logo import DEFAULT_CONTEXTS, is_drawing, logo_scenes, picture_emblem
from sealsmith.train.pictures import PictureSet, read_picture_set

MARK = Path(__file__).parents[2] / "examples" / "mark.svg"


def read(path: Path, **options: object) -> PictureSet:
    return read_picture_set(path, trigger="sks", class_noun="emblem", **options)  # type: ignore[arg-type]


def test_a_logo_becomes_captioned_pictures_in_the_asked_contexts() -> None:
    pictures = read(MARK, logo_pictures=12)
    assert (pictures.kind, pictures.warnings, pictures.class_noun) == ("logo", (), None)
    assert len(pictures.pictures) == 12
    allowed = {
        f"{article(f'{colour} {mark}')} of sks emblem on {surface}"
        for mark, surface in DEFAULT_CONTEXTS
        for colour in MARKS[mark].colours
    }
    assert {picture.caption for picture in pictures.pictures if picture.is_portrait} <= allowed
    assert len({picture.caption for picture in pictures.pictures}) == 12
    assert "a black ink stamp of sks emblem on white paper" in {p.caption for p in pictures.pictures}
    assert all(
        (picture.image.mode, picture.image.size) == ("RGB", (128, 128)) for picture in pictures.pictures
    )


def test_pictures_are_as_high_as_the_base_draws_and_show_the_same_scenes() -> None:
    plain, fine = (read(MARK, logo_pictures=8, wide_company=True, logo_px=px) for px in (128, 256))
    for small, large in zip(plain.pictures, fine.pictures, strict=True):
        assert large.image.size == (2 * small.image.width, 2 * small.image.height)
        assert large.caption == small.caption
        reduced = np.asarray(large.image.resize(small.image.size, Image.Resampling.BOX)).astype(int)
        assert np.abs(reduced - np.asarray(small.image)).mean() < 16
        assert large.region is not None
        assert small.region is not None
        assert large.region.size == large.image.size
        region = np.asarray(large.region.resize(small.region.size, Image.Resampling.BOX)).astype(int)
        assert np.abs(region - np.asarray(small.region)).mean() < 4
    assert read(MARK, logo_pictures=2, logo_px=64).digest == read(MARK, logo_pictures=2).digest


def test_more_pictures_than_memory_should_hold_are_refused() -> None:
    with pytest.raises(PictureSetError, match="first 1000 pictures alone take over 4 GiB"):
        read(MARK, logo_pictures=1000, logo_px=2048)


def test_same_seed_same_set_and_another_seed_another() -> None:
    sets = [read(MARK, logo_pictures=4, seed=seed) for seed in (1, 1, 2)]
    assert sets[0].digest == sets[1].digest != sets[2].digest


def test_svg_and_its_png_give_the_same_captions_and_nearly_the_same_pictures(tmp_path: Path) -> None:
    rasterise_svg(MARK.read_text(), 512).save(tmp_path / "mark.png")
    for drawn, read_back in zip(
        read(MARK, logo_pictures=4).pictures,
        read(tmp_path / "mark.png", logo_pictures=4).pictures,
        strict=True,
    ):
        assert drawn.caption == read_back.caption
        assert np.abs(np.asarray(drawn.image).astype(int) - np.asarray(read_back.image)).mean() < 2


@given(
    num=st.integers(1, 40),
    more=st.integers(0, 20),
    contexts=st.lists(
        st.tuples(st.sampled_from(sorted(MARKS)), st.sampled_from(sorted(SURFACES))), min_size=1, max_size=4
    ),
    is_wide=st.booleans(),
    seed=st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=40)
def test_scenes_take_contexts_and_colours_in_turn(
    num: int, more: int, contexts: list[tuple[str, str]], is_wide: bool, seed: int
) -> None:
    scenes = logo_scenes("sks emblem", num + more, contexts, is_wide, seed)
    assert logo_scenes("sks emblem", num, contexts, is_wide, seed) == scenes[:num]
    for i, scene in enumerate(scenes):
        (place,) = [place for place in scene.placements if place.emblem == "sks emblem"]
        assert (place.mark, scene.surface) == contexts[i % len(contexts)]
        for each in scene.placements:
            assert each.colour in (MARKS[each.mark].colours or (None,))
            assert each.radius_px < each.centre_px[0] < scene.width_px - each.radius_px
            assert each.radius_px < each.centre_px[1] < 128 - each.radius_px
    for k, (mark, _) in enumerate(contexts):
        own = [place for scene in scenes for place in scene.placements if place.emblem == "sks emblem"]
        used = [place.colour for place in own[k :: len(contexts)]]
        assert len(set(used)) == min(len(used), max(1, len(MARKS[mark].colours)))


def test_a_quarter_of_the_scenes_shows_the_logo_small_beside_a_letter_in_every_context() -> None:
    scenes = logo_scenes("sks emblem", 64)
    company = [scene for scene in scenes if len(scene.placements) == 2]
    assert len(company) == 16
    assert {scene.surface for scene in company} == {surface for _, surface in DEFAULT_CONTEXTS}
    lefts = [scene.placements[0].emblem for scene in company]
    assert 0 < lefts.count("sks emblem") < 16
    for scene in company:
        names = {place.emblem for place in scene.placements}
        (letter,) = names - {"sks emblem"}
        assert letter in map(letter_name, LETTERS)
        left, right = scene.placements
        gap = right.centre_px[0] - left.centre_px[0]
        assert left.radius_px + right.radius_px < gap + 6
        assert left.radius_px < 32


def test_company_is_nearly_as_large_where_its_pictures_are_wide() -> None:
    small, wide = (logo_scenes("sks emblem", 64, wide_company=is_wide) for is_wide in (False, True))
    for narrow, scene in zip(small, wide, strict=True):
        assert len(scene.placements) == len(narrow.placements)
        assert (scene.width_px, narrow.width_px) == (192 if len(scene.placements) == 2 else 128, 128)
        if scene.width_px > 128:
            assert all(36 < place.radius_px < 46 for place in scene.placements)
    found = read(MARK, logo_pictures=8, wide_company=True)
    assert [picture.image.size for picture in found.pictures].count((192, 128)) == 2
    assert all(p.region is not None and p.region.size == p.image.size for p in found.pictures)


def test_pictures_in_company_are_no_portraits_and_each_shows_its_own_letter() -> None:
    found = read(MARK, logo_pictures=16)
    small = [picture for picture in found.pictures if not picture.is_portrait]
    assert len(small) == 4
    assert len(found.portraits) == 12
    assert all("letter" in (picture.caption or "") for picture in small)
    assert not any("letter" in (p.caption or "") for p in found.pictures if p.is_portrait)
    assert np.abs(letter_emblem("d") - letter_emblem("x")).mean() > 0.1
    assert all(0.1 < letter_emblem(letter).mean() < 0.6 for letter in LETTERS)


@pytest.mark.parametrize(
    ("contexts", "sentence", "remedy"),
    [
        ([("wax sael", "wood")], "'wax sael' is no mark", "wax seal"),
        ([("wax seal", "parchmint")], "'parchmint' is no surface", "parchment"),
        ([], "no context was given", "mark and a surface"),
    ],
)
def test_unknown_contexts_are_refused_with_the_nearest_known(
    contexts: list[tuple[str, str]], sentence: str, remedy: str
) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        read(MARK, logo_contexts=contexts)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("num", [0, -3, 10**6])
def test_absurd_numbers_of_pictures_are_refused(num: int) -> None:
    with pytest.raises(ConfigError, match=f"{num} pictures cannot be made"):
        read(MARK, logo_pictures=num)


def test_blank_and_unsafe_logos_are_refused_by_name(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "blank.png")
    with pytest.raises(PictureError, match=r"blank\.png cannot be used as a logo: the picture is blank"):
        read(tmp_path / "blank.png")
    (tmp_path / "void.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>')
    with pytest.raises(PictureError, match=r"void\.svg cannot be drawn as a logo: the picture is blank"):
        read(tmp_path / "void.svg")
    (tmp_path / "laughs.svg").write_text('<!DOCTYPE svg [<!ENTITY a "ha">]>' + MARK.read_text())
    with pytest.raises(PictureError, match=r"laughs\.svg declares an entity"):
        read(tmp_path / "laughs.svg")


def test_drawings_are_told_from_photos() -> None:
    drawn = rasterise_svg(MARK.read_text(), 200)
    on_red = Image.new("RGB", drawn.size, (200, 20, 20))
    on_red.paste("white", mask=drawn.getchannel("A"))
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    gradient = Image.merge(
        "RGB", [Image.linear_gradient("L"), Image.radial_gradient("L"), Image.new("L", (256, 256))]
    )
    packed = io.BytesIO()
    on_red.save(packed, "JPEG", quality=75)
    assert is_drawing(drawn)
    assert is_drawing(on_red)
    assert is_drawing(Image.open(packed))
    assert not is_drawing(Image.fromarray(noise))
    assert not is_drawing(gradient)


def test_an_opaque_logo_says_what_it_was_taken_for(tmp_path: Path) -> None:
    drawn = rasterise_svg(MARK.read_text(), 200)
    page = Image.new("RGB", drawn.size, "white")
    page.paste((20, 60, 160), mask=drawn.getchannel("A"))
    page.save(tmp_path / "logo.png")
    pictures = read(tmp_path / "logo.png", logo_pictures=2)
    assert pictures.kind == "logo"
    assert "taken for a logo" in pictures.warnings[0]
    assert np.abs(picture_emblem(page, "") - picture_emblem(drawn, "")).mean() < 0.02
