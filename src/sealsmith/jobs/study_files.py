"""Files that a study leaves for its tenant: pictures with their recipe, and drawings without one."""

import io

from PIL import Image

from ..catalog import ArtefactKind, NewArtefact
from ..generate import Picture
from ..generate.picture_file import dump_png


def picture_file(name: str, picture: Picture) -> NewArtefact:
    """A picture that a base drew, as `write_picture` writes it."""
    return _png(name, dump_png(picture.image, picture.recipe))


def image_file(name: str, image: Image.Image) -> NewArtefact:
    """A drawing about pictures: a map, a sheet."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return _png(name, buffer.getvalue())


def _png(name: str, data: bytes) -> NewArtefact:
    return NewArtefact(ArtefactKind.STUDY, data, "image/png", name)
