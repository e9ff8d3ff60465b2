"""The engine's RGB bytes as picture files. Slow enough for a thread of their own."""

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from PIL import Image

from ..engine.messages import Rgb
from ..generate.picture_file import dump_png, packed_png
from ..generate.recipe import dump_json, parse_json

Format = Literal["png", "jpeg", "webp"]


def picture_png(picture: Rgb, recipe_json: str, names: Mapping[str, str]) -> tuple[bytes, str]:
    """A PNG that carries its recipe, and the recipe as JSON; seals are called in it what `names` has by digest."""
    recipe = parse_json(recipe_json)
    seals = tuple(replace(use, name=names.get(use.file_hash, use.name)) for use in recipe.seals)
    recipe = replace(recipe, seals=seals)
    return dump_png(_image(picture), recipe), dump_json(recipe)


def preview_png(picture: Rgb) -> bytes:
    return packed_png(_image(picture))


def enlarged(png: bytes, size_px: tuple[int, int], kind: Format) -> bytes:
    """A small picture in the size of the one it foretells."""
    with Image.open(io.BytesIO(png)) as small:
        return _saved(small.convert("RGB").resize(size_px, Image.Resampling.BICUBIC), kind, 90)


def in_format(png: bytes, kind: Format, quality: int) -> bytes:
    """The picture as a file of another format, which carries no recipe; a PNG stays what it is.

    `quality`: 0 to 100, as JPEG and WebP have it.
    """
    if kind == "png":
        return png
    with Image.open(io.BytesIO(png)) as image:
        return _saved(image.convert("RGB"), kind, quality)


def _saved(image: Image.Image, kind: Format, quality: int) -> bytes:
    if kind == "png":
        return packed_png(image)
    buffer = io.BytesIO()
    image.save(buffer, kind.upper(), quality=quality)
    return buffer.getvalue()


def _image(picture: Rgb) -> Image.Image:
    return Image.frombytes("RGB", (picture.width, picture.height), picture.data)
