"""Taking a fused layer's change apart by its output rows, and joining such parts again without loss."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ...errors import SealShapeError
from ..changes import Change, Decomposed, Full, Hadamard, LowRank
from .place import Place


def split(place: Place, change: Change) -> dict[str, Change]:
    """The changes of the layers that `place` stands for, by path.

    Raises: SealShapeError when its rows cannot be shared out among them.
    """
    if place.swapped:
        return {place.paths[0]: swapped(change)}
    if len(place.paths) == 1:
        return {place.paths[0]: change}
    parts: dict[str, Change] = {}
    start = 0
    for path, size in zip(place.paths, row_sizes(place, change.shape), strict=True):
        parts[path] = _trimmed(change.rows(start, start + size))
        start += size
    return parts


def row_sizes(place: Place, shape: tuple[int, ...]) -> tuple[int, ...]:
    """How many output rows each path of a fused layer of `shape` has.

    Raises: SealShapeError.
    """
    outputs, inputs = shape[:2]
    thirds = len(place.paths) == 3
    size = outputs // 3 if thirds else inputs
    rest = outputs - 3 * size
    if (thirds and rest) or (not thirds and rest <= 0):
        raise SealShapeError(
            f"layer {place.paths[0]!r} is fused with others into {outputs} x {inputs}, which cannot be shared out",
            "the file is for another base, or damaged",
        )
    return (size,) * 3 if thirds else (size, size, size, rest)


def joined(parts: Mapping[int, Change], num_parts: int) -> Change:
    """The change of one fused layer from those of its parts, by their index; absent parts stay unchanged.

    Of four parts (q, k, v, mlp) the first three have as many rows as there are inputs. Equal `down` tensors are
    kept once, so that joining what was split gives it back; others stand beside each other, ranks added.
    Raises: SealShapeError for DoRA of some parts only or by inputs, which no fused layer can express.
    """
    parts = dict(sorted(parts.items()))  # a model's own order of modules may be another
    sizes = _sizes(parts, num_parts)
    found = list(parts.values())
    if any(isinstance(part, Decomposed) for part in found):
        return _joined_dora(parts, num_parts)
    if len(found) == num_parts and _same_factors(found):
        first = found[0]
        assert isinstance(first, Hadamard)
        rows = [part for part in found if isinstance(part, Hadamard)]
        return replace(
            first, w1_a=torch.cat([part.w1_a for part in rows]), w2_a=torch.cat([part.w2_a for part in rows])
        )
    if any(part.kind in ("full", "lokr") for part in found):
        template = found[0].delta()
        return Full(
            torch.cat(
                [
                    parts[i].delta() if i in parts else template.new_zeros(size, *template.shape[1:])
                    for i, size in enumerate(sizes)
                ]
            )
        )
    return _beside({i: part.as_low_rank() for i, part in parts.items()}, sizes)


def swapped(change: Change) -> Change:
    """The change with its two halves of rows the other way round."""
    half = change.shape[0] // 2
    return joined({0: change.rows(half, 2 * half), 1: change.rows(0, half)}, 2)


def _sizes(parts: Mapping[int, Change], num_parts: int) -> list[int]:
    """Output rows of every part. The last of four is four times the input, as in every Flux model."""
    one = next(iter(parts.values()))
    size = one.shape[1] if num_parts == 4 else one.shape[0]
    absent = [size] * (num_parts - 1) + [4 * size if num_parts == 4 else size]
    return [parts[i].shape[0] if i in parts else absent[i] for i in range(num_parts)]


def _beside(parts: Mapping[int, LowRank], sizes: list[int]) -> LowRank:
    """Low-rank parts as one: every different `down` once, and each `up` in its rows and its columns."""
    downs: list[Tensor] = []
    where: dict[int, int] = {}
    for i, part in parts.items():
        same = [j for j, down in enumerate(downs) if _equal(down, part.down)]
        where[i] = same[0] if same else len(downs)
        if not same:
            downs.append(part.down)
    starts = [sum(len(down) for down in downs[:j]) for j in range(len(downs) + 1)]
    rank = starts[-1]
    scales = {part.scale for part in parts.values()}
    scale = (max(scales) if len(scales) == 1 else 1.0) or 1.0
    template = next(iter(parts.values())).up
    blocks = []
    for i, size in enumerate(sizes):
        block = torch.zeros((size, rank, *template.shape[2:]), dtype=torch.float32, device=template.device)
        if i in parts:
            start = starts[where[i]]
            block[:, start : start + parts[i].rank] = parts[i].up.float() * (parts[i].scale / scale)
        blocks.append(block)
    up = torch.cat(blocks)
    if scales == {scale}:
        up = up.to(template.dtype)
    return LowRank(torch.cat(downs), up, scale * rank)


def _equal(one: Tensor, other: Tensor) -> bool:
    return one is other or (one.dtype == other.dtype and torch.equal(one, other))


def _joined_dora(parts: Mapping[int, Change], num_parts: int) -> Decomposed:
    found = [part for part in parts.values() if isinstance(part, Decomposed) and not part.by_input]
    if len(found) != num_parts:
        raise SealShapeError(
            "DoRA of a fused layer needs all of its parts, with one magnitude an output each",
            "keep the file in diffusers' dialect",
        )
    inner = joined({i: part.change for i, part in enumerate(found)}, num_parts)
    return Decomposed(inner, torch.cat([part.magnitude.reshape(-1) for part in found]))


def _same_factors(parts: list[Change]) -> bool:
    """Whether these are rows of one LoHa."""
    first = parts[0]
    return isinstance(first, Hadamard) and all(
        isinstance(part, Hadamard)
        and part.t1 is None
        and part.alpha == first.alpha
        and _equal(part.w1_b, first.w1_b)
        and _equal(part.w2_b, first.w2_b)
        for part in parts
    )


def _trimmed(change: Change) -> Change:
    """A low-rank change without the ranks that these rows do not use; files joined side by side have many."""
    if isinstance(change, Decomposed):
        return replace(change, change=_trimmed(change.change))
    if not isinstance(change, LowRank):
        return change
    used = (
        change.up.flatten(2).ne(0).any(dim=2).any(dim=0) if change.up.ndim > 2 else change.up.ne(0).any(dim=0)
    )
    count = int(used.sum())
    if count in (0, change.rank):
        return change
    alpha = change.scale * count
    return LowRank(change.down[used], change.up[:, used], alpha)
