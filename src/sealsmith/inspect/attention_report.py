"""What was seen, as numbers and arrays: the summary for programs, and `maps.npz`.

Figures are taken of maps at no more than FIGURES_PX a side, the same for every map of a run.
"""

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image

from .attention import AttentionMaps, WordMaps
from .attention_figures import Figures, changed_region, figures, mass_share
from .attention_record import CONDITIONAL

FIGURES_PX = 256
SIDES = ("before", "after")


@dataclass(frozen=True)
class Sighting:
    """Maps of one prompt and seed before and after, with the region they are held against."""

    maps: AttentionMaps
    region: np.ndarray | None
    """Mask [h, w] at `size`; None where nothing changed."""
    region_is_given: bool
    """Whether the user gave it; else it is where the pictures differ."""

    @property
    def sides(self) -> Mapping[str, WordMaps]:
        return {"before": self.maps.before, "after": self.maps.after}

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.maps.after.rows)

    @property
    def is_joint(self) -> bool:
        """Whether it is a transformer's joint attention, not a U-Net's to the text alone."""
        return any(name.startswith(("double", "single")) for name in self.maps.after.record.layer_names)

    @property
    def looks_from_text(self) -> bool:
        """Whether the maps are of where a word looks; else of which places read it."""
        return self.is_joint and self.maps.after.record.detail.joint_rows == "text"

    def weight(self, found: Figures) -> float:
        """How much a word weighs: the share of all attention that places give it, or, where the maps are of where a
        word looks, the share of the word's own attention that goes to the picture (a phrase's words summed)."""
        height, width = self.maps.after.record.finest
        return found.level * height * width if self.looks_from_text else found.level

    @property
    def size(self) -> tuple[int, int]:
        """Height and width at which figures are taken."""
        return figure_size(*self.maps.after.size)

    def heat(
        self,
        side: str,
        word: str,
        steps: int | None = None,
        layers: str | None = None,
        size: tuple[int, int] | None = None,
    ) -> np.ndarray:
        """One word's map [H, W], at `size` if that is given."""
        return self.sides[side].word(word, size or self.size, steps, layers).numpy()

    def figures(self, side: str, word: str, steps: int | None = None, layers: str | None = None) -> Figures:
        return figures(self.heat(side, word, steps, layers), self.region)

    def mass_share(self, side: str, word: str, steps: int | None = None, layers: str | None = None) -> float:
        """`Figures.share` alone; the region must be there."""
        assert self.region is not None
        return mass_share(self.heat(side, word, steps, layers), self.region)


def sighting(maps: AttentionMaps, region: np.ndarray | None = None) -> Sighting:
    """Maps with their region: the mask [H, W] that is given, else where the two pictures differ."""
    size = figure_size(*maps.after.size)
    is_given = region is not None
    if region is None:
        before, after = (np.asarray(side.picture.image) / 255 for side in (maps.before, maps.after))
        region = changed_region(before, after)
    fitted = _fitted(region, size)
    return Sighting(maps, fitted if fitted.any() and not fitted.all() else None, is_given)


def figure_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of the maps that figures are taken of."""
    factor = min(1.0, FIGURES_PX / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def summary(seen: Sighting) -> dict[str, Any]:
    """Everything but the maps, as JSON has it."""
    record, picture = seen.maps.after.record, seen.maps.after.picture
    return {
        "prompt": picture.recipe.prompt,
        "negative": picture.recipe.negative,
        "seed": picture.recipe.seed,
        "base": picture.recipe.base,
        "family": "joint attention" if seen.is_joint else "cross-attention",
        "rows": "text" if seen.looks_from_text else "image",
        "tokens": list(record.tokens[CONDITIONAL].texts),
        "token_levels": {side: _levels(maps) for side, maps in seen.sides.items()},
        "halves": list(record.halves),
        "steps": list(record.step_names),
        "layers": list(record.layer_names),
        "region": {
            "area": None if seen.region is None else float(seen.region.mean()),
            "is_given": seen.region_is_given,
        },
        "words": {word: _of_word(seen, word) for word in seen.words},
        "record_bytes": max(maps.record.num_bytes for maps in seen.sides.values()),
    }


def word_figures(seen: Sighting, word: str) -> dict[str, dict[str, float | None]]:
    """What a word is read by, by side: `mass_in_region`, `overlap`, `entropy`, and its `weight` in the whole."""
    told: dict[str, dict[str, float | None]] = {}
    for side in SIDES:
        found = seen.figures(side, word)
        told[side] = {
            "mass_in_region": found.share,
            "overlap": found.overlap,
            "entropy": found.entropy,
            "weight": seen.weight(found),
        }
    return told


def arrays(seen: Sighting) -> dict[str, np.ndarray]:
    """The content of `maps.npz`; docs/cli.md lists it."""
    record = seen.maps.after.record
    height, width = record.finest
    found: dict[str, np.ndarray] = {
        "words": np.array(seen.words),
        "tokens": np.array(record.tokens[CONDITIONAL].texts),
        "steps": np.array(record.step_names),
        "layers": np.array(record.layer_names),
        "region": np.zeros(seen.size, bool) if seen.region is None else seen.region,
    }
    for side, maps in seen.sides.items():
        found[f"{side}.picture"] = np.asarray(maps.picture.image)
        found[f"{side}.words"] = np.stack(
            [seen.heat(side, word, size=(height, width)) for word in seen.words]
        )
        for half in maps.record.halves:
            found[f"{side}.{half}"] = maps.record.maps(height, width, half).numpy()
            for layers in maps.record.layer_names:
                found[f"{side}.{half}.{layers}"] = _native(maps, half, layers)
    return found


def dump_arrays(seen: Sighting) -> bytes:
    """`maps.npz`, compressed; `numpy.load` reads it without pickle."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays(seen))
    return buffer.getvalue()


def _of_word(seen: Sighting, word: str) -> dict[str, Any]:
    record = seen.maps.after.record
    by_step = {name: {"steps": group} for group, name in enumerate(record.step_names)}
    by_layer = {name: {"layers": name} for name in record.layer_names}
    return {
        "rows": list(seen.maps.after.rows[word]),
        **{side: asdict(seen.figures(side, word)) for side in SIDES},
        "by_step": {name: _both(seen, word, chosen) for name, chosen in by_step.items()},
        "by_layer": {name: _both(seen, word, chosen) for name, chosen in by_layer.items()},
    }


def _both(seen: Sighting, word: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    return {side: asdict(seen.figures(side, word, **chosen)) for side in SIDES}


def _levels(maps: WordMaps) -> list[float]:
    return [float(level) for level in maps.record.maps(*maps.record.finest).mean((1, 2))]


def _native(maps: WordMaps, half: str, layers: str) -> np.ndarray:
    """Means of one layer group in its own grid, [step groups, R, h, w]."""
    found = {
        place.steps: part.total / part.count
        for place, part in maps.record.sums.items()
        if place.half == half and place.layers == layers
    }
    return np.stack([found[group].cpu().numpy() for group in sorted(found)])


def _fitted(region: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask at another height and width."""
    if region.shape == size:
        return region
    resized = Image.fromarray(np.asarray(region * 255, np.uint8)).resize(
        size[::-1], Image.Resampling.BILINEAR
    )
    return np.asarray(resized) >= 128
