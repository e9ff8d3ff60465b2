"""Dialects of seal files; foreign names for tensors and layers stop inside this folder.

Reading: every tensor is sorted by the first dialect that understands its name, tensors of one module are put
together, and fused modules are taken apart into the layers they stand for. A file may mix dialects. A tensor that
nobody understands is reported, never dropped.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ...errors import SealFormatError
from ..changes import Change
from .alphas import CONFIG_KEY, HeaderAlphas
from .dialects import DIFFUSERS, DIFFUSERS_COMMON, DIFFUSERS_OLD, KOHYA, ORIGINAL
from .first import First
from .fused import split
from .parts import SIDE_ROLES, Group, Part, change_of
from .place import Place
from .writing import WRITERS, Written, header_entries, native_dialect, write_layers

__all__ = [
    "CONFIG_KEY",
    "WRITERS",
    "Parsed",
    "Written",
    "header_entries",
    "native_dialect",
    "read_layers",
    "write_layers",
]


class Dialect(Protocol):
    """One way of naming a seal's tensors."""

    @property
    def name(self) -> str: ...

    def sort(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, Part]:
        """What each tensor is that this dialect understands, by its name. `metadata`: the header's strings."""
        ...


DIALECTS: tuple[Dialect, ...] = (First(), KOHYA, DIFFUSERS, DIFFUSERS_OLD, DIFFUSERS_COMMON, ORIGINAL)


@dataclass(frozen=True)
class Parsed:
    """What was read from a file's tensors."""

    layers: dict[str, Change]
    """By canonical path."""
    unknown: tuple[str, ...]
    """Names of the tensors nobody understood, sorted."""
    dialect: str
    """The one most of its tensors are written in; "" when there is none."""


def read_layers(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> Parsed:
    """The layers in a file's tensors; `metadata` are its header's strings, which hold diffusers' alphas.

    Every tensor is in a layer or in `unknown`.
    Raises: SealFormatError naming a layer that lacks a tensor, has two of one, or stands in the file twice;
    SealShapeError naming a layer whose tensors do not fit each other.
    """
    metadata = metadata or {}
    parts = _sorted_parts(tensors, metadata)
    groups: dict[Place, dict[str, str]] = {}
    for name, part in parts.items():
        names = groups.setdefault(part.place, {})
        if part.role in names:
            raise _twice(part.place.paths[0], names[part.role], name)
        names[part.role] = name
    alphas = HeaderAlphas(metadata)
    layers: dict[str, Change] = {}
    unread = tensors.keys() - parts.keys()
    for place, names in groups.items():
        if names.keys() <= SIDE_ROLES:
            unread |= set(names.values())
            continue
        for path, change in _layers(place, {role: tensors[name] for role, name in names.items()}, alphas):
            if path in layers:
                raise _twice(path, *list(names.values())[:1])
            layers[path] = change
    dialects = Counter(part.dialect for name, part in parts.items() if name not in unread)
    dialect = max(dialects, key=lambda name: dialects[name], default="")
    return Parsed(layers, tuple(sorted(unread)), dialect)


def _sorted_parts(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, Part]:
    left = dict(tensors)
    parts: dict[str, Part] = {}
    for dialect in DIALECTS:
        found = dialect.sort(left, metadata)
        parts |= found
        left = {name: tensor for name, tensor in left.items() if name not in found}
    return parts


def _layers(place: Place, tensors: Mapping[str, Tensor], alphas: HeaderAlphas) -> list[tuple[str, Change]]:
    path = place.paths[0]
    down = tensors.get("down")
    alpha = None
    if down is not None and down.ndim > 0 and "alpha" not in tensors:
        alpha = alphas.alpha(path, down.shape[0])
    change = change_of(Group(place, tensors, alpha))
    return list(split(place, change).items())


def _twice(path: str, *names: str) -> SealFormatError:
    where = " and ".join(repr(name) for name in names)
    return SealFormatError(
        f"layer {path!r} stands in the file twice ({where})", "two seals were put into one file; use either"
    )
