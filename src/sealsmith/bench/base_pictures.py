"""What a base draws without any seal, kept in a folder: every cell of a comparison needs the same pictures.

Not for: pictures of seals.
"""

import hashlib
import json
from collections import UserDict
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..adapters import atomic_write
from ..generate import Picture, Request
from ..generate.recipe import dump_json, parse_json


class KeptPictures(UserDict[Request, Picture]):
    """Pictures by their request, to the last bit; several processes may share the folder.

    A file that is damaged counts as missing: its picture is drawn again.
    """

    def __init__(self, folder: Path, base_digest: str):
        super().__init__()
        self._folder = folder
        self._base_digest = base_digest

    def __contains__(self, request: object) -> bool:
        if not isinstance(request, Request):
            return False
        if request not in self.data and (picture := self._read(request)) is not None:
            self.data[request] = picture
        return request in self.data

    def __missing__(self, request: Request) -> Picture:
        if request in self:
            return self.data[request]
        raise KeyError(request)

    def __setitem__(self, request: Request, picture: Picture) -> None:
        self.data[request] = picture
        pixels = picture.pixels.cpu().contiguous()
        path = self._path(request)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, save({"pixels": pixels}, metadata={"recipe": dump_json(picture.recipe)}))

    def _path(self, request: Request) -> Path:
        asked = json.dumps([self._base_digest, asdict(request)], sort_keys=True)
        return self._folder / f"{hashlib.sha256(asked.encode()).hexdigest()[:24]}.safetensors"

    def _read(self, request: Request) -> Picture | None:
        path = self._path(request)
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                return Picture(file.get_tensor("pixels"), parse_json(file.metadata()["recipe"]))
        except (SafetensorError, OSError, KeyError, TypeError):
            return None
