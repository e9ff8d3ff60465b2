"""Bases by hub id ("org/name"): the local Hugging Face cache first, else a download as diffusers makes it."""

import json
import re
from pathlib import Path

from diffusers import DiffusionPipeline
from huggingface_hub import snapshot_download

from ..errors import BaseError
from .weights import WEIGHT_PARTS

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def is_hub_id(ref: str) -> bool:
    """Whether a word has the form of a hub id; a folder of that name comes first wherever both could be."""
    return _HUB_ID.fullmatch(ref) is not None


def hub_folder(ref: str) -> Path:
    """The folder of a hub id's files on this machine, downloaded if need be.

    Raises: BaseError when it is not here and cannot be fetched.
    """
    try:
        folder = Path(snapshot_download(ref, local_files_only=True))
        if _is_whole(folder):
            return folder
    except OSError:  # nothing of it is in the cache
        pass
    try:
        return Path(DiffusionPipeline.download(ref, use_safetensors=True))
    except (OSError, ValueError, RuntimeError) as error:
        raise BaseError(
            f"no base {ref!r}: there is no such folder, the local cache lacks it, and it cannot be fetched",
            "check the name and the network, or name a folder or a .safetensors file on this machine",
        ) from error


def _is_whole(folder: Path) -> bool:
    """Whether every part that the index of the snapshot names has weights here."""
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    parts = [part for part in WEIGHT_PARTS if any(index.get(part) or ())]
    return all(any((folder / part).glob("*.safetensors")) for part in parts)
