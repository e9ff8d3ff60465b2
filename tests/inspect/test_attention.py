import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from seal_examples import random_seal

from sealsmith.errors import BaseError, ConfigError
from sealsmith.generate import Request, generate
from sealsmith.inspect import attention_maps, capture_attention, inferno, overlay
from sealsmith.inspect.attention import AttentionRecord, find_tokens

PROMPT = "a red wax seal of sks emblem on wood"


def test_shares_sum_to_one_over_tokens_everywhere(tiny_base):
    maps = attention_maps(tiny_base, PROMPT, [], seed=3, num_steps=2, words=["sks", "wax seal"])
    assert maps.before.tokens.shape == (77, 64, 64)
    assert torch.allclose(maps.before.tokens.sum(0), torch.ones(64, 64), atol=1e-5)
    assert (maps.before.tokens >= 0).all()


def test_without_seals_nothing_differs(tiny_base):
    maps = attention_maps(tiny_base, PROMPT, [], seed=3, num_steps=1, words=["sks"])
    assert torch.equal(maps.before.tokens, maps.after.tokens)


def test_a_seal_moves_attention(tiny_base):
    seal = random_seal(tiny_base, ("attn2.to_k",))
    maps = attention_maps(tiny_base, PROMPT, [(seal, 1.0)], seed=3, num_steps=1, words=["sks"])
    assert not torch.allclose(maps.before.words["sks"], maps.after.words["sks"], atol=1e-4)


def test_looking_changes_neither_the_picture_nor_the_model(tiny_base):
    request = Request(PROMPT, seed=5, num_steps=2, use_trigger=False)
    [plain] = generate(tiny_base, request)
    before = tiny_base.unet.attn_processors
    with capture_attention(tiny_base.unet) as record:
        [watched] = generate(tiny_base, request)
    after = tiny_base.unet.attn_processors
    assert torch.equal(plain.pixels, watched.pixels)
    assert before.keys() == after.keys()
    assert all(after[name] is before[name] for name in before)
    layers = sum(name.endswith("attn2.processor") for name in before)
    assert record.num_calls == 2 * layers


def test_both_u_net_families_have_maps_and_a_transformer_says_it_has_none(tiny_sd1, tiny_sdxl, tiny_flux):
    for base in (tiny_sd1, tiny_sdxl):
        maps = attention_maps(base, PROMPT, [], seed=3, num_steps=1, words=["sks"])
        assert torch.allclose(maps.before.tokens.sum(0), torch.ones(64, 64), atol=1e-5)
    with pytest.raises(BaseError, match="no U-Net but a transformer"):
        attention_maps(tiny_flux, PROMPT, [], seed=3, num_steps=1, words=["sks"])


def test_processors_come_back_after_an_error(tiny_base):
    before = tiny_base.unet.attn_processors
    with pytest.raises(RuntimeError, match="power cut"), capture_attention(tiny_base.unet):
        raise RuntimeError("power cut")
    assert all(tiny_base.unet.attn_processors[name] is own for name, own in before.items())


def test_a_phrase_is_the_sum_of_its_words(tiny_base):
    maps = attention_maps(
        tiny_base, PROMPT, [], seed=3, num_steps=1, words=["wax", "seal", "wax seal"]
    ).before
    assert torch.allclose(maps.words["wax seal"], maps.words["wax"] + maps.words["seal"], atol=1e-6)


def test_words_are_found_wherever_they_stand(tiny_base):
    assert find_tokens(tiny_base.tokenizer, "red wood and red snow", "red") == (1, 4)
    pieces = find_tokens(tiny_base.tokenizer, "a red xq on wood", "xq")
    assert pieces == (3, 4)


@pytest.mark.parametrize("word", ["moon", "", "wood wax"])
def test_words_that_are_not_there_are_refused(tiny_base, word):
    with pytest.raises(ConfigError, match="is not among the words"):
        find_tokens(tiny_base.tokenizer, PROMPT, word)


def test_every_layer_counts_alike_whatever_its_size():
    record = AttentionRecord()
    coarse, fine = torch.zeros(1, 4, 2), torch.zeros(1, 16, 2)
    coarse[..., 0], fine[..., 1] = 1.0, 1.0
    record.add(coarse)
    record.add(fine)
    assert torch.allclose(record.maps(8, 8), torch.full((2, 8, 8), 0.5))


def test_nothing_recorded_is_an_error():
    with pytest.raises(ValueError, match="no cross-attention"):
        AttentionRecord().maps(8, 8)


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
