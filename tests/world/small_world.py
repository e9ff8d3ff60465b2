"""A world of a few shapes and blots, for tests that must fetch no glyphs."""

from pathlib import Path

import numpy as np

from world import glyphs

NUM_BLOTS = 60


def small_masks() -> dict[str, np.ndarray]:
    """Letters, shapes with names and blots without, and eight that are held out: uint8 [128, 128] each."""
    y, x = np.mgrid[:128, :128] - 63.5
    drawn = {
        "letter a": np.abs(x + y) < 20,
        "letter b": np.abs(x) < 20,
        "disc": np.hypot(x, y) < 50,
        "bar": np.abs(y) < 20,
        "ring": np.abs(np.hypot(x, y) - 40) < 8,
        "block": np.maximum(np.abs(x), np.abs(y)) < 40,
    }
    rng = np.random.default_rng(0)
    unseen = [f"secret {i}" for i in range(200) if glyphs.is_heldout(f"secret {i}")][:8]
    for name in [*(f"blot {i}" for i in range(NUM_BLOTS)), *unseen]:
        drawn[name] = np.kron(rng.random((8, 8)) < 0.5, np.ones((16, 16))) > 0
    return {name: np.asarray(mask * 255, np.uint8) for name, mask in drawn.items()}


def write_glyphs(folder: Path) -> None:
    """The archive that `glyphs.masks` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    masks = small_masks()
    np.savez_compressed(
        folder / "glyphs.npz", names=np.array(list(masks)), masks=np.stack(list(masks.values()))
    )
