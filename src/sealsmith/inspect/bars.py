"""Which layers carry a seal, as a plot: two bars a group, what it loses and what it weighs.

Not for: measuring (ablation.py).
"""

from PIL import Image, ImageDraw, ImageFont

from .ablation import Ablation

WIDTH_PX, LABEL_PX, ROW_PX, MARGIN_PX, HEAD_PX = 720, 120, 22, 16, 56
PAPER, INK, SOFT = (255, 255, 255), (24, 24, 27), (150, 150, 158)
LOST, GAINED, SHARE = (190, 60, 40), (60, 120, 190), (205, 205, 212)


def carriers_plot(ablation: Ablation, title: str) -> Image.Image:
    """Likeness lost without each group (red; blue to the left: gained), on its share of the change (grey)."""
    groups = ablation.groups
    height = HEAD_PX + ROW_PX * len(groups) + 2 * MARGIN_PX
    picture = Image.new("RGB", (WIDTH_PX, height), PAPER)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(12)
    draw.text((MARGIN_PX, MARGIN_PX), title, INK, ImageFont.load_default(14))
    words = (
        f"likeness {ablation.whole.similarity:.2f} with all layers; red: lost without a group, blue: gained;"
    )
    draw.text((MARGIN_PX, MARGIN_PX + 20), f"{words} grey: its share of the change", SOFT, font)
    longest = max([abs(group.lost) for group in groups] + [group.share for group in groups] + [0.1])
    zero = LABEL_PX + MARGIN_PX + round(0.12 * (WIDTH_PX - LABEL_PX))
    scale = (WIDTH_PX - zero - 3 * MARGIN_PX - 40) / longest
    for row, group in enumerate(groups):
        top = HEAD_PX + MARGIN_PX + row * ROW_PX
        draw.text((MARGIN_PX, top + 2), group.name, INK, font)
        draw.rectangle((zero, top + 1, zero + round(group.share * scale), top + ROW_PX - 5), SHARE)
        end = zero + round(max(group.lost * scale, MARGIN_PX + LABEL_PX - zero))
        low, high = sorted((zero, end))
        draw.rectangle((low, top + 5, high, top + ROW_PX - 9), LOST if group.lost > 0 else GAINED)
        right = max(high, zero + round(group.share * scale))
        draw.text((right + 6, top + 2), f"{group.lost:+.2f}", INK, font)
    draw.line((zero, HEAD_PX + MARGIN_PX - 4, zero, height - MARGIN_PX), SOFT)
    return picture
