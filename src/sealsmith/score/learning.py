"""How fast a seal is learned: its likeness along a training, and the steps it takes to come near its last value.

Likeness is the judge's similarity, over few pictures that call the seal, the same ones at every point.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from torch import Tensor

from ..adapters import Seal
from ..bases import Base
from ..generate import generate_batch
from .judge import LoadedJudge
from .measure import BasePictures, ScoreProgress, Shot, look, plan_shots, request_of
from .settings import ScoreSettings
from .statistics import mean

Curve = Sequence[tuple[int, float]]
"""(steps done, likeness), ascending; the first is the base's own at 0 steps, the last the finished seal's."""
NUM_CALLS = 4
"""Pictures at each point: the first one of each of so many prompts of the scorecard."""
MOST = 0.9
"""The share of the way from the base's likeness to the last one that counts as having learned."""
LEAST_RISE = 0.05
"""Where likeness rose by less, there was nothing to be fast at."""


def steps_to(curve: Curve, share: float = MOST) -> float | None:
    """Steps until likeness has come `share` of its way, between two points on the line that joins them.

    None for a curve that rose by less than LEAST_RISE, or has no points.
    """
    if len(curve) < 2:
        return None
    first, last = curve[0][1], curve[-1][1]
    if last - first < LEAST_RISE:
        return None
    return steps_to_level(curve, first + share * (last - first))


def steps_to_level(curve: Curve, level: float) -> float | None:
    """Steps until likeness first is `level`; None where it never is."""
    if curve and curve[0][1] >= level:
        return float(curve[0][0])
    for (step, before), (next_step, after) in pairwise(curve):
        if before < level <= after:
            return step + (next_step - step) * (level - before) / (after - before)
    return None


def calls(seal: Seal, settings: ScoreSettings) -> list[Shot]:
    """The pictures of a point of the curve, not drawn yet; `settings` are the scorecard's, complete."""
    few = min(NUM_CALLS, settings.num_prompts)
    return plan_shots(seal, replace(settings, num_prompts=few, num_seeds=1, num_without=0, num_others=0))


def likeness(
    base: Base,
    seal: Seal,
    settings: ScoreSettings,
    judge: LoadedJudge,
    reference: Tensor,
    progress: ScoreProgress | None = None,
) -> float:
    """Mean similarity of the seal's few pictures to `reference` [D]."""
    shots = calls(seal, settings)
    requests = [request_of(shot, settings) for shot in shots]

    def tell(done: int) -> None:
        if progress is not None:
            progress(done, len(requests))

    drawn = generate_batch(base, requests, [(seal, settings.strength)], tell)
    pictures = zip(shots, drawn, strict=True)
    return _mean_similarity([replace(shot, picture=picture) for shot, picture in pictures], judge, reference)


def likeness_untaught(
    base: Base,
    seal: Seal,
    settings: ScoreSettings,
    judge: LoadedJudge,
    reference: Tensor,
    base_pictures: BasePictures,
) -> float:
    """The same of the base alone, which reads the trigger and does not know it: where every curve begins."""
    shots = calls(seal, settings)
    requests = [request_of(shot, settings) for shot in shots]
    missing = [request for request in requests if request not in base_pictures]
    base_pictures.update(zip(missing, generate_batch(base, missing), strict=True))
    drawn = [replace(shot, picture=base_pictures[request_of(shot, settings)]) for shot in shots]
    return _mean_similarity(drawn, judge, reference)


def likeness_of_card(shots: Sequence[Shot], seal: Seal, settings: ScoreSettings) -> float:
    """The same from a scorecard's pictures, which are drawn and looked at: where a curve ends."""
    wanted = {(shot.prompt, shot.seed) for shot in calls(seal, settings)}
    return mean(
        [
            shot.seen.similarity
            for shot in shots
            if shot.subject == "trigger" and (shot.prompt, shot.seed) in wanted
        ]
    )


def _mean_similarity(drawn: Sequence[Shot], judge: LoadedJudge, reference: Tensor) -> float:
    return mean([shot.seen.similarity for shot in look(drawn, judge, reference)])
