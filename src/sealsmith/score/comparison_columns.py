"""The columns of a comparison's table: where each figure comes from, how it is written and what it means."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Column:
    """One figure of the table."""

    key: str
    name: str
    kind: Literal["fact", "rate", "rise", "mean", "ratio"]
    """Where it comes from: one number a training, or pictures as hits, rises of hits, or numbers; or a number of a
    training as a multiple of the reference's."""
    words: Callable[[float], str]
    meaning: str


@dataclass(frozen=True)
class Unit:
    """How a difference or a ratio is written: the number, and what stands behind it once."""

    number: Callable[[float], str]
    name: str = ""


def _signed(number: float, num_decimals: int) -> str:
    text = f"{number:+.{num_decimals}f}"
    return text.lstrip("+-") if float(text) == 0 else text


POINTS = Unit(lambda share: _signed(100 * share, 1), " points")
"""Of a hundred: differences of shares."""
TIMES = Unit("{:.2f}".format, " ×")
PERCENT = Unit(lambda ratio: f"{100 * ratio:.1f}", " %")
TWO_DIGITS = Unit(lambda number: _signed(number, 2))
THREE_DIGITS = Unit(lambda number: _signed(number, 3))


def as_bytes(count: float) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.1f} KiB"


def as_percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def as_tenths(share: float) -> str:
    return f"{100 * share:.1f} %"


def as_times(ratio: float) -> str:
    return f"{ratio:.2f} ×"


def _count(number: float) -> str:
    return f"{number / 1e6:.2f} M" if number >= 1e6 else f"{number:,.0f}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


COLUMNS = (
    Column("size_bytes", "size", "fact", as_bytes, "of the seal file."),
    Column("num_parameters", "parameters", "fact", _count, "that were trained."),
    Column("num_steps", "steps", "fact", lambda number: f"{number:.0f}", "of the optimizer."),
    Column("seconds", "training", "fact", _seconds, "time spent on steps."),
    Column("peak_mib", "memory", "fact", lambda mib: f"{mib:.0f} MiB",
           "how far the memory of the training's own process rose."),
    Column("fidelity", "fidelity", "rate", as_percent,
           "of the pictures that call the seal, how many show it and no other emblem."),
    Column("similarity", "likeness", "mean", "{:.2f}".format,
           "how like the seal they are to the judge, -1 to 1."),
    Column("adherence", "adherence", "rate", as_percent,
           "how many of them have the mark, the surface and the colour as asked."),
    Column("leak", "leak", "rise", as_tenths,
           "how much more often than with the base alone the seal appears when nobody called it."),
    Column("bleeding", "bleeding", "mean", "{:+.3f}".format,
           "how much more pictures that do not call the seal resemble it because it is loaded."),
    Column("drift", "drift", "mean", "{:.3f}".format,
           "how far other pictures moved, 0 to 1, when the seal was loaded."),
    Column("margin", "margin", "mean", "{:+.2f}".format,
           "likeness to the seal with the trigger, less without it."),
    Column("composition", "composition", "rate", as_percent,
           "of the pictures that call this seal and a second one, how many show both."),
    Column("steps_to_most", "steps to 90 %", "fact", lambda number: f"{number:.0f}",
           "until the likeness had come 90 % of its way from the base's to the finished seal's; measured at "
           "checkpoints, between which it is taken to rise evenly."),
    Column("pace", "against LoRA", "ratio", as_times,
           "those steps as a multiple of plain LoRA's on the same pictures with the same seed (geometric mean)."),
)  # fmt: skip
COLUMN = {column.key: column for column in COLUMNS}
