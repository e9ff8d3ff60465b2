"""Gain in likeness against seconds of training, one line an arm, as a picture.

Not for: measuring. A plot shows what it is given.
"""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from .learning_curve import Measured

WIDTH_PX, HEIGHT_PX = 960, 480
LEFT_PX, RIGHT_PX, TOP_PX, BOTTOM_PX = 64, 180, 44, 48
FINER = 2
"""Drawn so many times larger, then made smaller: smooth lines."""
PAPER, INK, SOFT, RULE = (255, 255, 255), (24, 24, 27), (110, 110, 118), (226, 226, 230)
COLOURS = (
    (150, 150, 158), (230, 159, 0), (86, 180, 233), (0, 158, 115), (213, 94, 0), (0, 114, 178), (204, 121, 167),
    (120, 94, 240), (160, 110, 60), (168, 32, 26),
)  # fmt: skip
"""Of lines in turn; the first ones are told apart by colour-blind eyes too (Okabe and Ito 2008)."""


def training_plot(arms: Sequence[Measured], title: str) -> Image.Image:
    """Each arm's mean gain over its seconds of training; 100 % is where our own training ends.

    Raises: ValueError when an arm has no curve.
    """
    if not all(arm.gains for arm in arms):
        raise ValueError("an arm without a curve cannot be plotted")
    longest = max(arm.seconds_at(arm.gains[0].steps[-1]) for arm in arms)
    gains = [gain for arm in arms for gain in arm.mean_gain.likeness]
    low, high = min(0.0, *gains), max(1.0, *gains)
    picture = Image.new("RGB", (WIDTH_PX * FINER, HEIGHT_PX * FINER), PAPER)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(12 * FINER)

    def at(seconds: float, gain: float) -> tuple[float, float]:
        x = LEFT_PX + (WIDTH_PX - LEFT_PX - RIGHT_PX) * seconds / longest
        y = HEIGHT_PX - BOTTOM_PX - (HEIGHT_PX - TOP_PX - BOTTOM_PX) * (gain - low) / (high - low)
        return x * FINER, y * FINER

    draw.text((LEFT_PX * FINER, 12 * FINER), title, INK, ImageFont.load_default(14 * FINER))
    for percent in range(0, 101, 25):
        draw.line((at(0, percent / 100), at(longest, percent / 100)), RULE, FINER)
        x, y = at(0, percent / 100)
        draw.text((x - 8 * FINER, y), f"{percent} %", SOFT, font, anchor="rm")
    for quarter in range(5):
        x, y = at(longest * quarter / 4, low)
        draw.text((x, y + 8 * FINER), f"{longest * quarter / 4:.0f} s", SOFT, font, anchor="mt")
    for number, arm in enumerate(arms):
        colour, curve = COLOURS[number % len(COLOURS)], arm.mean_gain
        points = [at(arm.seconds_at(s), g) for s, g in zip(curve.steps, curve.likeness, strict=True)]
        draw.line(points, colour, 2 * FINER, joint="curve")
        row = (TOP_PX + 22 * number) * FINER
        left = (WIDTH_PX - RIGHT_PX + 20) * FINER
        draw.line((left, row + 8 * FINER, left + 22 * FINER, row + 8 * FINER), colour, 3 * FINER)
        draw.text((left + 30 * FINER, row), arm.name, INK, font)
    return picture.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.LANCZOS)
