"""The figures of a scorecard, each a pure function of drawn and looked-at pictures."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

from torch import Tensor

from .measure import Shot, Subject
from .scorecard import Adherence, Bleeding, Drift, Fidelity, Leak, Margin
from .settings import ScoreSettings
from .statistics import bootstrap_interval, mean, rate_interval, wilson_interval


def fidelity(shots: Sequence[Shot], settings: ScoreSettings) -> Fidelity:
    called = _loaded(shots, "trigger")
    hits = [shot.seen.is_seal for shot in called]
    interval = rate_interval(hits, _prompts(called), settings.num_resamples, settings.seed)
    return Fidelity(mean(hits), mean([shot.seen.similarity for shot in called]), interval)


def adherence(shots: Sequence[Shot], settings: ScoreSettings) -> Adherence:
    """Shares of pictures with the prompt's mark, surface, colour; colour only where the mark has one."""
    called = _loaded(shots, "trigger")
    coloured = [shot.has_colour for shot in called if shot.context.colour]
    everything = [shot.is_as_asked for shot in called]
    return Adherence(
        mark=mean([shot.seen.mark == shot.context.mark for shot in called]),
        surface=mean([shot.seen.surface == shot.context.surface for shot in called]),
        colour=mean(coloured) if coloured else None,
        all=mean(everything),
        ci=rate_interval(everything, _prompts(called), settings.num_resamples, settings.seed),
    )


def leak_rates(shots: Sequence[Shot]) -> tuple[float, float] | None:
    """Share of pictures without the trigger that show the seal: (with the seal loaded, the base alone)."""
    pairs = _pairs(shots, "class", "other")
    if not pairs:
        return None
    return mean([with_seal.seen.is_seal for with_seal, _ in pairs]), mean(
        [alone.seen.is_seal for _, alone in pairs]
    )


def leak(shots: Sequence[Shot], settings: ScoreSettings) -> Leak:
    """How much the seal adds to the base's own rate; never below 0."""
    pairs = _pairs(shots, "class", "other")
    if not pairs:
        return Leak()
    loaded, alone = [[shot.seen.is_seal for shot in side] for side in zip(*pairs, strict=True)]
    rises = [float(a) - float(b) for a, b in zip(loaded, alone, strict=True)]
    prompts = _prompts([shot for shot, _ in pairs])
    low, high = bootstrap_interval(rises, prompts, settings.num_resamples, settings.seed)
    # Resampling cannot see a leak that happened in none of a few pictures; the rate's own interval can.
    high = max(high, wilson_interval(sum(loaded), len(loaded))[1] - mean(alone))
    return Leak(max(0.0, mean(rises)), (max(0.0, low), max(0.0, high)))


def bleeding(shots: Sequence[Shot], settings: ScoreSettings, *subjects: Subject) -> Bleeding:
    """The mean rise over the pictures of these subjects, of all that do not call the seal if none is named."""
    rises = _similarity_rises(shots, *(subjects or ("class", "other")))
    if not rises:
        return Bleeding()
    values = [value for _, value in rises]
    prompts = [prompt for prompt, _ in rises]
    return Bleeding(mean(values), bootstrap_interval(values, prompts, settings.num_resamples, settings.seed))


def margin(shots: Sequence[Shot], settings: ScoreSettings) -> Margin:
    called = {(shot.context, shot.seed): shot for shot in _loaded(shots, "trigger")}
    uncalled = _loaded(shots, "class")
    if not uncalled:
        return Margin()
    rises = [called[shot.context, shot.seed].seen.similarity - shot.seen.similarity for shot in uncalled]
    interval = bootstrap_interval(rises, _prompts(uncalled), settings.num_resamples, settings.seed)
    return Margin(mean(rises), interval)


def distance(a: Tensor, b: Tensor) -> float:
    """Mean absolute difference of two pictures [3, H, W] in 0..1; 0: identical, 1: black against white.

    Needs no judge, so it means the same on every base.
    """
    return float((a - b).abs().mean())


def drift(shots: Sequence[Shot]) -> Drift:
    pairs = _pairs(shots, "other")
    if not pairs:
        return Drift()
    moved = [distance(loaded.drawn.pixels, alone.drawn.pixels) for loaded, alone in pairs]
    return Drift(mean(moved), _spread([alone for _, alone in pairs]))


def diversity(shots: Sequence[Shot]) -> float | None:
    """Spread of the seal's pictures over seeds, as a multiple of the base's; None with one seed a prompt."""
    own, floor = _spread(_loaded(shots, "trigger")), drift(shots).noise_floor
    return own / floor if own is not None and floor else None


Observation = tuple[str, float]
"""One picture's part in a figure: its prompt, and the value."""


def observed(shots: Sequence[Shot]) -> dict[str, list[Observation]]:
    """Every picture's part in each figure, for means and intervals over several scorecards.

    Shots that no judge looked at have a part in the drift alone.
    """
    pairs = _pairs(shots, "other")
    found = {"drift": [(a.prompt, distance(a.drawn.pixels, b.drawn.pixels)) for a, b in pairs]}
    if any(shot.sight is None for shot in shots):
        return found
    called = _loaded(shots, "trigger")
    by_place = {(shot.context, shot.seed): shot for shot in called}
    return found | {
        "fidelity": [(shot.prompt, float(shot.seen.is_seal)) for shot in called],
        "similarity": [(shot.prompt, shot.seen.similarity) for shot in called],
        "adherence": [(shot.prompt, float(shot.is_as_asked)) for shot in called],
        "leak": [
            (loaded.prompt, float(loaded.seen.is_seal) - float(alone.seen.is_seal))
            for loaded, alone in _pairs(shots, "class", "other")
        ],
        "bleeding": _similarity_rises(shots, "class", "other"),
        "margin": [
            (shot.prompt, by_place[shot.context, shot.seed].seen.similarity - shot.seen.similarity)
            for shot in _loaded(shots, "class")
        ],
    }


def _similarity_rises(shots: Sequence[Shot], *subjects: Subject) -> list[Observation]:
    """How much more each picture resembles the seal than the base's own of its prompt and seed."""
    return [
        (loaded.prompt, loaded.seen.similarity - alone.seen.similarity)
        for loaded, alone in _pairs(shots, *subjects)
    ]


def _spread(shots: Sequence[Shot]) -> float | None:
    """Mean distance between pictures of one prompt from different seeds."""
    by_prompt: dict[str, list[Tensor]] = defaultdict(list)
    for shot in shots:
        by_prompt[shot.prompt].append(shot.drawn.pixels)
    distances = [distance(a, b) for pixels in by_prompt.values() for a, b in combinations(pixels, 2)]
    return mean(distances) if distances else None


def _loaded(shots: Sequence[Shot], subject: Subject) -> list[Shot]:
    """Shots of one subject that were drawn with the seal loaded."""
    return [shot for shot in shots if shot.subject == subject and shot.with_seal]


def _pairs(shots: Sequence[Shot], *subjects: Subject) -> list[tuple[Shot, Shot]]:
    """(with the seal, without it) of one prompt and seed each."""
    alone = {(shot.prompt, shot.seed): shot for shot in shots if not shot.with_seal}
    loaded = [shot for shot in shots if shot.subject in subjects and shot.with_seal]
    return [(shot, alone[shot.prompt, shot.seed]) for shot in loaded]


def _prompts(shots: Sequence[Shot]) -> list[str]:
    return [shot.prompt for shot in shots]
