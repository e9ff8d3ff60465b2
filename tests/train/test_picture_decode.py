"""Laws of one picture's decoding: whatever form the same picture takes, the same upright RGB comes out."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from sealsmith.errors import PictureError
from sealsmith.train.picture_decode import KEEP_SIDE_PX, MAX_PIXELS, Decoded, decode_mask, decode_picture
from sealsmith.train.pictures import fit

ORIENTATION = 0x0112
UNDONE_BY = {  # what a camera held that way stores, given the upright scene
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def scene(width: int = 64, height: int = 48) -> Image.Image:
    """A picture without any symmetry."""
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack([x * 3, y * 4, (x * y) % 251], -1).astype(np.uint8))


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def decoded_or_refused(data: bytes, name: str) -> Decoded | PictureError:
    try:
        return decode_picture(data, name)
    except PictureError as error:
        return error


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


@given(tag=st.sampled_from(sorted(UNDONE_BY)), size=st.tuples(st.integers(32, 70), st.integers(32, 70)))
@settings(deadline=None, max_examples=30)
def test_every_orientation_tag_gives_the_upright_picture(tag: int, size: tuple[int, int]) -> None:
    upright = scene(*size)
    method = UNDONE_BY[tag]
    stored = upright.transpose(method) if method is not None else upright
    exif = Image.Exif()
    exif[ORIENTATION] = tag
    assert np.array_equal(decode_picture(encoded(stored, exif=exif), "a.png").image, upright)


@given(values=st.lists(st.integers(0, 65535), min_size=40, max_size=40))
@settings(deadline=None, max_examples=30)
def test_16_bit_grey_is_scaled_not_clipped(values: list[int]) -> None:
    ramp = np.tile(np.sort(np.array(values, np.uint16)), (40, 1))
    grey = pixels(decode_picture(encoded(Image.fromarray(ramp)), "deep.png").image)[0, :, 0]
    assert (np.diff(grey) >= 0).all()
    assert np.abs(grey - ramp[0] / 257).max() <= 0.5


def test_16_bit_colour_keeps_its_high_bytes() -> None:
    rows = b"".join(b"\0" + struct.pack(">3H", 0x12FF, 0x80FF, 0xFEFF) * 40 for _ in range(40))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 40, 40, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)
    assert np.abs(pixels(decode_picture(png, "deep.png").image)[0, 0] - [0x12, 0x80, 0xFE]).max() <= 1


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF"])
def test_transparency_is_flattened_on_white_and_kept_as_mask(form: str) -> None:
    rgba = Image.new("RGBA", (40, 40), (200, 30, 30, 255))
    rgba.paste((0, 0, 0, 0), (0, 0, 20, 40))
    options = {"lossless": True} if form == "WEBP" else {}
    flat, mask = decode_picture(encoded(rgba, form, **options), "a").flattened()
    assert mask is not None
    assert pixels(flat)[5, 5].tolist() == [255, 255, 255]
    assert np.abs(pixels(flat)[5, 30] - [200, 30, 30]).max() <= 2
    assert (pixels(mask)[5, 5], pixels(mask)[5, 30]) == (0, 255)


def test_palette_with_transparent_entry_equals_its_rgba() -> None:
    paletted = scene().quantize(32)
    data = encoded(paletted, transparency=bytes([0] + [255] * 31))
    flat, mask = decode_picture(data, "p.png").flattened()
    clear = np.asarray(paletted) == 0
    assert mask is not None
    assert np.array_equal(np.asarray(mask) == 0, clear)
    assert np.array_equal(np.asarray(flat)[~clear], np.asarray(paletted.convert("RGB"))[~clear])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_opaque_pictures_of_every_mode_come_out_as_plain_rgb(mode: str) -> None:
    source = scene().convert(mode)
    decoded = decode_picture(encoded(source), "a.png")
    assert decoded.flattened()[1] is None
    assert np.array_equal(decoded.image, source.convert("RGB"))


def test_cmyk_jpeg_keeps_its_colours() -> None:
    for colour in ((220, 30, 40), (250, 250, 250), (10, 10, 10), (30, 60, 200)):
        data = encoded(Image.new("RGB", (40, 40), colour).convert("CMYK"), "JPEG", quality=95)
        assert np.abs(pixels(decode_picture(data, "c.jpg").image)[20, 20] - colour).max() <= 6


def test_colour_profiles_are_converted_to_srgb_and_broken_ones_remarked() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (b"no profile", lab):  # one that cannot be parsed, one for another colour model
        decoded = decode_picture(encoded(scene(), icc_profile=profile), "odd.png")
        assert np.array_equal(decoded.image, scene())
        assert any("odd.png: its colour profile cannot be used" in r for r in decoded.remarks)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert decode_picture(encoded(scene(), icc_profile=srgb), "a.png").remarks == ()


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_animation_gives_its_first_frame_and_a_remark(form: str) -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue", "green")]
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
    decoded = decode_picture(data, "moving")
    assert np.abs(pixels(decoded.image)[20, 20] - [255, 0, 0]).max() <= 8
    assert decoded.remarks == ("moving is animated: only its first frame is used",)


def test_a_phones_two_view_jpeg_is_no_animation() -> None:
    data = encoded(scene(), "MPO", save_all=True, append_images=[scene()])
    assert decode_picture(data, "phone.jpg").remarks == ()


@pytest.mark.parametrize("side", [20_000, 12_000, 9_200])
def test_huge_pictures_are_refused_from_their_header(side: int) -> None:
    assert side * side > MAX_PIXELS
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    png = b"\x89PNG\r\n\x1a\n" + header + _chunk(b"IDAT", zlib.compress(b"")) + _chunk(b"IEND", b"")
    with pytest.raises(PictureError, match=r"bomb\.png is too large to open safely.*at most 80 million"):
        decode_picture(png, "bomb.png")


@pytest.mark.parametrize("size", [(1, 1), (31, 400)])
def test_tiny_pictures_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(PictureError, match=rf"dot\.png has {size[0]}x{size[1]} pixels.* 32 at least"):
        decode_picture(encoded(Image.new("RGB", size)), "dot.png")


def test_wholly_transparent_pictures_are_refused() -> None:
    with pytest.raises(PictureError, match=r"ghost\.png is wholly transparent"):
        decode_picture(encoded(Image.new("RGBA", (40, 40))), "ghost.png")


def test_other_formats_are_refused_whatever_their_suffix() -> None:
    with pytest.raises(PictureError, match=r"a\.png cannot be read as a picture"):
        decode_picture(encoded(scene(), "TIFF"), "a.png")


@given(
    form=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]),
    damage=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    keep=st.floats(0, 1),
)
@settings(deadline=None, max_examples=120)
def test_damaged_bytes_give_a_picture_or_a_clear_refusal(
    form: str, damage: list[tuple[float, int]], keep: float
) -> None:
    data = bytearray(encoded(scene(), form))
    for where, value in damage:
        data[int(where * (len(data) - 1))] = value
    outcome = decoded_or_refused(bytes(data[: int(keep * len(data)) + 1]), "hurt")
    if isinstance(outcome, PictureError):
        assert str(outcome).startswith("hurt ")
        assert outcome.remedy
    else:
        assert min(outcome.image.size) >= 32


def test_large_pictures_are_reduced_in_proportion() -> None:
    decoded = decode_picture(encoded(scene(1800, 1200), "JPEG"), "large.jpg")
    assert decoded.image.size == (1536, KEEP_SIDE_PX)


def test_masks_need_the_proportions_of_their_picture() -> None:
    half = Image.new("L", (80, 40))
    half.paste(255, (0, 0, 40, 40))
    mask = pixels(decode_mask(encoded(half), "m.png", (160, 80)))
    assert mask.shape == (80, 160)
    assert (mask[40, 20], mask[40, 140]) == (255, 0)
    with pytest.raises(PictureError, match=r"m\.png is a mask of 80x40 pixels for a picture of 50x50"):
        decode_mask(encoded(half), "m.png", (50, 50))


def test_a_mask_may_be_drawn_in_opacity_alone() -> None:
    stencil = Image.new("RGBA", (40, 40))
    stencil.paste((0, 0, 0, 255), (0, 0, 20, 40))
    mask = pixels(decode_mask(encoded(stencil), "m.png", (40, 40)))
    assert (mask[20, 5], mask[20, 35]) == (255, 0)


@given(
    width=st.integers(32, 90),
    height=st.integers(32, 90),
    size=st.tuples(st.integers(1, 64), st.integers(1, 64)),
)
@settings(deadline=None, max_examples=20)
def test_fit_gives_the_size_and_keeps_flat_colour(width: int, height: int, size: tuple[int, int]) -> None:
    out = fit(Image.new("RGB", (width, height), (9, 99, 199)), size)
    assert out.size == size
    assert (np.asarray(out) == (9, 99, 199)).all()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
