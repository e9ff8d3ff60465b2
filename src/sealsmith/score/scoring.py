"""From a base and a seal to its scorecard: the whole measurement on one screen."""

from collections.abc import Sequence
from typing import Any

from PIL import Image
from torch import Tensor

from ..adapters import Seal, check_base
from ..bases import Base
from . import figures
from .judge import LoadedJudge
from .measure import BasePictures, ScoreProgress, Shot, draw_shots, look, reference_embedding
from .prompts import with_class_noun
from .record import contexts_trained, reference_of
from .scorecard import Adherence, Bleeding, Fidelity, Leak, Margin, Scorecard, Verdict
from .settings import ScoreSettings
from .verdict import figure_reasons, weight_reasons

NO_JUDGE = (
    "Fidelity, adherence, leak and margin could not be measured, because no judge knows the pictures "
    "of this base. Drift and diversity were."
)
NO_TRIGGER = (
    "The file names no trigger, so the seal was called by its class noun alone: the margin of a trigger could not "
    "be measured, and the leak is that into other emblems."
)


def score_seal(
    base: Base,
    seal: Seal,
    reference_pictures: Sequence[Image.Image],
    settings: ScoreSettings | None = None,
    judge: LoadedJudge | None = None,
    progress: ScoreProgress | None = None,
    base_pictures: BasePictures | None = None,
) -> Scorecard:
    """The scorecard of a seal on its base; the same numbers for the same arguments.

    `reference_pictures` show what the seal should look like; when there are none, the reference recorded in
    the seal file is used. Without a `judge` only drift and diversity are measured, and `reasons` says so. A file
    that names no class noun is called by the family's; one that names no trigger, by the noun alone.
    `base_pictures` keeps the base's own pictures from one call to the next, for scoring several checkpoints.
    Raises: PictureSetError when neither pictures nor a recorded reference say what the seal looks like;
    BaseMismatchError when the seal is for another base.
    """
    seal = with_class_noun(seal, base.family)
    check_base(base, seal)  # before its weights are judged: a foreign seal changes nothing here
    settings = (settings or ScoreSettings()).for_family(base.family)
    reference = _reference(seal, reference_pictures, judge) if judge else None
    broken = weight_reasons(base, seal)
    if broken:
        return Scorecard("fail", tuple(broken), settings=settings.to_dict() | _identity(base, seal))
    shots = draw_shots(base, seal, settings, {} if base_pictures is None else base_pictures, progress)
    known = settings.to_dict() | _identity(base, seal) | _seen(shots, seal)
    if judge is None or reference is None:
        return _summary(shots, (NO_JUDGE,), known, "unproven")
    shots = look(shots, judge, reference)
    fidelity = figures.fidelity(shots, settings)
    margin = figures.margin(shots, settings)
    rates = figures.leak_rates(shots)
    known |= {"leak_rate_with_seal": rates[0], "leak_rate_base": rates[1]} if rates else {}
    reasons = figure_reasons(fidelity, margin)
    unmeasured = () if seal.header.trigger else (NO_TRIGGER,)
    return _summary(
        shots,
        (*reasons, *unmeasured),
        known | {"num_distractors": len(judge.distractors)},
        "fail" if reasons else "pass",
        fidelity,
        figures.adherence(shots, settings),
        figures.leak(shots, settings),
        margin,
        figures.bleeding(shots, settings),
    )


def _summary(
    shots: list[Shot],
    reasons: tuple[str, ...],
    known: dict[str, Any],
    verdict: Verdict,
    fidelity: Fidelity = Fidelity(),  # noqa: B008 - frozen values, safe to share
    adherence: Adherence = Adherence(),  # noqa: B008
    leak: Leak = Leak(),  # noqa: B008
    margin: Margin = Margin(),  # noqa: B008
    bleeding: Bleeding = Bleeding(),  # noqa: B008
) -> Scorecard:
    """A scorecard of these parts, completed with what needs no judge."""
    return Scorecard(
        verdict,
        reasons,
        fidelity,
        adherence,
        leak,
        figures.drift(shots),
        margin,
        figures.diversity(shots),
        known,
        tuple(shots),
        bleeding,
    )


def _reference(seal: Seal, pictures: Sequence[Image.Image], judge: LoadedJudge) -> Tensor:
    if pictures:
        return reference_embedding(judge, pictures)
    return reference_of(seal)


def _identity(base: Base, seal: Seal) -> dict[str, Any]:
    header = seal.header
    return {
        "base": base.name,
        "base_digest": base.digest,
        "trigger": header.trigger,
        "class_noun": header.class_noun,
    }


def _seen(shots: list[Shot], seal: Seal) -> dict[str, Any]:
    """What is known of the contexts the seal was trained in, and how many prompts could not avoid them."""
    trained = contexts_trained(seal.header)
    contexts = {shot.context for shot in shots if shot.subject == "trigger"}
    seen = sum(context.pair in trained for context in contexts)
    return {"num_contexts_trained": len(trained), "num_prompts_seen": seen}
