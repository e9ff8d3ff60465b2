"""Pictures as PNG files that carry their recipe, twice: A1111's `parameters` and our JSON."""

import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from ..adapters.files import atomic_write
from ..errors import OutputError, PictureError
from .recipe import Recipe, dump_json, dump_parameters, parse_json, parse_parameters

if TYPE_CHECKING:
    from .request import Picture

PARAMETERS_KEY = "parameters"
JSON_KEY = "sealsmith"
RUNS_ALONE = zlib.Z_RLE
"""Repeated bytes are looked for where they follow each other, and nowhere else. Painted surfaces have hardly any
others, so a picture takes a quarter of the time that zlib's usual way takes, for a twentieth more bytes."""


def write_picture(picture: "Picture", path: Path | str) -> None:
    """Writes a picture with its recipe to `path`, a `.png`, in one step; a file already there is replaced.

    Raises: OutputError.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise OutputError(
            f"pictures are written as PNG, not as {path.name!r}", "give a name that ends in .png"
        )
    atomic_write(path, dump_png(picture.image, picture.recipe))


def dump_png(image: Image.Image, recipe: Recipe) -> bytes:
    """The bytes of a PNG file that carries the recipe."""
    chunks = PngInfo()
    chunks.add_text(PARAMETERS_KEY, dump_parameters(recipe))
    chunks.add_itxt(JSON_KEY, dump_json(recipe))
    return packed_png(image, chunks)


def packed_png(image: Image.Image, chunks: PngInfo | None = None) -> bytes:
    """The bytes of a PNG file with these texts in it, packed quickly."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=chunks, compress_type=RUNS_ALONE)
    return buffer.getvalue()


def read_recipe(path: Path | str) -> Recipe:
    """The recipe a PNG carries: our JSON where there is one, else A1111's text.

    Raises: PictureError when the file cannot be read as a picture, or carries no recipe.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise PictureError(f"cannot read the picture {str(path)!r}: {error}", "check the path") from error
    return recipe_in(picture_texts(data, str(path)), str(path))


def recipe_in(texts: Mapping[str, str], name: str) -> Recipe:
    """The recipe among a picture's texts; errors call the picture `name`. Raises: PictureError."""
    if JSON_KEY in texts:
        return parse_json(texts[JSON_KEY])
    if PARAMETERS_KEY in texts:
        return parse_parameters(texts[PARAMETERS_KEY])
    raise PictureError(f"{name!r} carries no recipe", "give a PNG as it was written; editors drop the recipe")


def picture_texts(data: bytes, name: str) -> dict[str, str]:
    """The texts in a picture file's bytes by their keys; errors call it `name`.

    Raises: PictureError when it cannot be read as a picture.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            return {str(key): value for key, value in image.info.items() if isinstance(value, str)}
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PictureError(f"cannot read the picture {name!r}: {error}", "check the path") from error
