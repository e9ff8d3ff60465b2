"""`sealsmith export`: a seal as others keep it, with a hub's card and gallery or with sidecars."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError, PictureError
from .console import note, print_json

if TYPE_CHECKING:
    from ..adapters import Seal
    from ..adapters.hub import GalleryPicture

MAX_PICTURE_BYTES = 64 << 20


def export_command(
    seal: Annotated[Path, typer.Argument(help="A seal file.")],
    hub: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A new folder in the style of Hugging Face.")
    ] = None,
    sidecars: Annotated[
        bool, typer.Option("--sidecars", help="Write A1111's and Civitai's sidecars beside the file.")
    ] = False,
    pictures: Annotated[
        list[Path] | None,
        typer.Option(
            "--picture", "-p", metavar="FILE", help="A PNG for the gallery, first the preview; repeatable."
        ),
    ] = None,
    license_name: Annotated[
        str | None, typer.Option("--license", help="The seal's license, an SPDX name in lower case.")
    ] = None,
    author: Annotated[str | None, typer.Option(help="Who made it.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is, in a sentence.")] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", help="A tag of the card; repeatable.")] = None,
    base_model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The base's name on the hub; the seal's own if not given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of paths.")] = False,
) -> None:
    """Write a seal for others: a hub's folder with card and gallery, or sidecars."""
    if hub is None and not sidecars:
        raise ConfigError("nothing to write was asked for", "give --hub FOLDER, --sidecars, or both")
    from ..adapters import dump_seal, read_seal
    from ..adapters.hub import check_empty, write_hub_folder
    from ..adapters.sidecars import write_sidecars

    if hub is not None:
        check_empty(hub)
    gallery = [gallery_picture(path) for path in pictures or []]
    stated = {
        "license": license_name,
        "author": author,
        "description": description,
        "base": base_model,
        "tags": tuple(tags or ()),
    }
    described = _described(read_seal(seal), {key: value for key, value in stated.items() if value}, gallery)
    written: list[Path] = []
    if hub is not None:
        written += write_hub_folder(hub, dump_seal(described), described.header, gallery)
    if sidecars:
        written += write_sidecars(seal, described.header, gallery[0].data if gallery else None)
    if as_json:
        print_json({"paths": [str(path) for path in written], "trigger": described.header.trigger})
    else:
        for path in written:
            typer.echo(str(path))


def gallery_picture(path: Path) -> "GalleryPicture":
    """A PNG for the gallery, its prompt from the recipe it carries; without a recipe, said on stderr, none.

    Raises: PictureError when it is no PNG, unreadable, or larger than a gallery shows.
    """
    from ..adapters.hub import GalleryPicture
    from ..generate.picture_file import read_recipe
    from ..train.picture_decode import decode_picture

    try:
        with path.open("rb") as file:
            data = file.read(MAX_PICTURE_BYTES + 1)
    except OSError as error:
        raise PictureError(
            f"cannot read the picture {str(path)!r}: {error.strerror or error}", "check the path"
        ) from error
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        raise PictureError(f"{str(path)!r} is no PNG", "give PNG files, as `sealsmith generate` writes them")
    if len(data) > MAX_PICTURE_BYTES:
        raise PictureError(
            f"{str(path)!r} is larger than {MAX_PICTURE_BYTES} bytes", "give a smaller picture"
        )
    decode_picture(data, str(path))
    try:
        recipe = read_recipe(path)
    except PictureError as error:
        note(f"warning: {error}; the gallery shows it without a prompt")
        return GalleryPicture(data, "")
    return GalleryPicture(data, recipe.prompt, recipe.negative)


def _described(seal: "Seal", stated: dict[str, object], gallery: "list[GalleryPicture]") -> "Seal":
    """The seal with what the user stated, and a thumbnail where it had none; what hid its trigger is said."""
    from ..adapters.sidecars import facts_beside
    from ..adapters.thumbnail import thumbnail
    from ..train.picture_decode import decode_picture

    header = replace(seal.header, **stated)  # type: ignore[arg-type]
    if not header.trigger and seal.path is not None:
        for sentence in facts_beside(seal.path).notes:
            note(f"warning: {sentence}")
    if not header.thumbnail and gallery:
        header = replace(header, thumbnail=thumbnail(decode_picture(gallery[0].data, "picture").image))
    return replace(seal, header=header)
