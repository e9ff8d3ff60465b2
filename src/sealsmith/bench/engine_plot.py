"""The engine suite as a picture: pictures a second of every arm, and how long requests wait.

Not for: measuring. A plot shows what it is given.
"""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from .engine_figures import CEILING, OURS
from .engine_report import EngineReport
from .training_plot import FINER, INK, PAPER, RULE, SOFT

WIDTH_PX, BAR_PX, HEAD_PX, GAP_PX = 960, 26, 40, 24
LEFT_PX, RIGHT_PX = 130, 150
COLOURS = {OURS: (168, 32, 26), CEILING: (210, 150, 146)}
PEER = (150, 150, 158)

Bar = tuple[str, float, float, float, str]
"""Arm, length of its bar, both ends of its whisker, and the words behind it."""


def engine_plot(report: EngineReport) -> Image.Image:
    """Two lists of bars: pace with the slowest and fastest round, and the median wait with its p95."""
    first = report.workloads[0]
    paces: list[Bar] = [
        (name, arm.median, *arm.spread, f"{arm.median:.3g} pictures a second")
        for name, arm in first.arms.items()
    ]
    waits: list[Bar] = []
    for name, arm in first.arms.items():
        p50, p95 = arm.latencies.p50, arm.latencies.p95
        if p50 is not None and p95 is not None:
            waits.append((name, p50, p50, p95, f"{p50:.2f} s, p95 {p95:.2f} s"))
    parts = [(f"{first.workload.name}: pictures a second", paces)]
    if waits:
        parts.append((f"Seconds to a picture, {first.workload.num_requests} requests at once", waits))
    height = sum(HEAD_PX + len(bars) * BAR_PX + GAP_PX for _, bars in parts)
    picture = Image.new("RGB", (WIDTH_PX * FINER, height * FINER), PAPER)
    top = 0
    for title, bars in parts:
        _draw_bars(ImageDraw.Draw(picture), title, bars, top)
        top += HEAD_PX + len(bars) * BAR_PX + GAP_PX
    return picture.resize((WIDTH_PX, height), Image.Resampling.LANCZOS)


def _draw_bars(draw: ImageDraw.ImageDraw, title: str, bars: Sequence[Bar], top: int) -> None:
    """A title and its bars, from `top` on."""
    font = ImageFont.load_default(12 * FINER)
    longest = max(high for _, _, _, high, _ in bars)
    draw.text((LEFT_PX * FINER, (top + 12) * FINER), title, INK, ImageFont.load_default(14 * FINER))

    def x(value: float) -> float:
        return (LEFT_PX + (WIDTH_PX - LEFT_PX - RIGHT_PX) * value / longest) * FINER

    draw.line(
        (x(0), (top + HEAD_PX) * FINER, x(0), (top + HEAD_PX + len(bars) * BAR_PX) * FINER), RULE, FINER
    )
    for number, (name, value, low, high, words) in enumerate(bars):
        y = top + HEAD_PX + number * BAR_PX
        middle = (y + BAR_PX // 2 - 2) * FINER
        draw.text(((LEFT_PX - 8) * FINER, middle), name, INK, font, anchor="rm")
        draw.rectangle((x(0), (y + 2) * FINER, x(value), (y + BAR_PX - 6) * FINER), COLOURS.get(name, PEER))
        draw.line((x(low), middle, x(high), middle), INK, FINER)
        draw.text((x(max(value, high)) + 6 * FINER, middle), words, SOFT, font, anchor="lm")
