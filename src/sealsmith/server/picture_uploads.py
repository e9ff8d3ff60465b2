"""The pictures of a training as a request brings them: one zip, picture or logo, or several one by one."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, File, UploadFile
from pydantic import WithJsonSchema

from ..errors import ConfigError
from .limits import MAX_LOOSE_FILES, MAX_PICTURE_SET_BYTES
from .uploads import on_disk, packed

PictureSetFile = Annotated[
    UploadFile,
    WithJsonSchema(
        {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "maxLength": MAX_PICTURE_SET_BYTES,
        }
    ),
]


@dataclass(frozen=True)
class UploadedPictures:
    """What came with a request, not looked at."""

    file: UploadFile | None
    files: list[UploadFile]

    def on_disk(self) -> AbstractAsyncContextManager[Path]:
        """As one file on this machine's disk, until the context ends.

        Raises: ConfigError for nothing, or both ways at once; what `on_disk` and `packed` raise.
        """
        if (self.file is None) == (not self.files):
            raise ConfigError(
                "there is no picture" if self.file is None else "there are `file` and `files`",
                "send one zip, picture or logo as `file`, or several pictures as `files`",
            )
        if len(self.files) > 1:
            return packed(self.files, MAX_PICTURE_SET_BYTES)
        return on_disk(self.file or self.files[0], MAX_PICTURE_SET_BYTES)


async def uploaded_pictures(
    file: Annotated[
        PictureSetFile | None,
        File(description=f"A zip of pictures, a picture, or a logo; {MAX_PICTURE_SET_BYTES} bytes at most."),
    ] = None,
    files: Annotated[
        list[PictureSetFile] | None,
        File(
            max_length=MAX_LOOSE_FILES,
            description="In its place: pictures one by one, with captions as `.txt` files of the same names; "
            f"{MAX_PICTURE_SET_BYTES} bytes at most in all.",
        ),
    ] = None,
) -> UploadedPictures:
    return UploadedPictures(file, files or [])


PicturesOf = Annotated[UploadedPictures, Depends(uploaded_pictures)]
