"""The ways in which a seal can change one layer's weight, each as data with its own arithmetic.

Every kind can say its change in full (`delta`), cut it by output rows (fused projections), and, where the base's
weight plays no part in it, turn itself into a plain low-rank change without loss (`as_low_rank`). What foreign
files call these tensors stops in `formats/`.

Shape letters: O outputs, I inputs, R rank; convolutions have kh and kw behind the inputs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from ..errors import SealShapeError
from .algebra import delta

SMALLEST_RMS = 1e-8
"""Root mean square of a change below which nothing is left of it: a millionth of what weights usually are."""


class Change(Protocol):
    """One layer's change of weight. All tensors are fields; `alpha / rank` is the file's own factor."""

    @property
    def alpha(self) -> float: ...

    @property
    def kind(self) -> str:
        """One of "lora", "loha", "lokr", "full", "dora"."""
        ...

    @property
    def rank(self) -> int: ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the weight it changes: [O, I] or [O, I, kh, kw]."""
        ...

    def delta(self, weight: Tensor | None = None) -> Tensor:
        """The change in float32, of `shape`, at strength 1. Only "dora" reads `weight`, and then needs it."""
        ...

    def rows(self, start: int, stop: int) -> "Change":
        """The change of the outputs `start` to `stop` alone."""
        ...

    def as_low_rank(self) -> "LowRank":
        """The same change as up and down, exact up to float32's rounding. SealShapeError for "dora"."""
        ...


@dataclass(frozen=True, eq=False)
class LowRank:
    """`alpha / rank * up @ down`.

    Shapes: linear: down [R, I], up [O, R]; convolution: down [R, I, kh, kw], up [O, R, 1, 1].
    Source: Hu et al. 2021, arXiv:2106.09685; for convolutions LoCon (LyCORIS, arXiv:2309.14859).
    """

    down: Tensor
    up: Tensor
    alpha: float
    kind = "lora"

    @property
    def rank(self) -> int:
        return int(self.down.shape[0])

    @property
    def scale(self) -> float:
        """Factor of the file's own on `up @ down`; a request's strength comes on top."""
        return self.alpha / self.rank

    @property
    def shape(self) -> tuple[int, ...]:
        return (int(self.up.shape[0]), *self.down.shape[1:])

    def delta(self, weight: Tensor | None = None) -> Tensor:
        return delta(self.down.float(), self.up.float(), self.scale)

    def rows(self, start: int, stop: int) -> "LowRank":
        return replace(self, up=self.up[start:stop])

    def as_low_rank(self) -> "LowRank":
        return self


@dataclass(frozen=True, eq=False)
class Hadamard:
    """LoHa: `alpha / rank * (w1_a @ w1_b) * (w2_a @ w2_b)`, products of entries.

    Shapes: w1_a, w2_a [O, R]; w1_b, w2_b [R, I], where I is I * kh * kw of a convolution; with cores
    t1, t2 [R, R, kh, kw] (convolutions) w1_b and w2_b are [R, I] and w1_a, w2_a [R, O].
    Source: LyCORIS, arXiv:2309.14859; Hyeon-Woo et al. 2021, arXiv:2108.06098.
    """

    w1_a: Tensor
    w1_b: Tensor
    w2_a: Tensor
    w2_b: Tensor
    alpha: float
    t1: Tensor | None = None
    t2: Tensor | None = None
    kind = "loha"

    @property
    def rank(self) -> int:
        return int(self.w1_b.shape[0])

    @property
    def shape(self) -> tuple[int, ...]:
        if self.t1 is not None:
            return (int(self.w1_a.shape[1]), int(self.w1_b.shape[1]), *self.t1.shape[2:])
        return (int(self.w1_a.shape[0]), int(self.w1_b.shape[1]))

    def delta(self, weight: Tensor | None = None) -> Tensor:
        product = _half(self.w1_a, self.w1_b, self.t1) * _half(self.w2_a, self.w2_b, self.t2)
        return (product * (self.alpha / self.rank)).reshape(self.shape)

    def rows(self, start: int, stop: int) -> "Hadamard":
        if self.t1 is not None:
            return replace(self, w1_a=self.w1_a[:, start:stop], w2_a=self.w2_a[:, start:stop])
        return replace(self, w1_a=self.w1_a[start:stop], w2_a=self.w2_a[start:stop])

    def as_low_rank(self) -> LowRank:
        """Rank R * R: the entry-wise product of two rank-R matrices. Source: the face-splitting product."""
        rank = self.rank**2
        if self.t1 is not None or rank >= min(self.shape[0], math.prod(self.shape[1:])):
            return _factored(self.delta())
        up = torch.einsum("or,os->ors", self.w1_a.float(), self.w2_a.float()).flatten(1)
        down = torch.einsum("ri,si->rsi", self.w1_b.float(), self.w2_b.float()).flatten(0, 1)
        return _low_rank(down, up, self.alpha / self.rank, self.shape)


@dataclass(frozen=True, eq=False)
class Kronecker:
    """LoKr: `alpha / rank * kron(w1, w2)`; either factor is whole or a product `a @ b`.

    Shapes: w1 [o, i] or w1_a [o, R], w1_b [R, i]; w2 [O/o, I/i] (convolution: with kh, kw) or w2_a [O/o, R],
    w2_b [R, I/i], kernels flat; with the core t2 [R, R, kh, kw] w2_a is [R, O/o] and w2_b [R, I/i]. With both
    factors whole the factor alpha / rank is 1, as LyCORIS has it.
    Source: LyCORIS, arXiv:2309.14859; Yeh et al.; Edalati et al. 2022, arXiv:2212.10650.
    """

    alpha: float
    w1: Tensor | None = None
    w1_a: Tensor | None = None
    w1_b: Tensor | None = None
    w2: Tensor | None = None
    w2_a: Tensor | None = None
    w2_b: Tensor | None = None
    t2: Tensor | None = None
    kind = "lokr"

    @property
    def rank(self) -> int:
        """Of the decomposed factor (the second one's, if both are); 1 when neither is."""
        if self.w2_b is not None:
            return int(self.w2_b.shape[0])
        return int(self.w1_b.shape[0]) if self.w1_b is not None else 1

    @property
    def scale(self) -> float:
        return 1.0 if self.w1 is not None and self.w2 is not None else self.alpha / self.rank

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the weight, told without multiplying the factors out."""
        outputs, inputs = _product_shape(self.w1, self.w1_a, self.w1_b)
        more_outputs, more_inputs, *kernel = _product_shape(self.w2, self.w2_a, self.w2_b, self.t2)
        return (outputs * more_outputs, inputs * more_inputs, *kernel)

    def delta(self, weight: Tensor | None = None) -> Tensor:
        first, second = self._first(), self._second()
        first = first.reshape(*first.shape, *(1,) * (second.ndim - 2))
        return torch.kron(first, second.contiguous()) * self.scale

    def rows(self, start: int, stop: int) -> "Full":
        return Full(self.delta()[start:stop])

    def as_low_rank(self) -> LowRank:
        """The second factor's rank times the first one's: kron(a b, c d) = kron(a, c) kron(b, d)."""
        shape = self.shape
        if self.w2_a is None or self.w2_b is None or self.t2 is not None:
            return _factored(self.delta())
        low = (
            _factored(self._first())
            if self.w1_a is None or self.w1_b is None
            else LowRank(self.w1_b, self.w1_a, 1.0)
        )
        if low.rank * self.w2_b.shape[0] >= min(shape):
            return _factored(self.delta())
        up = torch.kron(low.up.float(), self.w2_a.float())
        return _low_rank(torch.kron(low.down.float(), self.w2_b.float()), up, self.scale, shape)

    def _first(self) -> Tensor:
        if self.w1 is not None:
            return self.w1.float()
        assert self.w1_a is not None
        assert self.w1_b is not None
        return self.w1_a.float() @ self.w1_b.float()

    def _second(self) -> Tensor:
        if self.w2 is not None:
            return self.w2.float()
        assert self.w2_a is not None
        assert self.w2_b is not None
        return _half(self.w2_a, self.w2_b, self.t2)


@dataclass(frozen=True, eq=False)
class Full:
    """The change itself, of the weight's shape; `alpha` says nothing here."""

    diff: Tensor
    alpha: float = 1.0
    kind = "full"

    @property
    def rank(self) -> int:
        return min(self.diff.shape[0], math.prod(self.diff.shape[1:]))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.diff.shape)

    def delta(self, weight: Tensor | None = None) -> Tensor:
        return self.diff.float()

    def rows(self, start: int, stop: int) -> "Full":
        return replace(self, diff=self.diff[start:stop])

    def as_low_rank(self) -> LowRank:
        return _factored(self.delta())


@dataclass(frozen=True, eq=False)
class Decomposed:
    """DoRA: the changed weight, every output's (or input's) norm set to a magnitude of its own.

    `delta(weight)` is `magnitude * (weight + change) / norm(weight + change) - weight`.
    Shapes: magnitude [O] (norm over all but outputs), or [1, I] with `by_input` (over outputs, as early LyCORIS
    files have it).
    Source: Liu et al. 2024, arXiv:2402.09353.
    """

    change: Change
    magnitude: Tensor
    by_input: bool = False
    kind = "dora"

    @property
    def alpha(self) -> float:
        return self.change.alpha

    @property
    def rank(self) -> int:
        return self.change.rank

    @property
    def shape(self) -> tuple[int, ...]:
        return self.change.shape

    def delta(self, weight: Tensor | None = None) -> Tensor:
        if weight is None:
            raise SealShapeError(
                "a DoRA layer cannot say its change without the base's weight", "give a base"
            )
        before = weight.float().reshape(self.shape)
        changed = before + self.change.delta().to(before.device)
        magnitude = self.magnitude.to(before.device, torch.float32)
        if self.by_input:
            norm = changed.transpose(0, 1).flatten(1).norm(dim=1)
            factor = (magnitude.reshape(-1) / norm).reshape(1, -1, *(1,) * (changed.ndim - 2))
        else:
            norm = changed.flatten(1).norm(dim=1)
            factor = (magnitude.reshape(-1) / norm).reshape(-1, *(1,) * (changed.ndim - 1))
        return changed * factor - before

    def rows(self, start: int, stop: int) -> "Decomposed":
        if self.by_input:
            raise SealShapeError(
                "a DoRA layer with one magnitude an input cannot be cut by outputs",
                "the file has a fused layer that no base here can take",
            )
        part = self.magnitude.reshape(-1)[start:stop]
        return replace(self, change=self.change.rows(start, stop), magnitude=part)

    def as_low_rank(self) -> LowRank:
        raise SealShapeError(
            "a DoRA layer is no plain low-rank change: it depends on the base's weights",
            "fuse it into its base, or keep it as DoRA",
        )


def tensors(change: Change) -> dict[str, Tensor]:
    """Every tensor of a change by its field's name; those of the inner change of "dora" beside it."""
    found: dict[str, Tensor] = {}
    for field in fields(change):  # type: ignore[arg-type]
        value: Any = getattr(change, field.name)
        if isinstance(value, Tensor):
            found[field.name] = value
        elif field.name == "change":
            found |= tensors(value)
    return found


def moved(change: Change, device: Any, dtype: torch.dtype | None = None) -> Change:
    """The change with every tensor on `device`, and in `dtype` if one is given."""
    updates: dict[str, Any] = {}
    for field in fields(change):  # type: ignore[arg-type]
        value: Any = getattr(change, field.name)
        if isinstance(value, Tensor):
            updates[field.name] = value.to(device, dtype)
        elif field.name == "change":
            updates[field.name] = moved(value, device, dtype)
    result: Change = replace(change, **updates)  # type: ignore[type-var]
    return result


def norm(change: Change, weight: Tensor | None = None) -> Tensor:
    """The Frobenius norm of a change, float64; `weight` is needed by "dora" alone.

    A low-rank product is never formed: |up @ down|^2 = sum of (up^T up) * (down down^T), both [rank, rank].
    """
    if not isinstance(change, LowRank):
        return change.delta(weight).double().norm().cpu()
    down, up = change.down.double().flatten(1), change.up.double().flatten(1)
    square = ((up.T @ up) * (down @ down.T)).sum().clamp(min=0)
    return (change.scale * square.sqrt()).cpu()


def has_effect(change: Change) -> bool:
    """Whether the change is large enough to reach a picture: more than `SMALLEST_RMS` a weight."""
    if isinstance(change, Decomposed):
        return True  # the magnitude alone may change the weight
    if isinstance(change, LowRank) and _have_large_columns([change]):
        return True
    return float(norm(change)) > _smallest(change)


def surely_have_effect(changes: Sequence[LowRank]) -> bool:
    """Whether each has an effect by its first column alone, those of one shape at once. False says nothing."""
    alike: dict[tuple[torch.Size, torch.Size], list[LowRank]] = {}
    for change in changes:
        alike.setdefault((change.down.shape, change.up.shape), []).append(change)
    return all(_have_large_columns(group) for group in alike.values())


def _have_large_columns(changes: Sequence[LowRank]) -> bool:
    """Whether the first column of each, all of one shape, is enough of an effect.

    Its norm is no more than the whole's, and found without a product of matrices.
    """
    ups = torch.stack([change.up for change in changes]).flatten(2).float()
    columns = torch.stack([change.down for change in changes]).flatten(2)[:, :, 0].float()
    norms = (ups * columns[:, None]).sum(2).norm(dim=1).tolist()
    pairs = zip(changes, norms, strict=True)
    return all(change.scale * norm > 2 * _smallest(change) for change, norm in pairs)


def _smallest(change: Change) -> float:
    """The norm of a change of that shape below which nothing is left of it."""
    return SMALLEST_RMS * math.sqrt(math.prod(change.shape))


def reshaped(change: Change, shape: tuple[int, ...]) -> Change | None:
    """The same change for a weight of `shape`, or None where the two are no match.

    A linear layer and a convolution of 1x1 are the same matrix, and some files know only one of the two; others
    keep a convolution's kernel flat. LoHa and LoKr become low rank where that is fewer numbers than the weight's,
    exact up to float32's rounding, and full changes where it is not.
    """
    if change.shape == shape:
        return change
    if change.shape[0] != shape[0] or math.prod(change.shape) != math.prod(shape):
        return None
    if isinstance(change, Decomposed):
        inner = reshaped(change.change, shape)
        return None if inner is None else replace(change, change=inner)
    if isinstance(change, Full):
        return replace(change, diff=change.diff.reshape(shape))
    low = change.as_low_rank()
    if low is not change and not has_fewer_numbers(low):
        return Full(change.delta().reshape(shape))
    ones = (1,) * (len(shape) - 2)
    down = low.down.reshape(low.rank, *shape[1:])
    return replace(low, down=down, up=low.up.reshape(shape[0], low.rank, *ones))


def has_fewer_numbers(low: LowRank) -> bool:
    """Whether up and down together are fewer numbers than the weight they change."""
    return low.down.numel() + low.up.numel() < math.prod(low.shape)


def _product_shape(
    whole: Tensor | None, a: Tensor | None, b: Tensor | None, core: Tensor | None = None
) -> tuple[int, ...]:
    """Of a factor that is whole, or the product of a and b around a core."""
    if whole is not None:
        return tuple(whole.shape)
    assert a is not None
    assert b is not None
    if core is not None:
        return (a.shape[1], b.shape[1], *core.shape[2:])
    return (a.shape[0], b.shape[1])


def _half(a: Tensor, b: Tensor, core: Tensor | None) -> Tensor:
    if core is None:
        return a.float() @ b.float()
    return torch.einsum("ijkl,jr,ip->prkl", core.float(), b.float(), a.float())


def _low_rank(down: Tensor, up: Tensor, scale: float, shape: tuple[int, ...]) -> LowRank:
    rank = down.shape[0]
    ones = (1,) * (len(shape) - 2)
    return LowRank(down.reshape(rank, *shape[1:]), up.reshape(-1, rank, *ones), scale * rank)


def _factored(whole: Tensor) -> LowRank:
    """A whole matrix as up and down, one of which is the identity: exact, of full rank."""
    flat = whole.flatten(1)
    outputs, inputs = flat.shape
    if outputs <= inputs:
        return _low_rank(flat, torch.eye(outputs), 1.0, tuple(whole.shape))
    return _low_rank(torch.eye(inputs), flat, 1.0, tuple(whole.shape))
