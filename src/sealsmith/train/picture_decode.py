"""One picture's bytes made into what training needs: upright, 8 bit, sRGB, with its transparency apart.

Every way a picture can be odd is met here once: size limits before decoding, colour models, bit depths,
profiles, palettes, orientation, animation. Not for: where the bytes come from, or resizing for training.
"""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from ..errors import PictureError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MIN_SIDE_PX = 32
MAX_PIXELS = 80_000_000
"""Width x height, read from the header. Below Pillow's own limit, which would only warn at first."""
KEEP_SIDE_PX = 1024
"""Pictures whose shorter side is longer than this are reduced to it: no base trains on more."""

_DAMAGED = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, EOFError,
    RuntimeError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow's decoders raise on damaged data."""


@dataclass(frozen=True)
class Decoded:
    """`image` is RGB, or RGBA where something of it is transparent; `remarks` are for the user."""

    image: Image.Image
    remarks: tuple[str, ...] = ()

    def flattened(self) -> tuple[Image.Image, Image.Image | None]:
        """The picture on white (RGB) and its opacity as a mask (L), None when it is opaque."""
        if self.image.mode == "RGB":
            return self.image, None
        alpha = self.image.getchannel("A")
        page = Image.new("RGB", self.image.size, "white")
        page.paste(self.image, mask=alpha)
        return page, alpha


def decode_picture(data: bytes, name: str) -> Decoded:
    """The picture in some bytes; `name` is for messages.

    Raises: PictureError when it is damaged, of another format, smaller than `MIN_SIDE_PX`, larger than
    `MAX_PIXELS`, or wholly transparent.
    """
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            raw, remarks = _decode(data, name)
            image = _upright_rgb(raw)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise _too_large(name, str(error)) from error
        except _DAMAGED as error:
            unknown = isinstance(error, UnidentifiedImageError)  # Pillow's own words name a memory address
            why = "it is in no format known here, or its first bytes are damaged" if unknown else error
            raise PictureError(
                f"{name} cannot be read as a picture: {why}",
                "Open it in a picture program and save it again as PNG or JPEG, or remove it.",
            ) from error
    remarks += [f"{name}: {warning.message}" for warning in heard]
    if image.mode == "RGBA":
        low, high = _extrema(image.getchannel("A"))
        if high == 0:
            raise PictureError(f"{name} is wholly transparent", "Export it with its layers visible.")
        if low == 255:
            image = image.convert("RGB")
    return Decoded(_reduced(image), tuple(remarks))


def decode_mask(data: bytes, name: str, size: tuple[int, int]) -> Image.Image:
    """A mask (L) of a picture of `size`: its brightness, or its opacity where that is all it has.

    Raises: PictureError when it is damaged or has other proportions than the picture.
    """
    image = decode_picture(data, name).image
    wanted, given = size[0] / size[1], image.width / image.height
    if abs(wanted - given) > 0.02 * wanted:
        raise PictureError(
            f"{name} is a mask of {image.width}x{image.height} pixels for a picture of {size[0]}x{size[1]}",
            "Save the mask with the size of its picture.",
        )
    grey = image.convert("L")
    if image.mode == "RGBA":
        low, high = _extrema(grey)
        grey = image.getchannel("A") if low == high else Decoded(image).flattened()[0].convert("L")
    return grey.resize(size, Image.Resampling.BILINEAR)


def _decode(data: bytes, name: str) -> tuple[Image.Image, list[str]]:
    """The first frame, decoded; sizes are checked while only the header has been read."""
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"{width}x{height} pixels")
    if min(width, height) < MIN_SIDE_PX:
        raise PictureError(
            f"{name} has {width}x{height} pixels; the shorter side needs {MIN_SIDE_PX} at least",
            "Use a larger version of the picture.",
        )
    remarks = []
    # MPO is a JPEG with a second view or a thumbnail behind it, as phones write them: nothing moves.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        remarks.append(f"{name} is animated: only its first frame is used")
    image.load()
    return image, remarks


def _upright_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        return _from_16_bit(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        rgb = _in_srgb(rgba.convert("RGB"), profile)
        rgb.putalpha(rgba.getchannel("A"))
        return rgb
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    return _in_srgb(image, profile)


def _from_16_bit(image: Image.Image) -> Image.Image:
    """A 16-bit grey picture scaled to 8 bits (Pillow's own conversion clips at 255)."""
    deep = np.asarray(image).astype(np.int64)
    grey = Image.fromarray(np.asarray((np.clip(deep, 0, 65535) + 128) // 257, np.uint8))
    rgb = grey.convert("RGB")
    if isinstance(clear := image.info.get("transparency"), int):
        rgb.putalpha(Image.fromarray(np.where(deep == clear, 0, 255).astype(np.uint8)))
    return rgb


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture's colours as sRGB. A CMYK picture without a profile is converted by the plain formula."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(source):
                converted = ImageCms.profileToProfile(
                    image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
                )
                assert converted is not None
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            warnings.warn(f"its colour profile cannot be used ({error}), so colours may be off", stacklevel=2)
    return image.convert("RGB")


def _reduced(image: Image.Image) -> Image.Image:
    shorter = min(image.size)
    if shorter <= KEEP_SIDE_PX:
        return image
    size = round(image.width * KEEP_SIDE_PX / shorter), round(image.height * KEEP_SIDE_PX / shorter)
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _extrema(grey: Image.Image) -> tuple[int, int]:
    low, high = np.asarray(grey).min(), np.asarray(grey).max()
    return int(low), int(high)


def _too_large(name: str, size: str) -> PictureError:
    return PictureError(
        f"{name} is too large to open safely: {size}; at most {MAX_PIXELS // 1_000_000} million pixels",
        "Save it with fewer pixels; training uses at most 1024 on a side.",
    )
