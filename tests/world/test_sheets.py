"""Contact sheets: every picture in its place, every word kept."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sealsmith.stage import SCENE_PX
from world.sheets import COLUMNS, LABEL_PX, PER_LINE, broken, labelled


@given(st.lists(st.text("abc-", min_size=1, max_size=PER_LINE), max_size=8))
def test_words_are_kept_on_lines_that_fit(words: list[str]) -> None:
    lines = broken(" ".join(words)).split("\n")
    assert " ".join(lines).split() == words
    assert all(len(line) <= PER_LINE for line in lines)


def test_every_picture_is_where_its_number_says() -> None:
    colours = [(20 * i, 0, 255 - 20 * i) for i in range(COLUMNS + 2)]
    pictures = [Image.new("RGB", (SCENE_PX, SCENE_PX), colour) for colour in colours]
    sheet = labelled(pictures, [f"picture {i}" for i in range(len(pictures))])
    assert sheet.size == (COLUMNS * SCENE_PX, 2 * (SCENE_PX + LABEL_PX))
    for i, colour in enumerate(colours):
        x, y = i % COLUMNS * SCENE_PX, i // COLUMNS * (SCENE_PX + LABEL_PX)
        shown = np.asarray(sheet)[y : y + SCENE_PX + LABEL_PX, x : x + SCENE_PX]
        assert (shown[:SCENE_PX] == colour).all()
        assert (shown[SCENE_PX:] < 255).any(), "words below it"
