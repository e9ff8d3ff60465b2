"""What is asked for when a study is handed in as a job: seals that the tenant may use, and how to look at them.

Checked without the base, the seals, or torch. Not for: what a study does (score_study.py and its likes).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from ..engine.messages import SealAt
from .payload import parse_payload
from .queue import ATTENTION, CONFLICTS, SCORE, SWEEP

NAMES = {SCORE: "scorecard", ATTENTION: "look at attention", SWEEP: "sweep", CONFLICTS: "look at conflicts"}
"""What each kind of study is called in errors."""


class StudyPayload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every study is of."""

    seals: tuple[SealAt, ...]
    base: str = "sealworld"
    """One of the words that the worker has bases for."""
    num_steps: int | None = None
    """Denoising steps; None: the base's own."""

    def to_dict(self) -> dict[str, Any]:
        """As a job's payload."""
        return msgspec.to_builtins(self)


class ScorePayload(StudyPayload, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A scorecard that is wanted, of one seal at one strength."""

    num_prompts: int = 8
    num_seeds: int = 2


class AttentionPayload(StudyPayload, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Maps that are wanted of a prompt's words, before and after seals."""

    prompt: str
    """Without tags."""
    seed: int


class SweepPayload(StudyPayload, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A sweep that is wanted, of one seal."""

    axes: tuple[tuple[str, tuple[float, ...]], ...]
    """One or two, each with its name and values; the second is the rows. As `score.axes.axis_of` takes them."""
    num_prompts: int = 4
    num_seeds: int = 1


class ConflictsPayload(StudyPayload, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A look that is wanted at seals in company."""

    num_prompts: int = 8
    num_seeds: int = 2
    num_search: int = 6


PAYLOADS: Mapping[str, type[StudyPayload]] = {
    SCORE: ScorePayload,
    ATTENTION: AttentionPayload,
    SWEEP: SweepPayload,
    CONFLICTS: ConflictsPayload,
}
"""By the kind of job."""


def parse_study_payload(kind: str, payload: Mapping[str, Any]) -> StudyPayload:
    """The study that a job's payload asks for. Raises: ConfigError naming what is wrong."""
    return parse_payload(payload, PAYLOADS[kind], NAMES[kind])
