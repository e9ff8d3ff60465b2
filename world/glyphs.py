"""The world's emblems: thousands of named glyphs, letters, and which of them are never trained on.

Source: npm package `@iconify-json/game-icons` (CC BY 3.0, see NOTICE), unpacked into `world/runs/` by
`make world-glyphs`. Letters are drawn with DejaVu Sans Bold, which matplotlib carries.
"""

import hashlib
import json
import string
import subprocess
import tarfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_erosion

from sealsmith.stage import COLOURS, EMBLEM_PX, MARKS, SURFACES, emblem_from_image, emblem_from_svg

RUNS = Path(__file__).parent / "runs"
HELDOUT_FILE = Path(__file__).parent / "heldout.txt"
GLYPH_PACKAGE = "@iconify-json/game-icons@1.2.4"


@cache
def masks() -> dict[str, np.ndarray]:
    """Every glyph by its name in captions ("dragon head"): uint8 [EMBLEM_PX, EMBLEM_PX], cached on disk."""
    cached = RUNS / "glyphs.npz"
    if not cached.exists():
        _build(cached)
    with np.load(cached) as data:
        return dict(zip(data["names"].tolist(), data["masks"], strict=True))


def is_letter(name: str) -> bool:
    return name.startswith("letter ") and len(name) == len("letter a")


def is_heldout(name: str) -> bool:
    """A fixed tenth of the glyphs: those whose name's SHA-256 is divisible by ten. Letters never are."""
    if is_letter(name):
        return False
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % 10 == 0


def complexity(mask: np.ndarray) -> float:
    """How hard a glyph is to draw small: the share of its ink that a 3-pixel stroke's width erases, 0..1."""
    ink = mask > 127
    return 1.0 - float(binary_erosion(ink, iterations=3).sum()) / max(1, int(ink.sum()))


def train_names(count: int) -> list[str]:
    """All letters and the `count` simplest glyphs named by one word that are not held out, in a fixed order.

    One word is one token, whose embedding can hold the glyph's shape (`shape_codes`).
    """
    everything = masks()
    letters = [n for n in everything if is_letter(n)]
    taken = {word for name in (*MARKS, *SURFACES, *COLOURS) for word in name.split()}
    named = [n for n in everything if not is_heldout(n) and n.isalpha() and n not in taken]
    named.sort(key=lambda n: (complexity(everything[n]), n))
    return letters + named[:count]


def training_names(count: int) -> list[str]:
    """The emblems of training scenes, as often as they are to be drawn.

    Those of `train_names` thrice, so that more than half of the emblems have a word, beside every other glyph that
    is not held out.
    """
    named = train_names(count)
    return 3 * named + sorted({n for n in masks() if not is_heldout(n)} - set(named))


def shape_codes(names: list[str], length: int) -> np.ndarray:
    """What each glyph looks like, as float32 [len(names), length] of unit mean square.

    The leading principal components of all glyphs that are not held out, drawn at 32 px; each is divided by the
    root of its deviation, so that fine strokes count beside the outline.
    """
    everything = masks()
    known = _small([m for n, m in everything.items() if not is_heldout(n)])
    mean = known.mean(0)
    _, spread, axes = np.linalg.svd(known - mean, full_matrices=False)
    codes = (_small([everything[n] for n in names]) - mean) @ axes[:length].T / np.sqrt(spread[:length])
    return np.asarray(codes / np.sqrt(np.square(codes).mean()), np.float32)


def _small(drawn: list[np.ndarray]) -> np.ndarray:
    step = EMBLEM_PX // 32
    blocks = np.stack(drawn).astype(np.float32).reshape(len(drawn), 32, step, 32, step)
    return np.asarray(blocks.mean((2, 4)).reshape(len(drawn), -1) / 255)


def heldout_names() -> list[str]:
    return sorted(n for n in masks() if is_heldout(n))


def _build(target: Path) -> None:
    icons = json.loads(_glyph_json().read_text())
    drawn: dict[str, np.ndarray] = {}
    for key, icon in icons["icons"].items():
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512">{icon["body"]}</svg>'
        drawn[key.replace("-", " ")] = emblem_from_svg(svg)
    for letter in string.ascii_uppercase + string.digits:
        drawn[f"letter {letter.lower()}"] = _letter(letter)
    target.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        target,
        names=np.array(list(drawn)),
        masks=np.stack([np.asarray(m * 255, np.uint8) for m in drawn.values()]),
    )


def _glyph_json() -> Path:
    path = RUNS / "package" / "icons.json"
    if not path.exists():
        RUNS.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(
            ["npm", "pack", "--silent", GLYPH_PACKAGE], cwd=RUNS, check=True, capture_output=True, text=True
        )
        with tarfile.open(RUNS / packed.stdout.strip().splitlines()[-1]) as archive:
            archive.extractall(RUNS, filter="data")
    return path


def _letter(text: str) -> np.ndarray:
    import matplotlib

    font_path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
    image = Image.new("RGBA", (2 * EMBLEM_PX, 2 * EMBLEM_PX), (0, 0, 0, 0))
    font = ImageFont.truetype(str(font_path), int(1.4 * EMBLEM_PX))
    ImageDraw.Draw(image).text((EMBLEM_PX, EMBLEM_PX), text, (0, 0, 0, 255), font=font, anchor="mm")
    return emblem_from_image(image)


def write_heldout() -> None:
    """(Re)write `world/heldout.txt`: everything the base never saw, one `kind: name` a line."""
    from sealsmith.stage import HELDOUT_MARKS, HELDOUT_SURFACES

    lines = [f"mark: {n}" for n in HELDOUT_MARKS] + [f"surface: {n}" for n in HELDOUT_SURFACES]
    lines += [f"glyph: {n}" for n in heldout_names()]
    HELDOUT_FILE.write_text("\n".join(lines) + "\n")
