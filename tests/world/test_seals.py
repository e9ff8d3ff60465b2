"""Held-out glyphs as logo files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sealsmith.stage import EMBLEM_PX
from sealsmith.train.pictures import read_picture_set
from world import glyphs, seals


@pytest.fixture(autouse=True)
def one_glyph(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    drawn = Image.new("L", (EMBLEM_PX, EMBLEM_PX))
    ImageDraw.Draw(drawn).regular_polygon((EMBLEM_PX / 2, EMBLEM_PX / 2, EMBLEM_PX / 3), 5, fill=255)
    mask = np.asarray(drawn)
    monkeypatch.setattr(glyphs, "masks", lambda: {"broad shield": mask})
    return mask


def test_a_glyph_is_a_logo_that_training_pictures_can_be_made_from(
    tmp_path: Path, one_glyph: np.ndarray
) -> None:
    path = seals.write_logo("broad shield", tmp_path)
    assert path.name == "broad-shield.png"
    with Image.open(path) as logo:
        assert np.array_equal(np.asarray(logo.getchannel("A")), one_glyph)
    found = read_picture_set(path, trigger="sks", class_noun="emblem", logo_pictures=2)
    assert (found.kind, len(found.pictures)) == ("logo", 2)
