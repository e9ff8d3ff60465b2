"""A base with seals in its weights, written as a folder of its own: it needs the seals no more.

Not for: fusing for the time being (adapters/fuse.py).
"""

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from .. import __version__
from ..adapters import AttachReport, Seal, fused
from ..adapters.files import check_writable
from ..adapters.strength import Strength
from ..bases import Base
from ..errors import OutputError
from .mixing import Seals, placed
from .recipe import seal_use

_DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def write_fused_base(base: Base, seals: Seals, folder: Path, force: bool = False) -> tuple[AttachReport, ...]:
    """Writes the base with the seals in its weights as a diffusers folder; one report a seal.

    Sums are made in float32 and rounded once, to the precision the base's own files have. The family and what was
    fused, with hashes, stand in `sealsmith.json`. The folder appears complete or not at all; `base` itself is
    afterwards what it was. Raises: OutputError for a folder that is there, unless `force`; else as `fused` does.
    """
    check_new_folder(folder, force)
    precisions = file_precisions(base)
    with _appearing(folder) as unfinished, fused(base, placed(base, seals)) as reports:
        with _in_precision(base, precisions):
            base.pipeline.save_pretrained(unfinished, safe_serialization=True)
        (unfinished / "sealsmith.json").write_text(
            json.dumps(fusion_note(base, seals), indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
    return reports


def check_new_folder(folder: Path, force: bool) -> None:
    """Refuses a place no folder could be written to; `force` replaces bases and empty folders, nothing else.

    Raises: OutputError.
    """
    check_writable(folder / "sealsmith.json")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{str(folder)!r} is there already", "name a folder")
    if any(folder.iterdir()) and not (folder / "model_index.json").is_file():
        raise OutputError(f"{str(folder)!r} holds other things than a base", "name another folder")
    if not force:
        raise OutputError(f"{str(folder)!r} is there already", "name another folder, or give --force")


def fusion_note(base: Base, seals: Seals) -> dict[str, Any]:
    """The content of `sealsmith.json`: the family, and which seals are in which base's weights.

    Hashes are those of the seals' files; a seal that never was in a file has none.
    """
    return {
        "family": base.family.name,
        "fused": {
            "base": base.name,
            "base_digest": base.digest,
            "seals": [_seal_note(seal, strength) for seal, strength in seals],
            "version": f"sealsmith {__version__}",
        },
    }


def _seal_note(seal: Seal, strength: float | Strength) -> dict[str, Any]:
    use = seal_use(seal, strength)
    return {
        "name": use.name,
        "strength": use.how or use.strength,
        "trigger": use.trigger,
        "class_noun": seal.header.class_noun,
        "file_sha256": use.file_hash or None,
        "tensor_sha256": use.tensor_hash or None,
    }


def file_precisions(base: Base) -> dict[Path, torch.dtype]:
    """Folder of weights -> the type most of its tensors have there."""
    counts: dict[Path, Counter[str]] = {}
    for path in base.weights:
        with safe_open(path, framework="pt") as file:
            kinds = Counter(file.get_slice(key).get_dtype() for key in file.keys())  # noqa: SIM118
        counts.setdefault(path.parent, Counter()).update(kinds)
    return {
        folder: _DTYPES.get(kinds.most_common(1)[0][0], torch.float32) for folder, kinds in counts.items()
    }


@contextmanager
def _in_precision(base: Base, precisions: dict[Path, torch.dtype]) -> Iterator[None]:
    """A context in which every part of the pipeline has the type of its files.

    Afterwards all have the type from before; what was not fused into came from that type and loses nothing.
    """
    alone = next(iter(precisions.values())) if len(precisions) == 1 else None  # one file holds all parts
    before: dict[nn.Module, torch.dtype] = {}
    try:
        for name, part in base.pipeline.components.items():
            if not isinstance(part, nn.Module):
                continue
            loaded = next(part.parameters()).dtype
            wanted = precisions.get(base.folder / name, alone or loaded)
            if wanted != loaded:
                before[part] = loaded
                part.to(wanted)
        yield
    finally:
        for part, loaded in before.items():
            part.to(loaded)


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """A folder to write to, which takes the place of `folder` when the block ends well, and else is removed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name[:64]}.", suffix=".part"))
    try:
        yield unfinished
        unfinished.chmod(0o755)
        _sync(unfinished)
        if folder.exists():
            old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name[:64]}.", suffix=".old"))
            folder.replace(old)
            unfinished.replace(folder)
            shutil.rmtree(old)
        else:
            unfinished.replace(folder)
    except OSError as error:
        raise OutputError(
            f"cannot write {str(folder)!r}: {error.strerror or error}", "free some space, or write elsewhere"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
