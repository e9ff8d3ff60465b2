"""A scorecard's figures in plain words: one line each, for tables and pages alike."""

from dataclasses import dataclass

from .scorecard import Scorecard
from .statistics import Interval

MISSING = "not measured"


@dataclass(frozen=True)
class Reading:
    """One figure for people."""

    key: str
    """Which figure: "fidelity", "leak", ..."""
    name: str
    value: str
    meaning: str
    """What it says, whatever the figure is."""
    share: float | None = None
    """Where the figure stands on a line from 0 to 1; None where it was not measured."""
    interval: Interval | None = None
    """95 % interval, on the same line."""
    wanted: str = "high"
    """"high", "low" or "one": where on the line a good seal stands."""

    @property
    def interval_words(self) -> str:
        """Both ends of the interval, written as the value is: in percent, or with as many decimals."""
        if self.interval is None:
            return ""
        decimals = len(self.value.rstrip("×").partition(".")[2])
        form = ".0%" if self.value.endswith("%") else f".{decimals}f"
        return " – ".join(f"{end:{form}}" for end in self.interval)


def readings(card: Scorecard) -> list[Reading]:
    """Every figure of a scorecard in the order people ask for them."""
    fidelity, adherence, leak = card.fidelity, card.adherence, card.leak
    drift, margin, bleeding = card.drift, card.margin, card.bleeding
    rivals = card.settings.get("num_distractors", "many")
    likeness = (
        "" if fidelity.similarity is None else f" Likeness to the reference: {fidelity.similarity:.2f}."
    )
    shares = {"mark": adherence.mark, "surface": adherence.surface, "colour": adherence.colour}
    parts = [f"{name} {_percent(share)}" for name, share in shares.items() if share is not None]
    return [
        Reading(
            "fidelity", "Fidelity", _percent(fidelity.top1),
            f"Of the pictures that call the seal, how many show this emblem and not one of {rivals} others."
            + likeness,
            fidelity.top1, fidelity.ci,
        ),
        Reading(
            "adherence", "Adherence", _percent(adherence.all),
            "How many of them also have the mark, the colour and the surface the prompt asked for"
            + (f": {', '.join(parts)}." if parts else "."),
            adherence.all, adherence.ci,
        ),
        Reading(
            "leak", "Leak", _percent(leak.rate),
            "How often the seal turns up although nobody called it, beyond what the base does by itself.",
            leak.rate, leak.ci, "low",
        ),
        Reading(
            "bleeding", "Bleeding", _number(bleeding.value, "+.3f"),
            "How much more pictures that do not call the seal resemble it because it is loaded.",
            bleeding.value, bleeding.ci, "low",
        ),
        Reading(
            "margin", "Trigger margin", _number(margin.value, "+.2f"),
            "How much more a picture resembles the seal because the trigger was written.",
            margin.value, margin.ci,
        ),
        Reading(
            "drift", "Drift", _number(drift.value, ".3f"),
            "How far other pictures moved when the seal was loaded (0: not at all)."
            + (f" A new seed moves them {drift.noise_floor:.3f}." if drift.noise_floor is not None else ""),
            _ratio(drift.value, drift.noise_floor), None, "low",
        ),
        Reading(
            "diversity", "Diversity", _number(card.diversity, ".2f×"),
            "How different the seal's pictures are from seed to seed, against the base's own. "
            "Near 0 it would have memorised one picture.",
            card.diversity, None, "one",
        ),
    ]  # fmt: skip


def _percent(share: float | None) -> str:
    return MISSING if share is None else f"{share:.0%}"


def _number(value: float | None, form: str) -> str:
    if value is None:
        return MISSING
    return f"{value:{form.removesuffix('×')}}" + "×" * form.endswith("×")


def _ratio(value: float | None, floor: float | None) -> float | None:
    return value / floor if value is not None and floor else None
