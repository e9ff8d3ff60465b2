"""The scorecard as a value: what was measured about one seal, and the verdict.

A figure that could not be measured is None, and `reasons` says why; nothing is ever filled in.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .statistics import Interval

if TYPE_CHECKING:
    from .measure import Shot


@dataclass(frozen=True)
class Fidelity:
    """Is it this seal? Over all pictures with the trigger."""

    top1: float | None = None
    """Share whose nearest among the seal's reference and the judge's distractors is the seal."""
    similarity: float | None = None
    """Mean cosine to the reference, -1..1."""
    ci: Interval | None = None
    """95 % interval of `top1`."""


@dataclass(frozen=True)
class Adherence:
    """Is the rest of the prompt there? Shares of the pictures with the trigger."""

    mark: float | None = None
    surface: float | None = None
    colour: float | None = None
    """Over the pictures whose mark has a colour of its own."""
    all: float | None = None
    ci: Interval | None = None
    """95 % interval of `all`."""


@dataclass(frozen=True)
class Leak:
    """How much more often than with the base alone the seal appears when its trigger is not written."""

    rate: float | None = None
    ci: Interval | None = None


@dataclass(frozen=True)
class Bleeding:
    """How much more pictures that do not call the seal resemble it than the base's own, same prompts and seeds.

    The leak's continuous side: it shows before a picture counts as the seal.
    """

    value: float | None = None
    """Mean rise of the cosine to the reference; 0: the seal left them alone, below 0: they resemble it less."""
    ci: Interval | None = None


@dataclass(frozen=True)
class Drift:
    """How far unrelated prompts moved from the base, same seeds: mean absolute pixel difference, 0..1."""

    value: float | None = None
    """0: the seal left them alone."""
    noise_floor: float | None = None
    """The same distance between two pictures of the base itself, of one prompt, from different seeds."""


@dataclass(frozen=True)
class Margin:
    """Similarity with the trigger minus similarity without, same prompts and seeds, seal loaded in both."""

    value: float | None = None
    ci: Interval | None = None


Verdict = Literal["pass", "fail", "unproven"]


@dataclass(frozen=True)
class Scorecard:
    """The measured verdict on a seal."""

    verdict: Verdict
    """"unproven": nothing is wrong with the seal, and whether it is learned could not be measured."""
    reasons: tuple[str, ...] = ()
    """Why it failed, and what could not be measured; sentences."""
    fidelity: Fidelity = Fidelity()
    adherence: Adherence = Adherence()
    leak: Leak = Leak()
    drift: Drift = Drift()
    margin: Margin = Margin()
    diversity: float | None = None
    """Distance among pictures of one prompt, over the base's own `noise_floor`; 0: always one picture."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    shots: "tuple[Shot, ...]" = field(default=(), compare=False, repr=False)
    """The pictures it was measured on; not part of `to_dict`."""
    bleeding: Bleeding = Bleeding()

    @property
    def has_passed(self) -> bool:
        return self.verdict == "pass"

    @property
    def merit(self) -> float:
        """One number to choose among a training's checkpoints by: higher is better.

        Similarity to the seal, plus adherence at a quarter of its weight, less the leak at half. Without a
        judge only the drift is known, and less of it is better.
        """
        if self.fidelity.similarity is None:
            return -(self.drift.value or 0.0)
        return self.fidelity.similarity + 0.25 * (self.adherence.all or 0.0) - 0.5 * (self.leak.rate or 0.0)

    def to_dict(self) -> dict[str, Any]:
        """The object `score --json` prints: numbers to four places, intervals as [low, high]."""
        return {
            "fidelity": _plain(asdict(self.fidelity)),
            "adherence": _plain(asdict(self.adherence)),
            "leak": _plain(asdict(self.leak)),
            "bleeding": _plain(asdict(self.bleeding)),
            "drift": _plain(asdict(self.drift)),
            "margin": _plain(asdict(self.margin)),
            "diversity": _plain(self.diversity),
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "settings": _plain(dict(self.settings)),
        }


def _plain(value: Any) -> Any:
    """`value` as JSON has it, its numbers rounded to what sixteen pictures can say."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
