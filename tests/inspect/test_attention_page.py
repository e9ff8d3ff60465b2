import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from seal_examples import random_seal

from sealsmith.generate import Request
from sealsmith.inspect import before_and_after
from sealsmith.inspect.attention_page import attention_page, explorer, word_sheet
from sealsmith.inspect.attention_report import arrays, dump_arrays, figure_size, sighting, summary
from sealsmith.inspect.heat import outline

PROMPT = "a <b>red</b> wax seal of sks on wood"


@pytest.fixture
def seen(tiny_base):
    seals = [(random_seal(tiny_base, ("attn2.to_k", "attn2.to_v")), 1.0)]
    region = np.zeros((64, 96), bool)
    region[16:48, 24:72] = True
    wanted = Request(PROMPT, seed=3, num_steps=3, width=96, height=64)
    return sighting(before_and_after(tiny_base, wanted, seals, ["sks", "wax seal"]), region)


def test_the_page_needs_nothing_but_itself(seen):
    page = attention_page(seen)
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page)
    assert "a &lt;b&gt;red&lt;/b&gt; wax" in page
    assert "<b>red</b>" not in page
    assert "https:" not in page


def test_the_explorer_holds_every_map_in_its_order(seen):
    data = explorer(seen)
    json.dumps(data, allow_nan=False)
    sizes = [2, len(data["words"]), len(data["steps"]), len(data["layers"])]
    levels = np.frombuffer(base64.b64decode(data["maps"]), np.uint8).reshape(*sizes, *data["grid"])
    peaks = np.array(data["peaks"]).reshape(sizes)
    assert data["steps"] == ["all", "1", "2", "3"]
    height, width = data["grid"]
    shown = levels[1, 1, 2, 1] / 255 * peaks[1, 1, 2, 1]
    wanted = seen.heat("after", "wax seal", 1, data["layers"][1], (height, width))
    assert np.allclose(shown, wanted, atol=peaks[1, 1, 2, 1] / 200)
    assert (levels.max((-1, -2)) == 255).all()


def test_the_explorer_s_shares_are_those_of_the_figures(seen):
    data = explorer(seen)
    assert data["shares"][0] == pytest.approx(seen.figures("before", "sks").share, abs=1e-4)


def test_maps_of_the_explorer_are_made_coarser_until_they_fit(seen, monkeypatch):
    monkeypatch.setattr("sealsmith.inspect.attention_page.MAPS_BYTES", 1)
    monkeypatch.setattr("sealsmith.inspect.attention_page.LEAST_GRID", 3)
    assert explorer(seen)["grid"] == [2, 3]


def test_arrays_are_read_back_without_pickle(seen):
    wanted = arrays(seen)
    with np.load(io.BytesIO(dump_arrays(seen)), allow_pickle=False) as read:
        assert set(read.files) == set(wanted)
        assert all(np.array_equal(read[name], wanted[name]) for name in wanted)
    record = seen.maps.after.record
    assert wanted["before.words"].shape == (2, 8, 12)
    for half in record.halves:
        assert np.allclose(wanted[f"after.{half}"].sum(0), 1, atol=1e-5)
        native = wanted[f"after.{half}.down_blocks.1"]
        assert native.shape == (3, record.tokens[half].num_rows, 4, 6)
        assert np.allclose(native.sum(1), 1, atol=1e-5)


def test_the_summary_is_json_and_tells_before_and_after(seen):
    told = json.loads(json.dumps(summary(seen), allow_nan=False))
    assert told["region"] == {"area": pytest.approx(0.25), "is_given": True}
    assert told["words"]["sks"]["before"]["share"] == seen.figures("before", "sks").share
    assert list(told["words"]["sks"]["by_step"]) == ["1", "2", "3"]
    for side in ("before", "after"):
        assert sum(told["token_levels"][side]) == pytest.approx(1, abs=1e-5)


def test_without_a_region_the_page_still_stands(tiny_base):
    seen = sighting(before_and_after(tiny_base, Request(PROMPT, seed=3, num_steps=1), [], ["sks"]))
    assert seen.region is None
    assert "there is no region" in attention_page(seen)
    assert explorer(seen)["shares"] is explorer(seen)["outline"] is None
    assert summary(seen)["words"]["sks"]["after"]["share"] is None


def test_a_word_s_sheet_is_a_picture_of_both_sides(seen):
    sheet = word_sheet(seen, "sks")
    assert sheet.width > 4 * 320
    assert len(sheet.getcolors(1 << 20)) > 1000


def test_an_outline_is_the_border_and_no_more():
    region = np.zeros((20, 30), bool)
    region[5:15, 10:20] = True
    border = outline(region, (30, 20), thickness_px=1)
    assert border.sum() == 4 * 9
    assert not border[7:13, 12:18].any()


def test_figures_are_taken_at_a_bounded_size():
    assert figure_size(64, 96) == (64, 96)
    assert figure_size(1024, 512) == (256, 128)
    assert Image.new("L", figure_size(4096, 1)[::-1]).size == (1, 256)
