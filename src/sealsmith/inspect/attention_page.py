"""One HTML page of attention maps: an explorer over words, steps and layers, and every word's figures.

The page holds everything it needs; its maps are eight-bit arrays which a short script of its own colours. Without
scripts the averages are there as pictures. Not for: PNG files (heat.py).
"""

import base64
import io
import json
from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from .. import __version__
from .attention_report import SIDES, Sighting
from .heat import Panel, comparison, enlarged, outline, overlay

MAPS_BYTES = 4 << 20
"""Most that the explorer's maps may take; they are made coarser until they fit."""
MOST_GRID, LEAST_GRID = 32, 8
SHOWN_PX, THUMBNAIL_PX = 384, 240


def attention_page(seen: Sighting) -> str:
    """The page as one document."""
    environment = Environment(
        loader=PackageLoader("sealsmith.inspect"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(picture_uri=picture_uri)
    picture = seen.maps.after.picture
    seals = [f"{use.name} {use.how}".strip() for use in picture.recipe.seals]
    return environment.get_template("attention.html.j2").render(
        seen=seen,
        recipe=picture.recipe,
        seals=seals,
        record=seen.maps.after.record,
        rows=[word_row(seen, word) for word in seen.words],
        data=json.dumps(explorer(seen), allow_nan=False).replace("</", "<\\/"),
        version=__version__,
    )


def word_row(seen: Sighting, word: str) -> dict[str, Any]:
    """One word's averages: overlays and figures of both sides, on one scale."""
    heats = {side: seen.heat(side, word) for side in SIDES}
    hottest = max(float(heat.max()) for heat in heats.values())
    row: dict[str, Any] = {"word": word, "hottest": hottest}
    for side in SIDES:
        image = _shown(seen.sides[side].picture.image, THUMBNAIL_PX)
        row[side] = overlay(image, enlarged(heats[side], image.size), hottest)
        found = seen.figures(side, word)
        row |= {f"{side}_figures": asdict(found), f"{side}_weight": seen.weight(found)}
    return row


def word_sheet(seen: Sighting, word: str) -> Image.Image:
    """One word's averages as a picture file has them."""
    panels = [
        Panel(name, seen.sides[side].picture.image, seen.heat(side, word), _caption(seen, side, word))
        for side, name in zip(SIDES, ("before: the base alone", "after: with the seal"), strict=True)
    ]
    recipe = seen.maps.after.picture.recipe
    return comparison(word, f"{recipe.prompt}  ·  seed {recipe.seed}", panels, seen.region)


def explorer(seen: Sighting) -> dict[str, Any]:
    """What the page's script draws from: maps by side, word, step group, layer group.

    "all" comes first among step groups and among layer groups.
    """
    record = seen.maps.after.record
    steps, layers = [None, *range(record.num_groups)], [None, *record.layer_names]
    height, width = _grid(seen, len(seen.words) * 2 * len(steps) * len(layers))
    shown = list(product(SIDES, seen.words, steps, layers))
    heats = np.stack([seen.heat(*one, size=(height, width)) for one in shown])
    peaks = np.maximum(heats.max((1, 2)), 1e-12)
    levels = np.asarray((heats / peaks[:, None, None] * 255).round(), np.uint8)
    return {
        "words": list(seen.words),
        "steps": ["all", *record.step_names],
        "layers": ["all", *record.layer_names],
        "grid": [height, width],
        "maps": base64.b64encode(levels.tobytes()).decode(),
        "peaks": [float(f"{peak:.5g}") for peak in peaks],
        "shares": None if seen.region is None else [round(seen.mass_share(*one), 4) for one in shown],
        "pictures": {side: picture_uri(_shown(seen.sides[side].picture.image)) for side in SIDES},
        "outline": None if seen.region is None else picture_uri(_outline(seen)),
    }


def picture_uri(image: Image.Image) -> str:
    """A picture as a `data:` address of a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _caption(seen: Sighting, side: str, word: str) -> str:
    found = seen.figures(side, word)
    said = f"entropy {found.entropy:.3f}"
    if found.share is not None:
        said = f"{found.share:.0%} of its mass inside  ·  overlap {found.overlap:.2f}  ·  {said}"
    return said


def _grid(seen: Sighting, num_maps: int) -> tuple[int, int]:
    """Height and width of the explorer's maps, in the picture's proportions."""
    height, width = seen.maps.after.size
    longer = min(MOST_GRID, max(seen.maps.after.record.finest))
    while num_maps * longer * longer > MAPS_BYTES and longer > LEAST_GRID:
        longer //= 2
    factor = longer / max(height, width)
    return max(1, round(height * factor)), max(1, round(width * factor))


def _shown(image: Image.Image, longer_px: int = SHOWN_PX) -> Image.Image:
    """The picture with that many pixels on its longer side."""
    factor = longer_px / max(image.size)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS)


def _outline(seen: Sighting) -> Image.Image:
    """The region's border, white on nothing, as large as the shown pictures."""
    assert seen.region is not None
    border = outline(seen.region, _shown(seen.maps.after.picture.image).size)
    pixels = np.zeros((*border.shape, 4), np.uint8)
    pixels[border] = 255
    return Image.fromarray(pixels)
