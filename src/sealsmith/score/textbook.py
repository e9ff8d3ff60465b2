"""What is commonly said of methods, each claim held against a comparison's figures: a sentence and a verdict.

A claim has a bar. It holds when the whole interval is on the right side of it, does not hold when the whole
interval is on the other, and is not settled in between. All that is said follows from figures, however they fall.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .cells import Cell
from .comparison import Comparison, Measured
from .comparison_columns import COLUMN, PERCENT, POINTS, THREE_DIGITS, TIMES, Unit, as_bytes, as_percent
from .learning import MOST
from .paired import Paired, paired_difference, paired_pace, paired_ratio
from .statistics import Interval

Verdict = Literal["holds", "does not hold", "not settled", "not measured"]


@dataclass(frozen=True)
class Claim:
    """One claim and what became of it."""

    says: str
    verdict: Verdict
    found: str
    """The figures, in a sentence."""


@dataclass(frozen=True)
class Bar:
    """Where a figure has to be for a claim to hold: from `low` to `high`, or strictly between them."""

    low: float = -math.inf
    high: float = math.inf
    is_strict: bool = False

    def verdict(self, ci: Interval) -> Verdict:
        low, high = ci
        if self.is_strict:
            inside, outside = self.low < low and high < self.high, high <= self.low or low >= self.high
        else:
            inside, outside = self.low <= low and high <= self.high, high < self.low or low > self.high
        return "holds" if inside else "does not hold" if outside else "not settled"


MORE, LESS = Bar(low=0, is_strict=True), Bar(high=0, is_strict=True)
SLOWER, FASTER = Bar(low=1, is_strict=True), Bar(high=1, is_strict=True)
FEW_KILOBYTES, FEW_MEGABYTES = 10 * 2**10, 5 * 2**20
LEAST_FIDELITY = 0.1
"""Two methods that show the seal more seldom than this are equally good at nothing."""
SURE = ("size_bytes", "num_parameters")
"""Figures that chance has no part in: one pair is enough."""
WHOLE = 0.95
"""Of the denoiser's parameters: so many are all but those no seal file has a place for."""

Asked = Callable[[Comparison], Claim | None]
"""A claim about some methods; None where the comparison has not all of them."""


def claims(comparison: Comparison) -> list[Claim]:
    """Every claim that is about methods the comparison has."""
    return [claim for ask in CLAIMS if (claim := ask(comparison)) is not None]


def interval_words(found: Paired, unit: Unit) -> str:
    """ "-2.1 points (-5.0 to +1.2, 15 pairs)" """
    pairs = "1 pair" if found.num_pairs == 1 else f"{found.num_pairs} pairs"
    low, high = map(unit.number, found.ci)
    return f"{unit.number(found.value)}{unit.name} ({low} to {high}, {pairs})"


def figure(says: str, method: str, key: str, bar: Bar) -> Asked:
    """A claim about one figure of one method."""

    def ask(comparison: Comparison) -> Claim | None:
        if (found := _measured(comparison, method, key)) is None:
            return None
        if found.value is None or found.ci is None:
            return _unknown(says, key, method)
        column = COLUMN[key]
        low, high = map(column.words, found.ci)
        verdict = bar.verdict(found.ci)
        between = f" ({low} to {high})" if low != high else ""
        sentence = f"`{method}`: {column.words(found.value)}{between}{_remark(verdict, bar, found.value)}"
        return Claim(says, verdict, f"{sentence}.")

    return ask


def difference(says: str, key: str, method: str, reference: str, bar: Bar, unit: Unit = POINTS) -> Asked:
    """A claim about how much more of a figure one method has than another, training by training."""
    return _held(says, key, method, reference, bar, unit, paired_difference)


def ratio(says: str, key: str, method: str, reference: str, bar: Bar, unit: Unit = TIMES) -> Asked:
    """A claim about a figure of one method as a multiple of another's, training by training."""
    return _held(says, key, method, reference, bar, unit, paired_ratio)


def _held(
    says: str,
    key: str,
    method: str,
    reference: str,
    bar: Bar,
    unit: Unit,
    paired: Callable[[Sequence[Cell], str, str, str], Paired | None],
) -> Asked:
    def ask(comparison: Comparison) -> Claim | None:
        own, other = _measured(comparison, method, key), _measured(comparison, reference, key)
        if own is None or other is None:
            return None
        found = paired(comparison.cells, key, method, reference)
        if found is None or own.value is None or other.value is None:
            return _unknown(says, key, method, reference)
        shown = COLUMN[key].words
        both = f"`{method}` {shown(own.value)}, `{reference}` {shown(other.value)}"
        sentence = f"{both}: {interval_words(found, unit)}"
        if key == "fidelity" and max(own.value, other.value) < LEAST_FIDELITY:
            return Claim(says, "not settled", f"{sentence}; neither shows the seal, so nothing can be told.")
        if found.num_pairs == 1 and key not in SURE:
            return Claim(says, "not settled", f"{sentence}; one pair settles nothing.")
        verdict = bar.verdict(found.ci)
        return Claim(says, verdict, f"{sentence}{_remark(verdict, bar, found.value)}.")

    return ask


def faster_start(name: str, method: str, reference: str) -> Asked:
    """The claim that a start learns faster than another: by steps to its own end, and to the other's."""
    says = f"{name} learns faster than a gaussian start (steps to {as_percent(MOST)} of the final likeness)"
    own_end = ratio(says, "steps_to_most", method, reference, FASTER)

    def ask(comparison: Comparison) -> Claim | None:
        claim, found = own_end(comparison), paired_pace(comparison.cells, method, reference)
        if claim is None or found is None:
            return claim
        pace, num_never = found
        never = f"; {num_never} never came there and count with their last step" if num_never else ""
        words = interval_words(pace, TIMES)
        return replace(claim, found=f"{claim.found} To the likeness `{reference}` has then: {words}{never}.")

    return ask


def whole_model(comparison: Comparison) -> Claim | None:
    """How much of the denoiser DreamBooth trains, and how large that is in a file."""
    says = "DreamBooth changes the whole model"
    number = _measured(comparison, "dreambooth", "num_parameters")
    size = _measured(comparison, "dreambooth", "size_bytes")
    whole = comparison.settings.get("denoiser_parameters")
    if number is None or size is None:
        return None
    if number.value is None or size.value is None or not whole:
        return _unknown(says, "num_parameters", "dreambooth")
    share = number.value / whole
    found = (
        f"{as_percent(share)} of the denoiser's parameters were trained, and kept in {as_bytes(size.value)}."
    )
    return Claim(says, "holds" if share >= WHOLE else "does not hold", found)


def between(says: str, key: str, low: str, middle: str, high: str) -> Asked:
    """A claim that one method lies between two others."""

    def ask(comparison: Comparison) -> Claim | None:
        above = difference(says, key, middle, low, MORE)(comparison)
        below = difference(says, key, middle, high, LESS)(comparison)
        if above is None or below is None:
            return None
        verdicts = {above.verdict, below.verdict}
        order: Sequence[Verdict] = ("not measured", "does not hold", "not settled", "holds")
        return Claim(says, next(each for each in order if each in verdicts), f"{above.found} {below.found}")

    return ask


def _remark(verdict: Verdict, bar: Bar, value: float) -> str:
    """Where the interval does not settle it, which way the mean points."""
    if verdict != "not settled":
        return ""
    side = "for" if bar.verdict((value, value)) == "holds" else "against"
    return f"; the mean speaks {side} it, the interval leaves it open"


def _unknown(says: str, key: str, *methods: str) -> Claim:
    name = COLUMN[key].name
    return Claim(
        says, "not measured", f"There is no {name} of {' and '.join(f'`{each}`' for each in methods)}."
    )


def _measured(comparison: Comparison, method: str, key: str) -> Measured | None:
    """The figure in the method's row; None when there is no such row."""
    return next((row.figures[key] for row in comparison.rows if row.method == method), None)


CLAIMS: tuple[Asked, ...] = (
    figure("A textual inversion takes a few kilobytes (at most 10 KiB)", "textual-inversion", "size_bytes",
           Bar(high=FEW_KILOBYTES)),
    figure("A LoRA takes a few megabytes or less (at most 5 MiB)", "lora", "size_bytes", Bar(high=FEW_MEGABYTES)),
    whole_model,
    ratio("A LoRA takes at most 5 % of DreamBooth's file", "size_bytes", "lora", "dreambooth", Bar(high=0.05),
          PERCENT),
    ratio("DreamBooth takes longer to train than a LoRA, step for step", "seconds", "dreambooth", "lora", SLOWER),
    difference("A LoRA shows the seal as reliably as DreamBooth, within 5 points", "fidelity", "lora",
               "dreambooth", Bar(low=-0.05)),
    difference("DreamBooth moves other pictures further than a LoRA: it forgets more", "drift", "dreambooth",
               "lora", MORE, THREE_DIGITS),
    difference("A textual inversion is less faithful than a LoRA", "fidelity", "textual-inversion", "lora", LESS),
    between("A hypernetwork lies between textual inversion and LoRA", "fidelity", "textual-inversion",
            "hypernetwork", "lora"),
    difference("Vectors first and a LoRA around them (pivotal) are more faithful than a LoRA alone", "fidelity",
               "pivotal", "lora", MORE),
    difference("DoRA is more faithful than LoRA at the same rank", "fidelity", "dora", "lora", MORE),
    faster_start("PiSSA", "lora:pissa", "lora"),
    faster_start("OLoRA", "lora:olora", "lora"),
    figure("A LoRA leaks into at most 2 % of the pictures that do not call it", "lora", "leak", Bar(high=0.02)),
    figure("Two LoRAs in one picture: both are found in at least 60 %", "lora", "composition", Bar(low=0.6)),
)  # fmt: skip
