"""One seal at many settings: a scorecard in each cell of one or two axes, and the strength to use it at.

Not for: the axes' text form (axes.py) or the sheet (sheet.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..adapters import Change, Seal, read_seal, shrink
from ..bases import Base
from ..errors import ConfigError
from ..generate import Picture, Request, generate_batch
from ..stage import COLOURS, MARKS, SURFACES
from ..stage.captions import named
from . import figures
from .axes import Axis, Value
from .judge import LoadedJudge
from .measure import BasePictures, Shot, look
from .prompts import Context
from .record import reference_of
from .scorecard import Adherence, Scorecard
from .scoring import score_seal
from .settings import ScoreSettings
from .statistics import mean

MOST_LEAK = 0.05
"""Above the least leak of all strengths."""
MOST_ADHERENCE_LOST = 0.1
"""Below the best adherence of all strengths; one picture, where a picture is more."""
MOST_DRIFT = 2 / 3
"""Of what a new seed moves a picture of the base."""

NEAR_LIKENESS = 0.02
"""Likenesses as near as this are taken for equal."""

RULE = (
    f"of the strengths whose leak is at most {MOST_LEAK:.0%} above the least, whose adherence is at most "
    f"{MOST_ADHERENCE_LOST:.0%} or one picture below the best and whose drift is at most {MOST_DRIFT:.0%} of what "
    "a new seed moves, those within one picture of the best fidelity, and of them the weakest whose likeness is "
    f"within {NEAR_LIKENESS} of the highest"
)

OnCell = Callable[[Sequence["Cell"], int], None]
"""Told after every cell all that are done, and of how many."""


@dataclass(frozen=True)
class Cell:
    """One place of the sheet."""

    at: Mapping[str, Value]
    """Axis -> value."""
    card: Scorecard
    picture: Picture
    """The first one that calls the seal."""

    @property
    def figures(self) -> dict[str, float | None]:
        """What a sweep is read by, in a word each."""
        card = self.card
        return {
            "fidelity": card.fidelity.top1,
            "likeness": card.fidelity.similarity,
            "adherence": card.adherence.all,
            "leak": card.leak.rate,
            "drift": card.drift.value,
        }

    def to_dict(self) -> dict[str, Any]:
        return {"at": dict(self.at), **self.card.to_dict()}


@dataclass(frozen=True)
class Recommendation:
    """The strength to use, or None, and why."""

    strength: float | None
    reason: str


@dataclass(frozen=True)
class Sweep:
    """A whole sheet; cells row by row, `y` the rows."""

    x: Axis
    y: Axis | None
    cells: tuple[Cell, ...]
    recommended: Recommendation

    @property
    def rows(self) -> list[tuple[Cell, ...]]:
        width = len(self.x.values)
        return [self.cells[start : start + width] for start in range(0, len(self.cells), width)]

    def to_dict(self) -> dict[str, Any]:
        axes = {axis.name: list(axis.values) for axis in (self.x, self.y) if axis}
        return {
            "axes": axes,
            "cells": [cell.to_dict() for cell in self.cells],
            "recommended": self.recommended.strength,
            "reason": self.recommended.reason,
            "rule": RULE,
        }


def sweep(
    base: Base,
    seal: Seal,
    x: Axis,
    y: Axis | None = None,
    settings: ScoreSettings | None = None,
    judge: LoadedJudge | None = None,
    checkpoints: Mapping[int, Path] | None = None,
    on_cell: OnCell | None = None,
) -> Sweep:
    """A scorecard of the seal at every combination of the axes' values; the rest as `settings` say.

    `checkpoints` are the files of a training by their step, for an axis of them. A rank is made by cutting the seal
    down. Prompts are drawn as they are, with the trigger, and only fidelity and, in sealworld's words, adherence is
    measured of them.
    Raises: ConfigError for two axes of one name, or a step without a checkpoint; else as `score_seal`.
    """
    if y is not None and x.name == y.name:
        raise ConfigError(f"both axes are {x.name}", "sweep two different settings, or one axis")
    settings = (settings or ScoreSettings()).for_family(base.family)
    drawn: BasePictures = {}
    cells: list[Cell] = []
    places = [
        {x.name: column} | ({} if y is None else {y.name: row})
        for row in (y.values if y is not None else (0,))
        for column in x.values
    ]
    for place in places:
        variant = seal_at(seal, place, checkpoints or {})
        cells.append(_cell(base, variant, place, settings_at(settings, place), judge, drawn))
        if on_cell is not None:
            on_cell(cells, len(places))
    return Sweep(x, y, tuple(cells), recommend(cells))


def seal_at(seal: Seal, place: Mapping[str, Value], checkpoints: Mapping[int, Path]) -> Seal:
    """The seal that a place of the sheet is about: of another step, or cut to another rank."""
    if "checkpoint" in place:
        step = int(place["checkpoint"])
        if step not in checkpoints:
            known = ", ".join(map(str, sorted(checkpoints))) or "none beside the seal"
            raise ConfigError(f"there is no checkpoint of step {step}", f"there are: {known}")
        header = seal.header
        seal = read_seal(checkpoints[step])
        # what it should look like stands in the finished seal alone
        seal = replace(seal, header=replace(seal.header, training=header.training | seal.header.training))
    if "rank" in place:
        rank = int(place["rank"])
        layers: dict[str, Change] = {**shrink(seal.layers, rank=rank).layers}
        seal = replace(seal, layers=layers, header=replace(seal.header, rank=rank), path=None)
    return seal


def settings_at(settings: ScoreSettings, place: Mapping[str, Value]) -> ScoreSettings:
    """The settings that a place of the sheet is scored with."""
    fields = {"strength": "strength", "guidance": "guidance", "steps": "num_steps", "seed": "picture_seed"}
    changes: dict[str, Any] = {fields[name]: value for name, value in place.items() if name in fields}
    return replace(settings, **changes)


def recommend(cells: Sequence[Cell]) -> Recommendation:
    """One strength by `RULE`, cells of one strength averaged; None with the reason where it cannot be said."""
    by_strength: dict[float, list[Scorecard]] = {}
    for cell in cells:
        if "strength" in cell.at:
            by_strength.setdefault(float(cell.at["strength"]), []).append(cell.card)
    if len(by_strength) < 2:
        return Recommendation(None, "no strengths were swept")
    means = {strength: _Means.of(cards) for strength, cards in by_strength.items()}
    if any(one.top1 is None for one in means.values()):
        return Recommendation(None, "no fidelity could be measured")
    fit = {strength: one for strength, one in means.items() if not _faults(one, means.values())}
    pool = fit or means
    best = max(one.top1 or 0.0 for one in pool.values())
    near = {s: one for s, one in pool.items() if (one.top1 or 0.0) >= best - one.picture - 1e-9}
    likest = max(one.similarity or 0.0 for one in near.values())
    strength = min(s for s, one in near.items() if (one.similarity or 0.0) >= likest - NEAR_LIKENESS)
    return Recommendation(strength, _reason(strength, means, bool(fit)))


@dataclass(frozen=True)
class _Means:
    """The figures of one strength."""

    top1: float | None
    similarity: float | None
    adherence: float | None
    leak: float | None
    drift: float | None
    """As a share of the noise floor."""
    picture: float
    """What one picture is of the fidelity."""

    @classmethod
    def of(cls, cards: Sequence[Scorecard]) -> "_Means":
        called = sum(shot.subject == "trigger" for card in cards for shot in card.shots)
        drifts = [
            card.drift.value / card.drift.noise_floor
            for card in cards
            if card.drift.value is not None and card.drift.noise_floor
        ]
        return cls(
            _mean([card.fidelity.top1 for card in cards]),
            _mean([card.fidelity.similarity for card in cards]),
            _mean([card.adherence.all for card in cards]),
            _mean([card.leak.rate for card in cards]),
            _mean(drifts),
            1 / max(called, 1),
        )


def _faults(one: _Means, everything: Any) -> list[str]:
    """Why a strength is out of the question, in a word each."""
    faults = []
    leaks = [other.leak for other in everything if other.leak is not None]
    adherences = [other.adherence for other in everything if other.adherence is not None]
    if one.leak is not None and one.leak > min(leaks) + MOST_LEAK + 1e-9:
        faults.append("leak")
    lost = max(MOST_ADHERENCE_LOST, one.picture) + 1e-9
    if one.adherence is not None and one.adherence < max(adherences) - lost:
        faults.append("adherence")
    if one.drift is not None and one.drift > MOST_DRIFT:
        faults.append("drift")
    return faults


def _reason(strength: float, means: Mapping[float, _Means], is_fit: bool) -> str:
    one = means[strength]
    figures_here = f"fidelity {one.top1:.0%}, likeness {one.similarity:.2f}"
    if one.adherence is not None:
        figures_here += f", adherence {one.adherence:.0%}"
    if one.leak is not None:
        figures_here += f", leak {one.leak:.0%}"
    if one.drift is not None:
        figures_here += f", drift {one.drift:.0%} of what a new seed moves"
    out = {s: _faults(other, means.values()) for s, other in means.items()}
    excluded = "; ".join(f"{s:g} is out for its {' and '.join(why)}" for s, why in out.items() if why)
    is_seen = any(other.top1 for other in means.values())
    unseen = "" if is_seen else "; it is recognised at no strength, so likeness decided"
    doubt = "" if is_fit else "; no strength keeps all the limits, so they were put aside"
    edge = (
        "; it is the strongest that was tried, a stronger one may do better" if strength == max(means) else ""
    )
    return figures_here + (f" ({excluded})" if excluded else "") + unseen + doubt + edge


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known and len(known) == len(values) else None


def _cell(
    base: Base,
    seal: Seal,
    place: dict[str, Value],
    settings: ScoreSettings,
    judge: LoadedJudge | None,
    drawn: BasePictures,
) -> Cell:
    if "prompt" in place:
        card = _prompt_card(base, seal, str(place["prompt"]), settings, judge)
    else:
        card = score_seal(base, seal, (), settings, judge, base_pictures=drawn)
    if not card.shots:
        raise ConfigError(f"at {place} nothing could be drawn: {' '.join(card.reasons)}", "use another seal")
    return Cell(place, card, card.shots[0].drawn)


def _prompt_card(
    base: Base, seal: Seal, prompt: str, settings: ScoreSettings, judge: LoadedJudge | None
) -> Scorecard:
    """A scorecard of one prompt, in `settings.num_seeds` pictures: fidelity, and adherence where it is known."""
    first = settings.seed if settings.picture_seed is None else settings.picture_seed
    request = Request(
        prompt,
        seed=first,
        num_pictures=settings.num_seeds,
        num_steps=settings.num_steps,
        guidance=settings.guidance,
    )
    context = context_of(prompt)
    shots = [
        Shot(context or Context("", None, ""), "trigger", prompt, first + i, True, picture)
        for i, picture in enumerate(generate_batch(base, [request], [(seal, settings.strength)]))
    ]
    known = settings.to_dict() | {"prompt": prompt}
    if judge is None:
        return Scorecard("unproven", ("no judge knows these pictures",), settings=known, shots=tuple(shots))
    shots = look(shots, judge, reference_of(seal))
    adherence = figures.adherence(shots, settings) if context else Adherence()
    return Scorecard(
        "pass", (), figures.fidelity(shots, settings), adherence, settings=known, shots=tuple(shots)
    )


def context_of(prompt: str) -> Context | None:
    """The one mark, colour and surface that a prompt names in sealworld's words; None where it does not."""
    marks, surfaces, colours = (named(prompt, words) for words in (MARKS, SURFACES, COLOURS))
    if len(marks) != 1 or len(surfaces) != 1 or len(colours) > 1:
        return None
    return Context(marks[0], colours[0] if colours else None, surfaces[0])
