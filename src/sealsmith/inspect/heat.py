"""Heat maps as pictures: one perceptually even colour scale, laid over the picture it belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_erosion

_INFERNO = (
    (0, 0, 4), (22, 11, 57), (66, 10, 104), (106, 23, 110), (147, 38, 103), (188, 55, 84),
    (221, 81, 58), (243, 120, 25), (252, 165, 10), (246, 215, 70), (252, 255, 164),
)  # fmt: skip
"""matplotlib's `inferno` (CC0, by S. van der Walt and N. Smith) at every tenth, sRGB."""
_PAPER, _INK, _SOFT, _WAX = "#f7f7f4", "#17191d", "#595d66", "#a8201a"
_PANEL_PX, _GAP, _HEAD, _FOOT = 320, 32, 130, 96


def inferno(heat: np.ndarray) -> np.ndarray:
    """Colours of heat [...] in 0..1 (clipped): uint8 [..., 3], dark for 0, pale yellow for 1."""
    at = np.clip(heat, 0, 1)
    stops = np.linspace(0, 1, len(_INFERNO))
    channels = [np.interp(at, stops, channel) for channel in zip(*_INFERNO, strict=True)]
    return np.asarray(np.stack(channels, -1).round(), np.uint8)


def overlay(image: Image.Image, heat: np.ndarray, hottest: float, strength: float = 0.82) -> Image.Image:
    """The picture in grey under its heat map [H, W]; `hottest` is the heat shown as 1.

    Give maps that are compared the same `hottest`, or their colours mean different things.
    """
    share = np.clip(np.asarray(heat, np.float32) / max(hottest, 1e-12), 0, 1)
    grey = np.asarray(image.convert("L"), np.float32)[..., None] * np.ones(3, np.float32)
    cover = strength * (0.35 + 0.65 * share[..., None])
    mixed = grey * (1 - cover) + inferno(share).astype(np.float32) * cover
    return Image.fromarray(np.asarray(mixed.round(), np.uint8))


@dataclass(frozen=True)
class Panel:
    """One side of a comparison: its picture, the word's map over it, and what is said beneath."""

    title: str
    image: Image.Image
    heat: np.ndarray
    caption: str


def outline(region: np.ndarray, size_px: tuple[int, int], thickness_px: int = 2) -> np.ndarray:
    """Mask [H, W] of the border of a region [h, w], drawn at a picture's width and height."""
    smooth = Image.fromarray(np.asarray(region * 255, np.uint8)).resize(size_px, Image.Resampling.BICUBIC)
    inside = np.asarray(smooth) >= 128
    border: np.ndarray = inside & ~binary_erosion(inside, iterations=thickness_px, border_value=1)
    return border


def comparison(word: str, subtitle: str, panels: Sequence[Panel], region: np.ndarray | None) -> Image.Image:
    """A word's maps side by side on one scale, the region outlined, with titles, captions and a legend."""
    width, height = _panel_size(panels[0].image)
    hottest = max(float(panel.heat.max()) for panel in panels)
    sheet = Image.new("RGB", (_GAP + len(panels) * (2 * width + 2 * _GAP), height + _HEAD + _FOOT), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, 18), f"“{word}”", _WAX, _font(34))
    draw.text((_GAP, 62), _fitting(draw, subtitle, sheet.width - 2 * _GAP), _SOFT, _font(17))
    for index, panel in enumerate(panels):
        left = _GAP + index * (2 * width + 2 * _GAP)
        draw.text((left, _HEAD - 32), panel.title, _INK, _font(20))
        picture = panel.image.resize((width, height), Image.Resampling.LANCZOS)
        sheet.paste(picture, (left, _HEAD))
        shown = overlay(picture, enlarged(panel.heat, (width, height)), hottest)
        sheet.paste(_outlined(shown, region), (left + width + _GAP // 4, _HEAD))
        draw.text((left, _HEAD + height + 12), panel.caption, _SOFT, _font(17))
    _draw_legend(sheet, draw, hottest, region is not None)
    return sheet


def enlarged(heat: np.ndarray, size_px: tuple[int, int]) -> np.ndarray:
    """A map [h, w] at a picture's width and height, bilinear."""
    floats = Image.fromarray(np.asarray(heat, np.float32))
    return np.asarray(floats.resize(size_px, Image.Resampling.BILINEAR))


def _panel_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of a panel: the longer side is _PANEL_PX."""
    factor = _PANEL_PX / max(image.size)
    return max(1, round(image.width * factor)), max(1, round(image.height * factor))


def _outlined(shown: Image.Image, region: np.ndarray | None) -> Image.Image:
    if region is None:
        return shown
    pixels = np.array(shown)
    pixels[outline(region, shown.size)] = 255
    return Image.fromarray(pixels)


def _draw_legend(sheet: Image.Image, draw: ImageDraw.ImageDraw, hottest: float, has_region: bool) -> None:
    top = sheet.height - 40
    bar = inferno(np.tile(np.linspace(0, 1, 200), (14, 1)))
    draw.text((_GAP, top - 5), "0", _SOFT, _font(16))
    sheet.paste(Image.fromarray(bar), (_GAP + 18, top))
    said = f"{hottest:.2%} of the attention"
    if has_region:
        said += "     white line: where the seal changed the picture"
    draw.text((_GAP + 228, top - 5), said, _SOFT, _font(16))


def _fitting(draw: ImageDraw.ImageDraw, text: str, width_px: int) -> str:
    """As much of the text as fits on a line."""
    cut = text
    while cut and draw.textlength(cut if cut == text else f"{cut}…", _font(17)) > width_px:
        cut = cut[:-1]
    return cut if cut == text else f"{cut}…"


@cache
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
