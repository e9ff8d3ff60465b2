"""What the ends of tensor names mean, and how one layer's tensors make its change.

A tensor's name is a module's spelling (names.py) and an ending; the two are read apart, because files mix them.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import SealFormatError, SealShapeError
from ..changes import Change, Decomposed, Full, Hadamard, Kronecker, LowRank
from ..magnitude import largest_magnitude
from .place import Place

MAX_WEIGHTS = 1 << 27
"""Of one layer, more than the largest of any family (T5's 32128 x 4096): small factors can claim huge products."""
MAX_DOWN = 1 << 25
"""Numbers in a `down` that is a product of two tensors."""

_INCOMPLETE = "the file is incomplete; fetch it again"
_DAMAGED = "the file is damaged; fetch it again"

Endings = tuple[tuple[re.Pattern[str], str], ...]


def _endings(*pairs: tuple[str, str]) -> Endings:
    return tuple((re.compile(rf"(.+?){ending}"), role) for ending, role in pairs)


COMMON = _endings(
    (r"\.lora_down\.weight", "down"),
    (r"\.lora_up\.weight", "up"),
    (r"\.lora_mid\.weight", "mid"),
    (r"\.alpha", "alpha"),
    (r"\.dora_scale", "dora_scale"),
    (r"\.hada_(w1_a|w1_b|w2_a|w2_b|t1|t2)", "hada_"),
    (r"\.lokr_(w1|w1_a|w1_b|w2|w2_a|w2_b|t2)", "lokr_"),
    (r"\.diff", "diff"),
)
"""What kohya's trainer and LyCORIS write."""
PEFT = _endings(
    (r"\.lora_A(?:\.[\w-]+)?\.weight", "down"),
    (r"\.lora_B(?:\.[\w-]+)?\.weight", "up"),
    (r"\.lora_magnitude_vector(?:\.[\w-]+)?(?:\.weight)?", "magnitude"),
)
OLD = _endings(
    (r"(?:\.lora_linear_layer|\.lora|_lora)\.down\.weight", "down"),
    (r"(?:\.lora_linear_layer|\.lora|_lora)\.up\.weight", "up"),
)
"""What diffusers wrote before PEFT."""
XLABS = _endings((r"\.down\.weight", "down"), (r"\.up\.weight", "up"))


def split_name(name: str, endings: Endings) -> tuple[str, str] | None:
    """A tensor's name as module and role ("down", "alpha", "hada_w1_a", ...); None for other endings."""
    for pattern, role in endings:
        match = pattern.fullmatch(name)
        if match is not None:
            return match[1], role + match[2] if role.endswith("_") else role
    return None


@dataclass(frozen=True)
class Part:
    """One tensor's part in a file: the layers it belongs to, what it is of them, and where it was read."""

    place: Place
    role: str
    dialect: str


@dataclass(frozen=True)
class Group:
    """All tensors of one module of a file, by role."""

    place: Place
    tensors: Mapping[str, Tensor]
    alpha: float | None
    """From outside the tensors (the header's configuration); an alpha tensor goes before it."""

    @property
    def name(self) -> str:
        return self.place.paths[0]


ROLES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "lora": (frozenset(("down", "up")), frozenset(("mid",))),
    "loha": (
        frozenset(("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")),
        frozenset(("hada_t1", "hada_t2")),
    ),
    "lokr": (
        frozenset(),
        frozenset(f"lokr_{end}" for end in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")),
    ),
    "full": (frozenset(("diff",)), frozenset()),
}
"""Kind of change -> the roles it must have, and those it may have."""
SIDE_ROLES = frozenset(("alpha", "dora_scale", "magnitude"))
"""Roles that change nothing by themselves."""


def change_of(group: Group) -> Change:
    """The change that a group of tensors makes.

    Raises: SealFormatError naming the layer: a half is missing, or tensors of two kinds; SealShapeError.
    """
    kinds = [kind for kind, (needed, more) in ROLES.items() if not (needed | more).isdisjoint(group.tensors)]
    if len(kinds) > 1:
        raise SealFormatError(
            f"layer {group.name!r} has tensors of two kinds: {' and '.join(kinds)}", _DAMAGED
        )
    missing = ROLES[kinds[0]][0] - group.tensors.keys()
    if missing:
        raise SealFormatError(f"layer {group.name!r} has no {min(missing)!r} tensor", _INCOMPLETE)
    change = _BUILDERS[kinds[0]](group)
    _check_size(group, change.shape, MAX_WEIGHTS)
    return _decomposed(group, change)


def _low_rank(group: Group) -> Change:
    down, up = group.tensors["down"], group.tensors["up"]
    mid = group.tensors.get("mid")
    if mid is not None:
        pointwise = down.ndim == 4 and down.shape[2:] == (1, 1)
        _check(group, pointwise and mid.ndim == 4 and down.shape[0] == mid.shape[1])
        _check_size(group, (mid.shape[0], down.shape[1], *mid.shape[2:]), MAX_DOWN)
        # In float32: the product of two halves need not fit a half.
        down, up = torch.einsum("srkl,ri->sikl", mid.float(), down[:, :, 0, 0].float()), up.float()
        if not math.isfinite(largest_magnitude(down)):
            raise SealFormatError(f"layer {group.name!r}: its mid times its down is infinite", _DAMAGED)
    fits = down.ndim in (2, 4) and up.ndim == down.ndim and up.shape[1] == down.shape[0] != 0
    _check(group, fits and up[:1, 0].numel() == 1)
    return LowRank(down, up, _alpha(group, down.shape[0]))


def _hadamard(group: Group) -> Change:
    w1_a, w1_b, w2_a, w2_b = (group.tensors[f"hada_{end}"] for end in ("w1_a", "w1_b", "w2_a", "w2_b"))
    t1, t2 = group.tensors.get("hada_t1"), group.tensors.get("hada_t2")
    if (t1 is None) != (t2 is None):
        raise SealFormatError(f"layer {group.name!r} has one of hada_t1 and hada_t2", _INCOMPLETE)
    factors_fit = all(factor.ndim == 2 for factor in (w1_a, w1_b, w2_a, w2_b)) and w1_b.shape == w2_b.shape
    _check(group, factors_fit and w1_a.shape == w2_a.shape and w1_b.shape[0] != 0)
    rank = w1_b.shape[0]
    if t1 is not None and t2 is not None:
        _check(group, w1_a.shape[0] == rank and t1.ndim == 4 and t1.shape == t2.shape)
        _check(group, t1.shape[:2] == (rank, rank))
    else:
        _check(group, w1_a.shape[1] == rank)
    return Hadamard(w1_a, w1_b, w2_a, w2_b, _alpha(group, rank), t1, t2)


def _kronecker(group: Group) -> Change:
    named = {role.removeprefix("lokr_"): tensor for role, tensor in group.tensors.items()}
    parts = {end: named.get(end) for end in ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")}
    for factor in ("w1", "w2"):
        halves = (parts[f"{factor}_a"], parts[f"{factor}_b"])
        if (parts[factor] is None) == (None in halves) or ((halves[0] is None) != (halves[1] is None)):
            raise SealFormatError(
                f"layer {group.name!r} has not exactly one lokr_{factor}, whole or as a and b", _INCOMPLETE
            )
        a, b = halves
        core = parts["t2"] if factor == "w2" else None
        if a is not None and b is not None:
            _check(group, a.ndim == b.ndim == 2 and a.shape[0 if core is not None else 1] == b.shape[0] != 0)
        if core is not None:
            _check(group, b is not None and core.ndim == 4 and core.shape[:2] == (len(b), len(b)))
    whole = parts["w2"]
    _check(group, parts["w1"] is None or parts["w1"].ndim == 2)
    _check(group, whole is None or whole.ndim in (2, 4))
    rank = next((len(b) for b in (parts["w2_b"], parts["w1_b"]) if b is not None), 1)
    alpha = _alpha(group, rank)
    if parts["w1"] is not None and whole is not None and not math.isfinite(alpha):
        alpha = 1.0  # it says nothing there; LyCORIS writes the rank it was asked for, up to 1e8, beyond fp16
    return Kronecker(alpha, **parts)


def _full(group: Group) -> Change:
    diff = group.tensors["diff"]
    _check(group, diff.ndim in (2, 4) and diff.numel() > 0)
    return Full(diff)


_BUILDERS: dict[str, Callable[[Group], Change]] = {
    "lora": _low_rank,
    "loha": _hadamard,
    "lokr": _kronecker,
    "full": _full,
}


def _decomposed(group: Group, change: Change) -> Change:
    """The change with its magnitudes around it, if the group has some.

    PEFT's magnitude vector is one an output. LyCORIS' scale is [O, 1] or, one an input, [1, I]; convolutions have
    more ones behind.
    """
    magnitude, scale = group.tensors.get("magnitude"), group.tensors.get("dora_scale")
    if magnitude is not None and scale is not None:
        raise SealFormatError(f"layer {group.name!r} has two magnitudes", _DAMAGED)
    outputs, inputs = change.shape[:2]
    if magnitude is not None:
        _check(group, magnitude.numel() == outputs)
        return Decomposed(change, magnitude.reshape(-1))
    if scale is None:
        return change
    if scale.ndim >= 2 and scale.shape[0] == 1 != outputs:
        _check(
            group, scale.numel() > 0 and inputs % scale.numel() == 0
        )  # a multiple: kernels may be stored flat
        return Decomposed(change, scale.reshape(1, -1), by_input=True)
    _check(group, scale.numel() == outputs)
    return Decomposed(change, scale.reshape(-1))


def _alpha(group: Group, rank: int) -> float:
    tensor = group.tensors.get("alpha")
    if tensor is None:
        return float(rank) if group.alpha is None else group.alpha
    if tensor.numel() != 1:
        raise SealShapeError(f"layer {group.name!r} has {tensor.numel()} alphas, expected 1", _DAMAGED)
    return float(tensor.item())


def _check_size(group: Group, shape: tuple[int, ...], limit: int) -> None:
    """Refuses a product that is too large to be a layer's, before it is multiplied out."""
    if math.prod(shape) > limit:
        size = " x ".join(map(str, shape))
        raise SealShapeError(
            f"layer {group.name!r}: its tensors make {size} numbers, expected at most {limit}", _DAMAGED
        )


def _check(group: Group, fits: bool) -> None:
    if not fits:
        shapes = ", ".join(f"{role} {tuple(tensor.shape)}" for role, tensor in sorted(group.tensors.items()))
        raise SealShapeError(f"layer {group.name!r}: its tensors do not fit each other: {shapes}", _DAMAGED)
