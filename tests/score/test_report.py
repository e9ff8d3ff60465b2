"""The pages: whole, self-contained, safe; and the table and curve beside them."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_examples import random_judge
from PIL import Image
from rich.console import Console
from seal_examples import random_seal

from sealsmith.inspect import attention_maps
from sealsmith.score import (
    DemoStory,
    Scorecard,
    ScoreSettings,
    demo_page,
    score_page,
    score_seal,
    scorecard_table,
)
from sealsmith.score.curve import curve_svg, running_mean
from sealsmith.score.readings import MISSING, Reading, readings

TINY = ScoreSettings(num_prompts=2, num_seeds=2, num_without=2, num_others=1, num_steps=1, num_resamples=20)
VOID = {"meta", "img", "br", "path", "link"}
LOGO = Path(__file__).parents[2] / "examples" / "mark.svg"


class Outline(HTMLParser):
    """Checks nesting and collects what a page refers to."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.images = [], set(), [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in attributes:
            assert attributes["id"] not in self.ids
            self.ids.add(attributes["id"])
        if tag == "a":
            self.links.append(attributes["href"])
        if tag == "img":
            self.images.append(attributes)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def outline(page):
    parsed = Outline()
    parsed.feed(page)
    assert parsed.open == []
    return parsed


@pytest.fixture
def scored(tiny_base):
    seal = random_seal(tiny_base, ("to_q", "attn2.to_k"))
    card = score_seal(tiny_base, seal, [Image.new("RGB", (64, 64), "red")], TINY, random_judge())
    return tiny_base, seal, card


def check_page(page):
    parsed = outline(page)
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= parsed.ids
    assert all(image["src"].startswith("data:image/") and image["alt"] for image in parsed.images)
    assert not re.search(r"https?://|<script|url\(", page)
    return parsed


def test_a_score_page_holds_every_picture_and_figure(scored):
    _, seal, card = scored
    page = score_page(seal, card)
    parsed = check_page(page)
    assert len(parsed.images) == 4 + 2 * 2 + 2 * 2
    for reading in readings(card):
        assert reading.name in page
        assert reading.value in page


def test_a_demo_page_tells_the_whole_story(scored):
    base, seal, card = scored
    maps = attention_maps(base, card.shots[0].prompt, [(seal, 1.0)], 1, 1, words=["sks", "emblem"])
    pictures = [Image.new("RGB", (8, 8))] * 3
    story = DemoStory(seal, card, LOGO, pictures, [0.3, 0.2, 0.1], [2, 3], 3, maps, 61.0, 122.0, 2048, 2**20)
    page = demo_page(story)
    parsed = check_page(page)
    assert {"source", "places", "called", "inside", "training", "score", "next"} <= parsed.ids
    assert "2 min 02 s" in page
    assert "512× smaller" in page
    assert sum("Attention to sks" in image["alt"] for image in parsed.images) == 2


def test_words_from_a_seal_cannot_become_markup(scored):
    _, seal, card = scored
    evil = replace(seal, header=replace(seal.header, trigger="<script>alert(1)</script>", title='"><b>'))
    page = score_page(evil, card)
    assert "<script" not in page
    assert '"><b>' not in page


def test_a_card_without_pictures_still_has_a_page(scored):
    _, seal, _ = scored
    page = score_page(seal, Scorecard("fail", ("The seal changes nothing.",)))
    check_page(page)
    assert "The seal changes nothing." in page
    assert MISSING in page


def test_the_table_says_what_the_card_says(scored):
    card = replace(scored[2], verdict="fail", reasons=("It leaks [everywhere].",))
    printed = StringIO()
    Console(width=100, file=printed).print(scorecard_table(card))
    text = printed.getvalue()
    assert "verdict: fail" in text
    assert "It leaks [everywhere]." in text
    for reading in readings(card):
        assert reading.value in text


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("57%", "-3% – 62%"),
        ("+0.32", "-0.03 – 0.62"),
        ("-0.003", "-0.031 – 0.621"),
        ("1.20×", "-0.03 – 0.62"),
    ],
)
def test_an_interval_is_written_as_its_value_is(value, words):
    assert Reading("key", "Name", value, "", 0.5, (-0.031, 0.621)).interval_words == words


@given(st.lists(st.floats(0, 5), min_size=1, max_size=40))
def test_a_curve_stays_in_its_frame(losses):
    svg = curve_svg(losses, [len(losses)], len(losses))
    numbers = [tuple(map(float, pair)) for pair in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", svg)]
    assert all(0 <= x <= 720 and 0 <= y <= 240 for x, y in numbers)
    assert "nan" not in svg


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30), st.integers(1, 5))
def test_a_running_mean_stays_among_its_values(values, window):
    means = running_mean(values, window)
    assert len(means) == len(values)
    assert all(min(values) - 1e-9 <= m <= max(values) + 1e-9 for m in means)


def test_no_losses_no_curve():
    with pytest.raises(ValueError, match="at least one loss"):
        curve_svg([])
