"""What is in a file that a stranger sent: run in the inspector's process, never in the server's.

Each function reads one file to its last byte, or refuses it with an error of ours; what a file can do otherwise
(kill the process, fill its memory, take for ever) ends with that process. Not for: how it is run (inspector.py).
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, PictureError
from ..jobs.train_payload import TrainPayload
from .library import SealFacts
from .limits import MAX_TEXT_CHARACTERS

PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class PictureSetFacts:
    """What a training would make of some uploaded pictures."""

    kind: str
    """"zip", "folder" (one photo) or "logo"."""
    num_pictures: int
    num_captions: int
    num_masks: int
    class_noun: str | None
    digest: str
    """SHA-256 over pixels, captions and masks."""
    warnings: tuple[str, ...]


def inspect_seal(file: Path, name: str) -> SealFacts:
    """The facts of a seal file; errors call it `name`. Raises: SealFormatError, SealShapeError."""
    from ..adapters.hashes import tensor_hash
    from ..adapters.seal_file import parse_seal

    data = bytearray(file.read_bytes())
    digest = hashlib.sha256(data).hexdigest()
    seal = parse_seal(data, name)
    header = seal.header
    return SealFacts(
        digest=digest,
        size_bytes=len(data),
        title=header.title,
        trigger=header.trigger,
        class_noun=header.class_noun,
        family=header.family,
        base=header.base,
        base_digest=header.base_digest,
        method=header.method,
        rank=header.rank,
        num_layers=len(seal.layers) + len(seal.networks) + len(seal.embeddings),
        scorecard=header.scorecard,
        thumbnail=_thumbnail(header.thumbnail),
        tensors_digest=tensor_hash(data),
    )


@dataclass(frozen=True)
class ConvertedSeal:
    """A seal file in another dialect."""

    data: bytes
    left_out: tuple[str, ...]
    """Layers and tensors that are not in it, each with its reason."""


def convert_seal(file: Path, name: str, *, dialect: str) -> ConvertedSeal:
    """A seal file written again in another dialect. Raises: SealFormatError when nothing of it can be."""
    from ..adapters.convert import converted
    from ..adapters.seal_file import dump_seal, parse_seal

    seal = parse_seal(bytearray(file.read_bytes()), name)
    result, unwritable = converted(seal, dialect)
    left_out = [f"layer {path!r}: {reason}" for path, reason in unwritable.items()]
    left_out += [f"tensor {tensor!r}: of no known kind" for tensor in seal.unknown]
    return ConvertedSeal(dump_seal(result, dialect), tuple(left_out))


def inspect_pictures(file: Path, name: str, *, trigger: str, class_noun: str) -> PictureSetFacts:
    """The facts of a zip of pictures, one picture or one logo; its path ends as `name` does.

    Raises: PictureSetError, PictureError.
    """
    from ..train.pictures import read_picture_set

    try:
        found = read_picture_set(file, trigger=trigger, class_noun=class_noun, logo_pictures=1)
    except InputError as error:  # its sentence names our own file
        sentence = str(error).replace(str(file), name).replace(file.name, name)
        raise type(error)(sentence, error.remedy) from error
    return PictureSetFacts(
        kind=found.kind,
        num_pictures=len(found.pictures),
        num_captions=sum(picture.caption is not None for picture in found.pictures),
        num_masks=sum(picture.mask is not None for picture in found.pictures),
        class_noun=found.class_noun,
        digest=found.digest,
        warnings=tuple(warning.replace(file.name, name) for warning in found.warnings),
    )


def inspect_training(file: Path, name: str, *, wanted: TrainPayload) -> PictureSetFacts:
    """As `inspect_pictures`, for a training whose settings must be ones. Raises: ConfigError, too."""
    from ..jobs.training import config_of

    config = config_of(wanted)
    noun = config.class_noun or "emblem"
    return inspect_pictures(file, name, trigger=config.trigger, class_noun=noun)


@dataclass(frozen=True)
class RecipeFacts:
    """How a picture was made."""

    recipe: Mapping[str, Any]
    """`Recipe`, field by field."""
    parameters: str
    """As A1111's text."""


def inspect_recipe(file: Path, name: str) -> RecipeFacts:
    """The recipe in a PNG. Raises: PictureError; ConfigError for a strength that means nothing."""
    from ..generate.picture_file import recipe_in
    from ..generate.recipe import dump_parameters

    recipe = recipe_in(inspect_texts(file, name), name)
    return RecipeFacts(asdict(recipe), dump_parameters(recipe))


def inspect_texts(file: Path, name: str) -> dict[str, str]:
    """The texts in a PNG by their keys, among which is its recipe. Raises: PictureError."""
    from ..generate.picture_file import picture_texts

    data = file.read_bytes()
    if not data.startswith(PNG):
        raise PictureError(
            f"{name!r} is no PNG", "give a PNG as it was written; other formats carry no recipe"
        )
    texts = picture_texts(data, name)
    if sum(map(len, texts.values())) > MAX_TEXT_CHARACTERS:
        raise PictureError(
            f"{name!r} holds more than {MAX_TEXT_CHARACTERS} characters of text",
            "give a PNG as it was written",
        )
    return texts


def _thumbnail(text: str) -> str:
    """The small picture in a header, drawn anew, so that it is a picture and nothing else; or nothing."""
    from ..adapters.metadata import THUMBNAIL
    from ..adapters.thumbnail import thumbnail
    from ..train.picture_decode import decode_picture

    if not THUMBNAIL.fullmatch(text):
        return ""
    try:
        return thumbnail(decode_picture(base64.b64decode(text.partition(",")[2]), "the thumbnail").image)
    except (binascii.Error, PictureError):
        return ""
