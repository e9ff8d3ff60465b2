"""Intervals around measured means, so that a figure from sixteen pictures doesn't pass for the truth."""

from collections.abc import Hashable, Sequence
from math import fsum, sqrt

import numpy as np

Interval = tuple[float, float]

_Z95 = 1.959964


def mean(values: Sequence[float]) -> float:
    """The mean, exactly rounded, so that the order of pictures does not matter."""
    return fsum(values) / len(values)


def bootstrap_interval(
    values: Sequence[float], groups: Sequence[Hashable], num_resamples: int, seed: int
) -> Interval:
    """The 95 % percentile interval of the mean of `values`, resampling whole groups.

    Pictures of one prompt resemble each other, so prompts (`groups`, one per value) are what is resampled.
    Raises: ValueError when there are no values, or groups of another number.
    """
    if not values or len(values) != len(groups):
        raise ValueError(f"{len(values)} values in {len(groups)} groups")
    sums, counts = _folded(groups, values)
    draws = np.random.default_rng(seed).integers(0, len(sums), (num_resamples, len(sums)))
    means = sums[draws].sum(1) / counts[draws].sum(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def nested_interval(
    samples: Sequence[Sequence[tuple[Hashable, float]]], num_resamples: int, seed: int
) -> Interval:
    """The 95 % percentile interval of the mean over several runs of (group, value) each.

    Runs are resampled first, then the groups within each: two trainings differ, and so do two prompts.
    Raises: ValueError when there is no run, or one without values.
    """
    if not samples or not all(samples):
        raise ValueError(f"{len(samples)} runs, the smallest with {min(map(len, samples), default=0)} values")
    folded = [_folded([group for group, _ in run], [value for _, value in run]) for run in samples]
    rng = np.random.default_rng(seed)
    runs = rng.integers(0, len(folded), (num_resamples, len(folded)))
    sums, counts = np.zeros(num_resamples), np.zeros(num_resamples)
    for drawn in runs.T:
        for index, (group_sums, group_counts) in enumerate(folded):
            rows = np.flatnonzero(drawn == index)
            groups = rng.integers(0, len(group_sums), (len(rows), len(group_sums)))
            sums[rows] += group_sums[groups].sum(1)
            counts[rows] += group_counts[groups].sum(1)
    low, high = np.percentile(sums / counts, (2.5, 97.5))
    return float(low), float(high)


def wilson_interval(num_hits: int, num_tries: int) -> Interval:
    """The 95 % score interval of a rate (Wilson 1927). It stays open where all tries agree."""
    rate, z2 = num_hits / num_tries, _Z95**2
    centre = (rate + z2 / (2 * num_tries)) / (1 + z2 / num_tries)
    half = _Z95 / (1 + z2 / num_tries) * sqrt(rate * (1 - rate) / num_tries + z2 / (4 * num_tries**2))
    return max(0.0, min(centre - half, rate)), min(1.0, max(centre + half, rate))


def rate_interval(
    hits: Sequence[bool], groups: Sequence[Hashable], num_resamples: int, seed: int
) -> Interval:
    """The 95 % interval of a rate: the bootstrap's, widened to Wilson's.

    Resampling can't imagine what never happened: sixteen hits of sixteen give [1, 1]. Wilson's interval
    ([0.81, 1] there) knows better, and the bootstrap knows of prompts that succeed or fail as a whole.
    """
    resampled = bootstrap_interval([float(hit) for hit in hits], groups, num_resamples, seed)
    scored = wilson_interval(sum(hits), len(hits))
    return min(resampled[0], scored[0]), max(resampled[1], scored[1])


def _folded(groups: Sequence[Hashable], values: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the values of each group, in order of the groups' first appearance."""
    names = list(dict.fromkeys(groups))
    row = np.array([names.index(group) for group in groups])
    return np.bincount(row, weights=np.asarray(values, np.float64)), np.bincount(row)
