import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from seal_examples import random_seal

from sealsmith.errors import ConfigError
from sealsmith.generate import Request, generate
from sealsmith.inspect import Detail, attention_maps, before_and_after, inferno, overlay
from sealsmith.inspect.attention import sent_prompt, tokens_of_halves
from sealsmith.inspect.attention_record import CONDITIONAL, UNCONDITIONAL
from sealsmith.inspect.attention_report import sighting

PROMPT = "a red wax seal of sks emblem on wood"


@pytest.mark.parametrize("family", ["tiny_base", "tiny_sd1", "tiny_sdxl"])
def test_shares_of_a_u_net_sum_to_one_over_tokens_everywhere(family, request):
    base = request.getfixturevalue(family)
    wanted = Request(PROMPT, seed=3, num_steps=2, width=96, height=64)
    maps = before_and_after(base, wanted, [], ["sks", "wax seal"]).before
    assert maps.tokens.shape == (maps.record.tokens[CONDITIONAL].num_rows, 64, 96)
    assert (maps.tokens >= 0).all()
    record = maps.record
    assert record.halves == (CONDITIONAL, UNCONDITIONAL)
    for half in record.halves:
        for layers in (None, *record.layer_names):
            assert torch.allclose(record.maps(6, 5, half, layers=layers).sum(0), torch.ones(6, 5), atol=1e-5)


def test_without_seals_nothing_differs(tiny_base):
    maps = attention_maps(tiny_base, PROMPT, [], seed=3, num_steps=1, words=["sks"])
    assert torch.equal(maps.before.tokens, maps.after.tokens)


def test_a_seal_moves_attention(tiny_base):
    """Of the first layer in the first pass too, whose query is the same: the seal's own part is seen."""
    seal = random_seal(tiny_base, ("attn2.to_k",))
    maps = attention_maps(tiny_base, PROMPT, [(seal, 1.0)], seed=3, num_steps=1, words=["sks"])
    first = maps.before.record.layer_names[0]
    before, after = (side.word("sks", (8, 8), 0, first) for side in (maps.before, maps.after))
    assert not torch.allclose(before, after, atol=1e-4)


@pytest.mark.parametrize("rows", ["text", "image"])
def test_flux_maps_have_the_picture_s_proportions(tiny_flux, rows):
    seal = random_seal(tiny_flux, ("attn.to_k",))
    wanted = Request("a red seal of emblem on wood", seed=1, num_steps=2, width=96, height=64)
    maps = before_and_after(tiny_flux, wanted, [(seal, 1.0)], None, Detail(joint_rows=rows))
    assert maps.after.record.layer_names == ("double", "single")
    assert maps.after.record.finest == (4, 6)
    assert next(iter(maps.after.words)) == "sks"
    assert not torch.allclose(maps.before.words["sks"], maps.after.words["sks"], atol=1e-6)


def test_what_a_word_of_flux_does_not_give_the_picture_it_gives_the_text(tiny_flux):
    wanted = Request("a red seal of sks on wood", seed=1, num_steps=1)
    seen = sighting(before_and_after(tiny_flux, wanted, [], ["red"], Detail(joint_rows="text")))
    total = seen.maps.after.record.maps(4, 4)[list(seen.maps.after.rows["red"])].sum()
    assert seen.looks_from_text
    assert 0 < seen.weight(seen.figures("after", "red")) < len(seen.maps.after.rows["red"])
    assert seen.weight(seen.figures("after", "red")) == pytest.approx(float(total), rel=1e-4)


def test_the_pictures_are_those_of_generate(tiny_base):
    seals = [(random_seal(tiny_base, ("attn2.to_k",)), 1.0)]
    wanted = Request("a red wax seal on wood", seed=4, num_steps=2)
    maps = before_and_after(tiny_base, wanted, seals)
    [plain] = generate(tiny_base, wanted, seals)
    assert plain.recipe.prompt == "a red wax seal of sks on wood" == maps.before.picture.recipe.prompt
    assert torch.equal(plain.pixels, maps.after.picture.pixels)
    assert list(maps.after.words) == ["sks", "red", "wax", "seal", "wood"]


def test_long_prompts_are_seen_to_their_end(tiny_base):
    seals = [(random_seal(tiny_base, ("attn2.to_k",)), 1.0)]
    wanted = Request("red " * 90 + "emblem on wood", negative="blue ink", num_steps=1, seed=1)
    maps = before_and_after(tiny_base, wanted, seals, ["sks", "wood"])
    assert torch.allclose(maps.after.tokens.sum(0), torch.ones(64, 64), atol=1e-5)
    tokens = maps.after.record.tokens
    assert len(tokens[CONDITIONAL].columns) == len(tokens[UNCONDITIONAL].columns) == 154
    assert tokens[UNCONDITIONAL].texts[:2] == ("blue", "ink")


def test_a_long_negative_lengthens_the_prompt_s_half(tiny_base):
    wanted = Request("red wood", negative="blue " * 90).resolved(tiny_base)
    tokens = tokens_of_halves(tiny_base, wanted, ())
    assert len(tokens[CONDITIONAL].columns) == len(tokens[UNCONDITIONAL].columns) == 154


def test_the_sent_prompt_is_the_recipe_s(tiny_base):
    seals = [(random_seal(tiny_base, ("attn2.to_k",)), 1.0)]
    for text in ("a red wax seal on wood", "red " * 90 + "emblem"):
        for long_prompts in ("chunks", "cut"):
            for negative in ("", "sks"):
                wanted = Request(text, negative, num_steps=1, long_prompts=long_prompts)
                [drawn] = generate(tiny_base, wanted, seals)
                assert sent_prompt(tiny_base, wanted, seals) == drawn.recipe.prompt


def test_progress_counts_both_pictures(tiny_base):
    seen = []
    wanted = Request(PROMPT, num_steps=2, seed=1)
    before_and_after(tiny_base, wanted, [], ["sks"], on_step=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_phrase_is_the_sum_of_its_words(tiny_base):
    words = attention_maps(
        tiny_base, PROMPT, [], seed=3, num_steps=1, words=["wax", "seal", "wax seal"]
    ).before.words
    assert torch.allclose(words["wax seal"], words["wax"] + words["seal"], atol=1e-6)


def test_a_word_that_is_not_there_is_refused_before_anything_is_drawn(tiny_base):
    with pytest.raises(ConfigError, match="'moon' is not among the words"):
        attention_maps(tiny_base, PROMPT, [], seed=3, words=["moon"])


def test_the_mean_of_steps_is_the_whole(tiny_base):
    wanted = Request(PROMPT, num_steps=4, seed=1)
    maps = before_and_after(tiny_base, wanted, [], ["sks"]).before
    parts = [maps.word("sks", (8, 8), steps=group) for group in range(maps.record.num_groups)]
    assert torch.allclose(torch.stack(parts).mean(0), maps.word("sks", (8, 8)), atol=1e-6)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_hotter_is_brighter(heats):
    colours = inferno(np.array(sorted(heats))).astype(int)
    luma = colours @ np.array([299, 587, 114])
    assert (np.diff(luma) >= -1500).all()  # a level and a half: rounding


def test_an_overlay_keeps_size_and_shows_the_hottest_place():
    heat = np.zeros((8, 6))
    heat[2, 3] = 0.5
    shown = np.asarray(overlay(Image.new("RGB", (6, 8), "grey"), heat, hottest=0.5))
    assert shown.shape == (8, 6, 3)
    assert np.unravel_index(shown.sum(-1).argmax(), (8, 6)) == (2, 3)
