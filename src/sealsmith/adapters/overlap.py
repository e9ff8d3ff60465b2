"""How two seals meet in one layer: the directions they share, whether they push the same way, and who drowns whom.

Pure functions of changes; a low-rank change is never multiplied out. Not for: what comes of it in pictures, which
only pictures can say (score/conflicts.py).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import SealShapeError
from .changes import Change, Decomposed, Full, LowRank, reshaped
from .truncate import decompose

NEGLIGIBLE = 1e-6
"""A direction whose singular value is below this share of the largest one is rounding, and left out."""


@dataclass(frozen=True, eq=False)
class Overlap:
    """Two changes A and B of one weight [O, I], convolutions as [O, I * kh * kw], both at strength 1."""

    written: Tensor
    """Principal angles between the column spaces (what the two write), degrees 0..90, ascending, float64."""
    read: Tensor
    """Principal angles between the row spaces (what the two listen to), likewise."""
    cosine: float
    """Of the changes as vectors: 1 the same direction, -1 opposed, 0 neither; 0 too where one changes nothing."""
    ranks: tuple[int, int]
    norms: tuple[float, float]
    """Frobenius norms of A and B."""
    answers: tuple[float, float]
    """|A A^T| and |B B^T|, Frobenius: how loudly each answers what it listens to itself."""
    crossed: float
    """|A B^T|, Frobenius: how loudly each answers what the other listens to."""

    @property
    def damage(self) -> tuple[float, float]:
        """Predicted damage to A by B, and to B by A, in this layer; see `damage`."""
        return damage([self])


def overlap(a: Change, b: Change) -> Overlap:
    """How two changes of one weight meet.

    Raises: SealShapeError when they are of different shapes, or "dora" (which `plain` resolves first).
    Source: principal angles and their computation by QR: Björck & Golub 1973.
    """
    fitting = reshaped(b, a.shape) or reshaped(a, b.shape)
    if fitting is None:
        raise SealShapeError(
            f"the seals change weights of the shapes {a.shape} and {b.shape}", "compare seals of one base"
        )
    (left_a, values_a, right_a), (left_b, values_b, right_b) = (_directions(change) for change in (a, b))
    written, read = left_a.T @ left_b, right_a @ right_b.T
    norms = float(values_a.norm()), float(values_b.norm())
    # <A, B> = tr(A^T B), with A = left diag(values) right: only [rank, rank] products are needed
    inner = float((values_a[:, None] * written * read * values_b).sum())
    return Overlap(
        _angles(left_a, left_b),
        _angles(right_a.T, right_b.T),
        max(-1.0, min(1.0, inner / math.prod(norms))) if all(norms) else 0.0,
        (len(values_a), len(values_b)),
        norms,
        (float(values_a.square().norm()), float(values_b.square().norm())),
        float((values_a[:, None] * read * values_b).norm()),
    )


def overlaps(a: Mapping[str, Change], b: Mapping[str, Change]) -> dict[str, Overlap]:
    """`overlap` of every layer that both seals change, by path. Raises: SealShapeError naming the layer."""
    found = {}
    for path in a:
        if path in b:
            try:
                found[path] = overlap(a[path], b[path])
            except SealShapeError as error:
                raise SealShapeError(f"layer {path!r}: {error}", error.remedy) from error
    return found


def damage(layers: Sequence[Overlap]) -> tuple[float, float]:
    """Predicted damage to A by B, and to B by A, both at strength 1, over some layers.

    Let A be given what it listens to: inputs spread over its row space as its own singular values are. Then B,
    loaded beside it, adds |B A^T| of noise to A's own answer |A A^T| (Frobenius norms, over several layers the
    roots of the summed squares). 0: B is deaf to all that A listens to; 1: it answers as loudly as A itself. With
    strengths, damage to A by B grows by `strength_b / strength_a`.
    It is a prediction from weights alone: what the two triggers really send through a layer is not in it.
    """
    crossed = math.hypot(*(layer.crossed for layer in layers))
    own = [math.hypot(*(layer.answers[side] for layer in layers)) for side in (0, 1)]
    return crossed / own[0] if own[0] else 0.0, crossed / own[1] if own[1] else 0.0


def principal_angles(a: Tensor, b: Tensor) -> Tensor:
    """Angles between the spaces that the columns of a [N, K] and b [N, L] span: min of the two ranks, degrees.

    Columns need neither be of length 1 nor independent. Ascending, float64.
    """
    return _angles(*(_orthonormal(matrix.double()) for matrix in (a, b)))


def plain(layers: Mapping[str, Change], weights: Mapping[str, Tensor]) -> dict[str, Change]:
    """The layers with every "dora" change as the full one that it is on these weights, by the same paths.

    Raises: SealShapeError for a "dora" layer without its weight.
    """
    return {
        path: _full(change, weights.get(path)) if isinstance(change, Decomposed) else change
        for path, change in layers.items()
    }


def _full(change: Decomposed, weight: Tensor | None) -> Full:
    """Where the change is: the base may be on another device than the seal."""
    return Full(change.delta(weight).to(change.magnitude.device))


def _directions(change: Change) -> tuple[Tensor, Tensor, Tensor]:
    """Singular vectors and values (left [O, K], values [K], right [K, I]) without what is only rounding."""
    low: LowRank = change.as_low_rank()
    left, values, right = decompose(low)
    kept = values > NEGLIGIBLE * values.max()
    return left[:, kept], values[kept], right[kept]


def _orthonormal(matrix: Tensor) -> Tensor:
    left, values, _ = torch.linalg.svd(matrix, full_matrices=False)
    return left[:, values > NEGLIGIBLE * values.max()]


def _angles(a: Tensor, b: Tensor) -> Tensor:
    """Principal angles of two orthonormal bases [N, K], [N, L]: by their sines where the cosines cannot tell."""
    if a.shape[1] < b.shape[1]:
        a, b = b, a
    cross = a.T @ b
    cosines = torch.linalg.svdvals(cross).clamp(max=1)
    sines = torch.linalg.svdvals(b - a @ cross).clamp(max=1).flip(0)
    radians = torch.where(cosines.square() > 0.5, sines.asin(), cosines.acos())
    return radians.rad2deg()
