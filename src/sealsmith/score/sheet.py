"""A sweep as one picture and as a page: every cell's picture with its figures below.

Not for: measuring (sweep.py).
"""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ..adapters import Seal
from .axes import Axis
from .report import environment, machine_words
from .scorecard import Scorecard
from .sweep import RULE, Cell, Sweep

LEAST_PX, MOST_PX = 128, 256
"""Side of a cell's picture: the drawn one's, within these."""
MARGIN_PX, LABEL_PX, LINE_PX = 8, 96, 15
PAPER, INK, SOFT, CHOSEN = (255, 255, 255), (24, 24, 27), (110, 110, 118), (22, 128, 70)


def figures_of(card: Scorecard) -> list[str]:
    """What stands below a cell's picture: one short line for two figures, those that were measured."""
    fidelity = card.fidelity
    first = [
        "" if fidelity.top1 is None else f"fid {fidelity.top1:.0%}",
        "" if fidelity.similarity is None else f"like {fidelity.similarity:.2f}",
    ]
    second = [
        "" if card.adherence.all is None else f"adh {card.adherence.all:.0%}",
        "" if card.leak.rate is None else f"leak {card.leak.rate:.0%}",
    ]
    third = ["" if card.drift.value is None else f"drift {card.drift.value:.3f}"]
    lines = ["  ".join(word for word in words if word) for words in (first, second, third)]
    return [line for line in lines if line]


def contact_sheet(found: Sweep, title: str) -> Image.Image:
    """The sheet: columns are x, rows are y; the recommended strength's cells have a frame."""
    side = min(max(found.cells[0].picture.image.width, LEAST_PX), MOST_PX)
    num_lines = max(len(figures_of(cell.card)) for cell in found.cells)
    cell_width, cell_height = side + MARGIN_PX, side + num_lines * LINE_PX + 2 * MARGIN_PX
    left = LABEL_PX if found.y is not None else MARGIN_PX
    top = 3 * LINE_PX + MARGIN_PX
    rows = found.rows
    size = (left + cell_width * len(found.x.values), top + cell_height * len(rows))
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    draw.text((MARGIN_PX, MARGIN_PX), _fitting(draw, title, size[0] - 2 * MARGIN_PX, font), INK, font)
    for column, value in enumerate(found.x.values):
        label = _fitting(draw, found.x.label(value), side, font)
        draw.text((left + column * cell_width, top - LINE_PX - 2), label, INK, font)
    for row, cells in enumerate(rows):
        place = top + row * cell_height
        if found.y is not None:
            label = _fitting(draw, found.y.label(found.y.values[row]), left - 2 * MARGIN_PX, font)
            draw.text((MARGIN_PX, place + side // 2), label, INK, font)
        for column, cell in enumerate(cells):
            _paste(sheet, draw, cell, (left + column * cell_width, place), side, font, is_chosen(found, cell))
    return sheet


def sheet_page(found: Sweep, seal: Seal) -> str:
    """The sheet with the rule and the recommendation, as one HTML document."""
    return (
        environment()
        .get_template("sweep.html.j2")
        .render(
            seal=seal,
            sweep=found,
            rows=zip(found.y.values if found.y else (None,), found.rows, strict=True),
            figures_of=figures_of,
            is_chosen=is_chosen,
            rule=RULE,
            **machine_words(),
        )
    )


def is_chosen(found: Sweep, cell: Cell) -> bool:
    """Whether the cell is of the recommended strength."""
    strength = found.recommended.strength
    return strength is not None and cell.at.get("strength") == strength


def title_of(seal: Seal, axes: Sequence[Axis | None]) -> str:
    names = " by ".join(axis.name for axis in axes if axis)
    return f"{Path(seal.name).name}: {names}"


def _paste(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    cell: Cell,
    place: tuple[int, int],
    side: int,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    chosen: bool,
) -> None:
    x, y = place
    image = cell.picture.image
    if image.size != (side, side):
        image = image.resize((side, round(side * image.height / image.width)), Image.Resampling.LANCZOS)
    sheet.paste(image.crop((0, 0, side, side)), place)
    if chosen:
        draw.rectangle((x - 2, y - 2, x + side + 1, y + side + 1), outline=CHOSEN, width=3)
    for number, line in enumerate(figures_of(cell.card)):
        fitting = _fitting(draw, line, side, font)
        draw.text((x, y + side + 3 + number * LINE_PX), fitting, CHOSEN if chosen else SOFT, font)


def _fitting(
    draw: ImageDraw.ImageDraw, text: str, width_px: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont
) -> str:
    """The text, shortened with an ellipsis until it is at most so wide."""
    short = text
    while short and draw.textlength(short if short == text else f"{short}…", font) > width_px:
        short = short[:-1]
    return short if short == text else f"{short}…"
