"""Two methods held against each other, training by training: same pictures, same seed, so that what is hard about
a seal or a seed is on both sides and cancels.

Intervals resample the picture sets and the seeds within them; of one set the seeds, and the prompts within them.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from .cells import Cell
from .learning import MOST, steps_to, steps_to_level
from .statistics import Interval, mean, nested_interval

NUM_RESAMPLES, RESAMPLING_SEED = 2000, 7000

Values = Sequence[tuple[Hashable, float]]
"""What one pair of trainings has, by prompt; or one value for the whole of it."""


@dataclass(frozen=True)
class Paired:
    """A mean over pairs of trainings, and its 95 % interval."""

    value: float
    ci: Interval
    num_pairs: int


def paired_difference(cells: Sequence[Cell], key: str, method: str, reference: str) -> Paired | None:
    """How much more of a figure `method` has than `reference`; None where no pair has the figure."""
    return _paired(cells, method, reference, lambda own, other: _differences(own, other, key))


def paired_ratio(cells: Sequence[Cell], key: str, method: str, reference: str) -> Paired | None:
    """A figure of `method` as a multiple of that of `reference`: the geometric mean over pairs.

    None where no pair has the figure above 0 on both sides.
    """
    return _as_ratio(
        _paired(cells, method, reference, lambda own, other: _log_ratio(own.value(key), other.value(key)))
    )


def paired_pace(cells: Sequence[Cell], method: str, reference: str) -> tuple[Paired, int] | None:
    """Steps to the likeness that `reference` has after MOST of its way, as a multiple of the reference's steps.

    With the number of trainings that never came there, which count as if their last step had brought them: the
    ratio is at least that. None where no pair has curves.
    """
    num_never = 0

    def to_its_level(own: Cell, other: Cell) -> Values:
        nonlocal num_never
        steps = steps_to(other.curve)
        if steps is None or not own.curve:
            return ()
        first, last = other.curve[0][1], other.curve[-1][1]
        reached = steps_to_level(own.curve, first + MOST * (last - first))
        num_never += reached is None
        return _log_ratio(float(own.curve[-1][0]) if reached is None else reached, steps)

    found = _as_ratio(_paired(cells, method, reference, to_its_level))
    return None if found is None else (found, num_never)


def _paired(
    cells: Sequence[Cell], method: str, reference: str, held: Callable[[Cell, Cell], Values]
) -> Paired | None:
    others = {(cell.subject, cell.seed): cell for cell in cells if cell.method == reference}
    own = [cell for cell in cells if cell.method == method and (cell.subject, cell.seed) in others]
    found = [(cell, held(cell, others[cell.subject, cell.seed])) for cell in own]
    pairs = [(cell, values) for cell, values in found if values]
    if not pairs:
        return None
    runs: dict[Hashable, list[tuple[Hashable, float]]] = {}
    has_sets = len({cell.subject for cell, _ in pairs}) > 1
    for cell, values in pairs:
        run: Hashable = cell.subject if has_sets else cell.seed
        runs.setdefault(run, []).extend((cell.seed if has_sets else group, value) for group, value in values)
    every = [value for _, values in pairs for _, value in values]
    return Paired(
        mean(every), nested_interval(list(runs.values()), NUM_RESAMPLES, RESAMPLING_SEED), len(pairs)
    )


def _differences(own: Cell, other: Cell, key: str) -> Values:
    """By prompt where pictures were measured; else of the trainings as a whole."""
    if key in own.observations and key in other.observations:
        mine, theirs = _by_prompt(own, key), _by_prompt(other, key)
        return [(prompt, mine[prompt] - theirs[prompt]) for prompt in mine if prompt in theirs]
    mine_value, their_value = own.value(key), other.value(key)
    return () if mine_value is None or their_value is None else [("", mine_value - their_value)]


def _by_prompt(cell: Cell, key: str) -> dict[str, float]:
    rows: dict[str, list[float]] = {}
    for prompt, value in cell.observations[key]:
        rows.setdefault(prompt, []).append(value)
    return {prompt: mean(values) for prompt, values in rows.items()}


def _log_ratio(own: float | None, other: float | None) -> Values:
    if own is None or other is None or own <= 0 or other <= 0:
        return ()
    return [("", math.log(own / other))]


def _as_ratio(found: Paired | None) -> Paired | None:
    """Of a mean of logarithms."""
    if found is None:
        return None
    return Paired(math.exp(found.value), (math.exp(found.ci[0]), math.exp(found.ci[1])), found.num_pairs)
