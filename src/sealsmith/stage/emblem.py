"""An emblem is a square coverage mask: what is inked, raised or lit, and nothing else.

Not for: colours and textures (marks.py), or reading untrusted pictures (train/pictures.py does that first).
"""

import io

import numpy as np
from PIL import Image
from scipy.ndimage import binary_erosion, binary_fill_holes, maximum_filter
from scipy.spatial import ConvexHull

EMBLEM_PX = 128
"""Side of a canonical emblem mask, pixels: as fine as a scene of 128 pixels shows it."""


def is_svg(data: bytes) -> bool:
    """Whether bytes look like an SVG document (an `<svg` tag near the start)."""
    return b"<svg" in data[:4096].lower()


def rasterise_svg(svg: str, side_px: int) -> Image.Image:
    """An SVG document drawn into at most `side_px` x `side_px`, RGBA, transparent where nothing is drawn.

    Proportions are kept. For trusted documents: train/picture_svg.py looks at those of strangers first.

    Raises: ValueError when the document cannot be parsed or drawn (resvg's own words).
    """
    import resvg_py  # whoever renders scenes alone, on a lent GPU's machine, has none

    try:
        png = resvg_py.svg_to_bytes(svg_string=svg, width=side_px, height=side_px)
    except BaseException as error:
        # A Rust panic is no Exception, and its class has no public name.
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"the renderer gave up: {error}") from error
    return Image.open(io.BytesIO(bytes(png))).convert("RGBA")


def emblem_from_svg(svg: str, side_px: int = EMBLEM_PX) -> np.ndarray:
    """Mask of an SVG drawing; see `emblem_from_image`."""
    return emblem_from_image(rasterise_svg(svg, 2 * side_px), side_px)


def emblem_from_image(image: Image.Image, side_px: int = EMBLEM_PX) -> np.ndarray:
    """Mask of a picture: float32 [side_px, side_px] in 0..1, 1 where the emblem is.

    What counts as emblem: the visible part of a picture with transparency, else whatever differs from the
    border's colour; and where that part is a plate with a drawing on it, the drawing. It is centred and
    scaled until it touches the circle inscribed in the square, so that every emblem fills a round mark alike.
    Raises: ValueError when nothing is drawn (a blank picture).
    """
    rgba = np.asarray(image.convert("RGBA"), np.float32) / 255
    coverage = _coverage(rgba)
    ys, xs = np.nonzero(coverage > 0.35)
    if len(xs) < 4:
        raise ValueError("the picture is blank: no shape stands out from its background")
    cy, cx = (ys.min() + ys.max() + 1) / 2, (xs.min() + xs.max() + 1) / 2
    radius = float(np.sqrt(((ys + 0.5 - cy) ** 2 + (xs + 0.5 - cx) ** 2).max())) + 1
    source = Image.fromarray((coverage * 255).astype(np.uint8))
    step = 2 * radius / side_px
    if step > 1:  # shrink by box averaging first: bilinear sampling alone would drop thin strokes
        k = 1 / step
        source = source.resize(
            (max(1, round(source.width * k)), max(1, round(source.height * k))), Image.Resampling.BOX
        )
        cx, cy, radius = cx * source.width / rgba.shape[1], cy * source.height / rgba.shape[0], side_px / 2
        step = 1.0
    half = side_px / 2
    matrix = (step, 0.0, cx - half * step, 0.0, step, cy - half * step)
    placed = source.transform((side_px, side_px), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return np.asarray(placed, np.float32) / 255


def _coverage(rgba: np.ndarray) -> np.ndarray:
    """How much of each pixel is emblem, 0..1, from an RGBA picture [H, W, 4] in 0..1."""
    rgb, alpha = rgba[..., :3], rgba[..., 3]
    if 0 < alpha.max() < 1:  # a logo saved half transparent throughout, as for a watermark
        alpha = alpha / alpha.max()
    cut_out = (alpha < 0.5).mean() > 0.02
    return _drawing(rgb, alpha if cut_out else _apart_from_border(rgb, alpha))


def _apart_from_border(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Coverage of everything that differs from the border's colour, whatever its own colours are.

    Each difference is measured against the largest one near it, so that pale yellow on white counts as fully
    as the black beside it while antialiased edges keep their shares.
    """
    edges = np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]
    border = np.concatenate([rgb[e] for e in edges])
    opaque = np.concatenate([alpha[e] for e in edges]) > 0.5
    background = np.median(border[opaque] if opaque.any() else border, axis=0)
    difference = np.abs(rgb - background).max(-1) * alpha
    noise = min(0.1, float(np.percentile(np.concatenate([difference[e] for e in edges]), 95)))
    difference = np.clip(difference - noise, 0, None)
    strong = difference[difference > 0.08]
    if strong.size < 4:
        return np.zeros_like(difference)
    near = maximum_filter(difference, max(5, min(difference.shape) // 48))
    return np.clip(difference / np.maximum(near, 0.35 * np.percentile(strong, 95)), 0, 1)


def _drawing(rgb: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Coverage of what is drawn in `shape` [H, W]: the shape itself when it has one tone, or several patches.

    A tone that never reaches the shape's rim is a drawing inside it. On a solid plate (a badge, an app
    icon) that drawing is the emblem; on any other shape it is cut out of it, as eyes out of a face.
    """
    visible = shape > 0.5
    if visible.sum() < 4:
        return shape
    core = _eroded(visible)
    tones = rgb[core if core.sum() > 0.2 * visible.sum() else visible]
    low, high = np.percentile(tones, [3, 97], axis=0)
    if (high - low).max() < 0.35:
        return shape
    rim, plate = _rim_tones(rgb, visible, core), _is_plate(visible)
    inside = _inside(rgb, visible, rim)
    if inside is None and plate:  # quarters of two colours: the one with more of the rim is the ground
        inside = _inside(rgb, visible, rim[:1])
    if inside is None:
        return shape
    if not plate:
        return shape * (1 - inside)
    emblem = shape * inside * core
    filled = binary_fill_holes(emblem > 0.5)
    if filled.sum() > 0.7 * visible.sum() and _is_plate(filled):  # what we took for the rim is a border line
        return _drawing(rgb, np.maximum(emblem, filled.astype(np.float32)))
    return emblem


def _inside(rgb: np.ndarray, visible: np.ndarray, ground: np.ndarray) -> np.ndarray | None:
    """How far each pixel is from all `ground` colours, 0..1 [H, W]; None when hardly a hundredth are."""
    distance = np.min([np.abs(rgb - colour).max(-1) for colour in ground], axis=0)
    span = float(np.percentile(distance[visible], 99.5))
    if span < 0.3 or (distance[visible] > span / 2).mean() < 0.01:
        return None
    return np.clip(distance / span, 0, 1)


def _rim_tones(rgb: np.ndarray, visible: np.ndarray, core: np.ndarray) -> np.ndarray:
    """Colours [K, 3] that each make up a twentieth or more of a shape's rim, the commonest first."""
    rim = binary_erosion(visible) & ~core  # without the soft edge, which has the background's colour in it
    colours = rgb[rim if rim.any() else visible]
    bins = np.minimum(colours * 4, 3).astype(int) @ np.array([16, 4, 1])
    counts = np.bincount(bins, minlength=64)
    kept = [k for k in np.argsort(-counts, kind="stable") if counts[k] >= min(counts.max(), 0.05 * len(bins))]
    return np.stack([colours[bins == k].mean(0) for k in kept])


def _is_plate(mask: np.ndarray) -> bool:
    """Whether a mask is one convex piece with hardly a hole: a disc, a shield, a rounded square."""
    edge = np.argwhere(mask & ~binary_erosion(mask))
    if min(np.ptp(edge, axis=0)) < 8:
        return False
    corners = (edge[:, None] + np.array([[0, 0], [0, 1], [1, 0], [1, 1]])).reshape(-1, 2)
    return bool(mask.sum() >= 0.95 * ConvexHull(corners).volume)  # in two dimensions, volume is area


def _eroded(mask: np.ndarray) -> np.ndarray:
    return np.asarray(binary_erosion(mask, iterations=max(2, mask.shape[0] // 64)))
