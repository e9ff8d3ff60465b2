"""Laws of emblem masks: the same drawing gives the same mask, in whatever colours and on whatever ground."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from sealsmith.stage import EMBLEM_PX, emblem_from_image, emblem_from_svg, rasterise_svg

MARK_SVG = (Path(__file__).parents[2] / "examples" / "mark.svg").read_text()
GLYPH = rasterise_svg(MARK_SVG, 256)
MASK = emblem_from_image(GLYPH)

colours = st.tuples(*[st.integers(0, 255)] * 3)


def on_page(
    ink: tuple[int, ...], page: tuple[int, ...], side: int = 300, at: tuple[int, int] = (22, 22)
) -> Image.Image:
    image = Image.new("RGBA", (side, side), page)
    image.paste(Image.new("RGBA", GLYPH.size, ink), at, GLYPH.getchannel("A"))
    return image


def difference(image: Image.Image, mask: np.ndarray = MASK) -> float:
    return float(np.abs(emblem_from_image(image) - mask).mean())


def test_mask_touches_the_inscribed_circle_and_stays_in_it() -> None:
    y, x = np.mgrid[0:EMBLEM_PX, 0:EMBLEM_PX] + 0.5 - EMBLEM_PX / 2
    distance = np.hypot(x, y)[MASK > 0.5]
    assert EMBLEM_PX / 2 - 3 < distance.max() <= EMBLEM_PX / 2 + 0.5


@given(ink=colours)
@settings(deadline=None, max_examples=15)
def test_colour_of_a_cut_out_glyph_does_not_matter(ink: tuple[int, int, int]) -> None:
    tinted = Image.new("RGBA", GLYPH.size, (*ink, 255))
    tinted.putalpha(GLYPH.getchannel("A"))
    assert np.array_equal(emblem_from_image(tinted), MASK)


@given(ink=colours, page=colours, at=st.tuples(st.integers(4, 40), st.integers(4, 40)))
@settings(deadline=None, max_examples=15)
def test_ink_and_page_colour_and_place_do_not_matter(
    ink: tuple[int, int, int], page: tuple[int, int, int], at: tuple[int, int]
) -> None:
    assume(max(abs(a - b) for a, b in zip(ink, page, strict=True)) > 60)
    assert difference(on_page((*ink, 255), (*page, 255), at=at)) < 0.015


def test_size_on_the_page_hardly_matters() -> None:
    large = Image.new("RGB", (1500, 1500), "white")
    large.paste("black", (700, 700), GLYPH.getchannel("A").resize((80, 80)))
    assert difference(large) < 0.03
    assert difference(rasterise_svg(MARK_SVG, 900)) < 0.015


def test_jpeg_noise_leaves_no_haze() -> None:
    packed = io.BytesIO()
    on_page((200, 30, 30), (255, 255, 255)).convert("RGB").save(packed, "JPEG", quality=75)
    mask = emblem_from_image(Image.open(packed))
    assert np.abs(mask - MASK).mean() < 0.02
    assert mask[:6, :30].max() < 0.1


@pytest.mark.parametrize("shape", ["ellipse", "rounded_rectangle"])
@pytest.mark.parametrize("border", [None, "black"])
def test_drawing_on_a_plate_is_the_emblem(shape: str, border: str | None) -> None:
    image = Image.new("RGBA", (600, 600))
    draw = ImageDraw.Draw(image)
    corners = {"radius": 90} if shape == "rounded_rectangle" else {}
    getattr(draw, shape)((10, 10, 590, 590), fill=border or "gold", **corners)
    getattr(draw, shape)((50, 50, 550, 550), fill="gold", **corners)
    image.paste("black", (172, 172), GLYPH.getchannel("A"))
    image = image.resize((300, 300), Image.Resampling.LANCZOS)  # soft edges between border and plate
    assert difference(image) < 0.015


def test_a_tone_inside_any_other_shape_is_cut_out_of_it() -> None:
    with_hole = GLYPH.copy()
    ImageDraw.Draw(with_hole).ellipse((120, 160, 160, 200), fill=(0, 0, 0, 0))
    with_spot = GLYPH.copy()
    ImageDraw.Draw(with_spot).ellipse((120, 160, 160, 200), fill="white")
    assert difference(with_spot, emblem_from_image(with_hole)) < 0.2 * difference(with_spot)


def test_parts_of_several_colours_are_one_emblem() -> None:
    bands = Image.new("RGB", GLYPH.size, "red")
    bands.paste("blue", (0, 85, 256, 170))
    bands.paste("yellow", (0, 170, 256, 256))
    striped = bands.copy()
    striped.putalpha(GLYPH.getchannel("A"))
    assert difference(striped) == 0
    page = Image.new("RGB", GLYPH.size, "white")
    page.paste(bands, mask=GLYPH.getchannel("A"))
    assert difference(page) < 0.015


def test_a_faint_watermark_counts_in_full() -> None:
    faint = GLYPH.copy()
    faint.putalpha(GLYPH.getchannel("A").point(lambda value: value * 2 // 5))
    assert difference(faint) < 0.01


@pytest.mark.parametrize("colour", ["white", "black", (0, 0, 0, 0)])
def test_blank_pictures_are_refused(colour: str | tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the picture is blank"):
        emblem_from_image(Image.new("RGBA", (64, 64), colour))


@pytest.mark.parametrize("box", ["0 0 10 3000", "0 0 3000 10", "0 0 64 64"])
def test_rasterised_drawings_stay_in_their_square(box: str) -> None:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}"><path d="M0 0h3000v3000H0z"/></svg>'
    assert max(rasterise_svg(svg, 100).size) == 100


def test_svg_and_its_picture_agree() -> None:
    assert np.array_equal(emblem_from_svg(MARK_SVG), MASK)


def test_a_renderer_that_panics_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    def panic(**_: object) -> str:
        raise PanicException("index out of bounds")

    monkeypatch.setattr("resvg_py.svg_to_bytes", panic)
    with pytest.raises(ValueError, match="the renderer gave up: index out of bounds"):
        rasterise_svg(MARK_SVG, 64)
