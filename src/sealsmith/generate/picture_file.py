"""Pictures as PNG files that carry their recipe, twice: A1111's `parameters` and our JSON."""

import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from ..adapters import atomic_write
from ..errors import OutputError, PictureError
from .recipe import Recipe, dump_json, dump_parameters, parse_json, parse_parameters
from .request import Picture

PARAMETERS_KEY = "parameters"
JSON_KEY = "sealsmith"


def write_picture(picture: Picture, path: Path | str) -> None:
    """Writes a picture with its recipe to `path`, a `.png`, in one step; a file already there is replaced.

    Raises: OutputError.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise OutputError(
            f"pictures are written as PNG, not as {path.name!r}", "give a name that ends in .png"
        )
    chunks = PngInfo()
    chunks.add_text(PARAMETERS_KEY, dump_parameters(picture.recipe))
    chunks.add_itxt(JSON_KEY, dump_json(picture.recipe))
    buffer = io.BytesIO()
    picture.image.save(buffer, "PNG", pnginfo=chunks)
    atomic_write(path, buffer.getvalue())


def read_recipe(path: Path | str) -> Recipe:
    """The recipe a PNG carries: our JSON where there is one, else A1111's text.

    Raises: PictureError when the file cannot be read as a picture, or carries no recipe.
    """
    path = Path(path)
    try:
        with Image.open(path) as image:
            image.load()
            texts = {key: str(value) for key, value in image.info.items() if isinstance(value, str)}
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PictureError(f"cannot read the picture {str(path)!r}: {error}", "check the path") from error
    if JSON_KEY in texts:
        return parse_json(texts[JSON_KEY])
    if PARAMETERS_KEY in texts:
        return parse_parameters(texts[PARAMETERS_KEY])
    raise PictureError(
        f"{str(path)!r} carries no recipe", "give a PNG as it was written; editors drop the recipe"
    )
