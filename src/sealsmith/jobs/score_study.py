"""The job `score`: a seal's scorecard, as `sealsmith score` measures it, and pictures before and after.

Where the seal is the tenant's own, the catalog's scorecard of it becomes this one, in the transaction that ends the
job. An attempt that is interrupted is made anew: the same numbers come of it.
"""

from ..generate import Picture, Request
from ..score import ScoreSettings, judge_of, score_seal
from ..score.contrasts import Contrast, contrasts
from ..train.progress import Counted
from .opening import opened_base, opened_seal
from .payload import parse_payload
from .study_files import picture_file
from .study_payload import NAMES, ScorePayload
from .values import NewScorecard, Outcome
from .work import Work

NUM_PAIRS = 4
"""Prompts shown before and after."""


def run(work: Work) -> Outcome:
    """Scores the seal. Raises: what opening it and scoring it raise; ConfigError, SealMissingError."""
    payload = parse_payload(work.job.payload, ScorePayload, NAMES[work.job.kind])
    [use] = payload.seals
    opened = opened_seal(work, use)
    base = opened_base(work, payload.base)
    settings = ScoreSettings.whole(payload.num_prompts, payload.num_seeds, num_steps=payload.num_steps)
    drawn: dict[Request, Picture] = {}
    card = score_seal(
        base,
        opened.seal,
        (),
        settings,
        judge_of(base.family),
        Counted("scorecard", work.progress),
        drawn,
    )
    shown = contrasts(
        base, opened.seal, card, settings, NUM_PAIRS, drawn, Counted("before and after", work.progress)
    )
    record = opened.record
    return Outcome(
        result={"scorecard": card.to_dict(), "pairs": [_told(n, one) for n, one in enumerate(shown, 1)]},
        artefacts=tuple(
            picture_file(_name(side, n), picture)
            for n, one in enumerate(shown, 1)
            for side, picture in (("before", one.before), ("after", one.after))
        ),
        scorecards=(NewScorecard(record.digest, record.base_digest, card.to_dict()),),
    )


def _told(number: int, one: Contrast) -> dict[str, object]:
    return {
        "prompt": one.prompt,
        "seed": one.seed,
        "before": _name("before", number),
        "after": _name("after", number),
    }


def _name(side: str, number: int) -> str:
    return f"{side}-{number}.png"
