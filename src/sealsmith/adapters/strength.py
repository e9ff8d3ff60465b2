"""How strongly a seal acts on a picture: as a whole, by component, by block, and over the steps.

The text form is the one of A1111's prompts, `te:unet:...:key=value`, as its LoRA Block Weight and Dynamic Lora
Weights extensions and SD.Next write it. Not for: tags in prompts (generate/seal_syntax.py) or what the blocks are
(blocks.py).
"""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

from ..errors import ConfigError
from .blocks import (
    PRESETS,
    TEXT_PREFIX,
    BlockWeights,
    FluxLayout,
    Layout,
    check_block_weights,
    parse_block_weights,
    side,
    uniform_weight,
)

MAX_DIGITS = 9
"""Of a number of steps or rows: no picture and no change has more of them, and floats can say each."""


@dataclass(frozen=True)
class Curve:
    """A strength over the steps: straight lines between points (position, strength), flat before and behind them.

    Positions rise. They are fractions of the way from the first step (0) to the last (1), or, when the last one is
    above 1, steps counted from 0. A single point is a constant and stands at 0.
    """

    points: tuple[tuple[float, float], ...]

    @property
    def is_constant(self) -> bool:
        return len({strength for _, strength in self.points}) == 1

    def at(self, step: int, num_steps: int) -> float:
        """The strength in `step` of 0..num_steps-1."""
        in_steps = self.points[-1][0] > 1
        place = step if in_steps else step / (num_steps - 1) if num_steps > 1 else 0.0
        before = [point for point in self.points if point[0] <= place]
        behind = [point for point in self.points if point[0] > place]
        if not before or not behind:
            return (before[-1:] or behind[:1])[0][1]
        (start, low), (stop, high) = before[-1], behind[0]
        return low + (high - low) * ((place - start) / (stop - start))


@dataclass(frozen=True)
class Moment:
    """A point in time: after so many steps, or after a fraction of them."""

    value: float
    unit: Literal["steps", "fraction"]

    def step(self, num_steps: int) -> int:
        """How many steps lie before it; halves count up."""
        return math.floor(self.value * num_steps + 0.5) if self.unit == "fraction" else int(self.value)


@dataclass(frozen=True)
class Strength:
    """How strongly a seal acts. `factor` says it for one layer and step; the seal's own scale is not in it.

    Text encoders run once a prompt, before the first step: they take a curve's first value, and start and stop
    leave them alone, as in the LoRA Block Weight extension.
    """

    te: Curve = Curve(((0.0, 1.0),))
    """Of the text encoders, and of all that is not named below."""
    unet: Curve | None = None
    """Of the U-Net or transformer; None: as `te`."""
    te2: Curve | None = None
    """Of the second text encoder; None: as `te`."""
    ins: Curve | None = None
    """Of the U-Net's down blocks, in place of `unet`; likewise `mid` and `out`."""
    mid: Curve | None = None
    out: Curve | None = None
    start: Moment | None = None
    """The U-Net is without the seal before this moment, `stop`: from this moment on."""
    stop: Moment | None = None
    lbw: str = ""
    """Block weights as they were written; they multiply."""
    lbwe: str = ""
    dyn: int | None = None
    """Only the first rows of each low-rank change count, as many as this (DyLoRA). Not part of `factor`."""
    blocks: BlockWeights | None = None
    """What `lbw` and `lbwe` mean on one base, once `on` was asked."""

    def __float__(self) -> float:
        """The number to show for it: the U-Net's strength where it is furthest from 0."""
        return max((strength for _, strength in (self.unet or self.te).points), key=abs)

    @property
    def number(self) -> float | None:
        """The one number that says it all; None where components, blocks or steps differ."""
        return float(self) if self == constant(float(self)) else None

    @property
    def is_constant(self) -> bool:
        """Whether every layer has the same factor in all steps."""
        curves = (self.unet or self.te, self.ins, self.mid, self.out)
        return not self.start and not self.stop and all(curve.is_constant for curve in curves if curve)

    def on(self, layout: Layout) -> "Strength":
        """The same strength with its block weights read for one base's layout.

        Raises: ConfigError for block weights the base has no blocks for, in=, mid= or out= without a U-Net.
        """
        if isinstance(layout, FluxLayout) and (self.ins or self.mid or self.out):
            raise _sides_error()
        if not self.lbw and not self.lbwe:
            return self
        return replace(self, blocks=parse_block_weights(self.lbw, self.lbwe, layout))

    def factor(self, path: str, step: int, num_steps: int) -> float:
        """What to multiply a layer's change with in `step` of 0..num_steps-1.

        `path` is the layer's canonical path, e.g. "unet.mid_block.attentions.0.proj_in".
        Raises: ConfigError for block weights that mean nothing for the path; those that differ from base to base
        (presets, lists of unusual length) need `on` first.
        """
        assert 0 <= step < num_steps
        weight = self._block_weight(path)
        component = path.partition(".")[0]
        if component.startswith(TEXT_PREFIX):
            curve = self.te2 if component == "text_encoder_2" and self.te2 else self.te
            return weight * curve.at(0, num_steps)
        if not self._is_on(step, num_steps):
            return 0.0
        return weight * self._denoiser_curve(path).at(step, num_steps)

    def _block_weight(self, path: str) -> float:
        if self.blocks is not None:
            return self.blocks.weight(path)
        uniform = None if self.lbwe else uniform_weight(self.lbw)
        return parse_block_weights(self.lbw, self.lbwe).weight(path) if uniform is None else uniform

    def _is_on(self, step: int, num_steps: int) -> bool:
        first = self.start.step(num_steps) if self.start else 0
        return first <= step < (self.stop.step(num_steps) if self.stop else num_steps)

    def _denoiser_curve(self, path: str) -> Curve:
        third = side(path)
        if third is None and (self.ins or self.mid or self.out):
            raise _sides_error()
        own = {"in": self.ins, "mid": self.mid, "out": self.out}[third] if third else None
        return own or self.unet or self.te


def constant(value: float) -> Strength:
    """The same strength for every layer and step."""
    return Strength(Curve(((0.0, float(value)),)))


def parse_strength(text: str) -> Strength:
    """The strength that `0.8:lbw=MIDALL:stop=0.5` means; empty: 1 everywhere.

    Without names come the text encoders' strength, then the U-Net's (the same if not given), then dyn; one of
    them may be a list or preset of block weights instead. By name: te, te2, unet, in, mid, out, dyn, lbw (or w),
    lbwe, start, stop, step=start-stop. A strength may change over the steps: `0.8@0,0.2@1`. start and stop are
    whole numbers of steps, or fractions of all steps written with a point.
    Differs: the extension's old form counts steps from 1 on A1111 and from 0 on Forge; here, as on Forge, stop=10
    leaves the seal on for 10 steps.
    Raises: ConfigError naming the part that is wrong.
    """
    named: dict[str, str] = {}
    free: list[str] = []
    for part in text.split(":") if text.strip() else []:
        key, equals, value = (word.strip() for word in part.partition("="))
        if not equals:
            free.append(key)
            continue
        _name(named, _known_key(key.lower()), value)
    for value in [word for word in free if _is_block_list(word)]:
        _name(named, "lbw", value)
    plain = [word for word in free if not _is_block_list(word)]
    if len(plain) > 3:
        raise ConfigError(f"{text!r} has {len(plain)} numbers without a name", "at most te:unet:dyn")
    for key, value in zip(("te", "unet", "dyn"), plain, strict=False):
        named.setdefault(key, value)
    return _strength(named)


def dump_strength(strength: Strength) -> str:
    """The shortest text that `parse_strength` reads as the same strength."""
    parts = [dump_curve(strength.te)]
    for key, value in _values(strength).items():
        if isinstance(value, Curve):
            parts.append(f"{key}={dump_curve(value)}")
        elif isinstance(value, Moment):
            parts.append(f"{key}={_dump_moment(value)}")
        else:
            parts.append(f"{key}={value}")
    return ":".join(parts)


def parse_curve(text: str) -> Curve:
    """The curve of `0.8` or `0.8@0,0.2@1`; a point without a position stands at 1. Raises: ConfigError."""
    points = []
    pieces = re.split("[,;]", text)
    for piece in pieces:
        strength, at, position = re.sub("~", "@", piece).partition("@")
        points.append((_number(position, text) if at else 1.0, _number(strength, text)))
    if len(points) == 1:
        return Curve(((0.0, points[0][1]),))
    points.sort()
    if points[0][0] < 0 or len({position for position, _ in points}) < len(points):
        raise ConfigError(
            f"the strength {text!r} has a moment twice, or one before the first step",
            "give each point its own moment from 0 to 1, as in 0.8@0,0.2@1",
        )
    return Curve(tuple(points))


def dump_curve(curve: Curve) -> str:
    if len(curve.points) == 1:
        return _dump_number(curve.points[0][1])
    return ",".join(f"{_dump_number(strength)}@{_dump_number(place)}" for place, strength in curve.points)


_FIELD = {"ins": "in"}
_KEYS = ("te", "te2", "unet", "in", "mid", "out", "dyn", "lbw", "w", "lbwe", "start", "stop", "step")


def _values(strength: Strength) -> dict[str, Curve | Moment | int | str]:
    """What is not as in a strength of one number, by its name in the text."""
    return {
        _FIELD.get(field.name, field.name): value
        for field in fields(strength)
        if field.name not in ("te", "blocks") and (value := getattr(strength, field.name)) not in (None, "")
    }


def _strength(named: Mapping[str, str]) -> Strength:
    curves = {
        key: parse_curve(named[key]) for key in ("te", "unet", "te2", "in", "mid", "out") if key in named
    }
    start, stop = _window(named)
    lbw, lbwe = named.get("lbw", ""), named.get("lbwe", "")
    check_block_weights(lbw, lbwe)
    return Strength(
        curves.get("te", Strength.te), curves.get("unet"), curves.get("te2"),
        curves.get("in"), curves.get("mid"), curves.get("out"),
        start, stop, lbw, lbwe, _rows(named.get("dyn", "0")),
    )  # fmt: skip


def _window(named: Mapping[str, str]) -> tuple[Moment | None, Moment | None]:
    named = dict(named)
    if "step" in named:
        first, dash, last = named["step"].partition("-")
        if not dash or "start" in named or "stop" in named:
            raise ConfigError(
                f"step={named['step']} is no pair of moments on its own",
                "write step=5-10, or start= and stop=",
            )
        named["start"], named["stop"] = first, last
    start, stop = (_parse_moment(key, named[key]) if key in named else None for key in ("start", "stop"))
    if start and stop and start.unit == stop.unit and start.value >= stop.value:
        raise ConfigError(
            f"the seal would start at {_dump_moment(start)} and stop at {_dump_moment(stop)}: it never acts",
            "give a start before the stop",
        )
    return start, stop


def _parse_moment(key: str, text: str) -> Moment:
    text = text.strip()
    steps = _whole(text)
    if steps is not None:
        return Moment(float(steps), "steps")
    value = _number(text, f"{key}={text}")
    if not 0 <= value <= 1:
        raise ConfigError(
            f"{key}={text} is no moment", "give whole steps, as 10, or a fraction of all steps, as 0.5"
        )
    return Moment(value, "fraction")


def _dump_moment(moment: Moment) -> str:
    return str(int(moment.value)) if moment.unit == "steps" else repr(float(moment.value))


def _rows(text: str) -> int | None:
    rows = _whole(text)
    if rows is None:
        raise ConfigError(f"dyn={text} is no number of rows", "give a whole number, or leave it out")
    return rows or None


def _whole(text: str) -> int | None:
    """The whole number that digits stand for; None for any other text, and for more than `MAX_DIGITS`."""
    digits = text.lstrip("0") or "0"
    is_whole = text.isdecimal() and text.isascii() and len(digits) <= MAX_DIGITS
    return int(digits) if is_whole else None


def _number(text: str, whole: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ConfigError(
            f"{text.strip()!r} in {whole!r} is no finite number", "give a number, mostly 0 to 1"
        )
    return value


def _dump_number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def _is_block_list(word: str) -> bool:
    """Whether a part without a name is block weights, as the extension's first versions had them."""
    return word.upper() in PRESETS or ("," in word and "@" not in word and "~" not in word)


def _known_key(key: str) -> str:
    if key not in _KEYS:
        close: Sequence[str] = difflib.get_close_matches(key, _KEYS, n=1) or _KEYS
        raise ConfigError(f"a strength has no {key!r}", f"it has {', '.join(close)}")
    return "lbw" if key == "w" else key


def _name(named: dict[str, str], key: str, value: str) -> None:
    if key in named:
        raise ConfigError(f"the strength names {key} twice: {named[key]!r} and {value!r}", "give it once")
    if not value:
        raise ConfigError(f"the strength has {key}= without a value", "give one, or leave it out")
    named[key] = value


def _sides_error() -> ConfigError:
    return ConfigError(
        "in=, mid= and out= are parts of a U-Net, this base is a transformer",
        "give block weights, as lbw= and 61 numbers, or one strength",
    )
