"""Heat maps as pictures: one perceptually even colour scale, laid over the picture it belongs to."""

import numpy as np
from PIL import Image

_INFERNO = (
    (0, 0, 4), (22, 11, 57), (66, 10, 104), (106, 23, 110), (147, 38, 103), (188, 55, 84),
    (221, 81, 58), (243, 120, 25), (252, 165, 10), (246, 215, 70), (252, 255, 164),
)  # fmt: skip
"""matplotlib's `inferno` (CC0, by S. van der Walt and N. Smith) at every tenth, sRGB."""


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
