"""Laws of the shares themselves, on bare tensors and on tiny models computed by hand."""

import pytest
import torch
from diffusers.models.embeddings import apply_rotary_emb
from hypothesis import given
from hypothesis import strategies as st
from seal_examples import random_seal

from sealsmith.generate import Request, generate
from sealsmith.generate.attention_shares import cross_shares, grid_of
from sealsmith.generate.prompt_tokens import PromptTokens
from sealsmith.inspect import AttentionRecord, Detail, recording
from sealsmith.inspect.attention import tokens_of_halves
from sealsmith.inspect.attention_record import (
    CONDITIONAL,
    UNCONDITIONAL,
    joint_shares,
    layer_group,
)

TWO_TOKENS = PromptTokens(None, (5, 6), (0, 1))
PROMPT = "a red wax seal of sks emblem on wood"


def record_of(latent_size=(4, 4), num_passes=4, detail=None):
    return AttentionRecord(
        {CONDITIONAL: TWO_TOKENS, UNCONDITIONAL: TWO_TOKENS}, latent_size, num_passes, detail
    )


def shares(first, num_places):
    """[1, 2, P]: the first token has this share everywhere."""
    return torch.tensor([first, 1 - first]).view(1, 2, 1).expand(1, 2, num_places)


def test_every_layer_and_pass_counts_alike_whatever_its_size():
    record = record_of(num_passes=1)
    record.next_pass()
    record.add("down_blocks.0.a", shares(1.0, 16))
    record.add("down_blocks.1.a", shares(0.0, 4))
    assert torch.allclose(record.maps(8, 8)[:2], torch.full((2, 8, 8), 0.5))


def test_steps_and_layers_stay_apart():
    record = record_of(num_passes=6)
    for number in range(6):
        record.next_pass()
        record.add("down_blocks.0.a", shares(number / 10, 16))
        record.add("mid_block.a", shares(1.0, 4))
    assert record.step_names == ("1-2", "3", "4-5", "6")
    assert record.layer_names == ("down_blocks.0", "mid_block")
    means = [float(record.maps(4, 4, steps=group, layers="down_blocks.0")[0].mean()) for group in range(4)]
    assert means == pytest.approx([0.05, 0.2, 0.35, 0.5])
    assert float(record.maps(4, 4, layers="mid_block")[0].mean()) == pytest.approx(1.0)
    assert record.num_calls == 12


def test_details_asked_for_are_kept_one_by_one():
    record = record_of(num_passes=3, detail=Detail(per_step=True, per_layer=True))
    for _ in range(3):
        record.next_pass()
        record.add("down_blocks.0.attentions.0", shares(0.5, 16))
        record.add("down_blocks.0.attentions.1", shares(0.5, 16))
    assert record.step_names == ("1", "2", "3")
    assert record.layer_names == ("down_blocks.0.attentions.0", "down_blocks.0.attentions.1")
    assert all(part.count == 1 for part in record.sums.values())


def test_memory_does_not_grow_with_steps():
    sizes = []
    for num_passes in (8, 64):
        record = record_of(num_passes=num_passes)
        for _ in range(num_passes):
            record.next_pass()
            record.add("mid_block.a", shares(0.5, 16))
        sizes.append(record.num_bytes)
    assert sizes[0] == sizes[1] == 4 * 4 * 16 * 4  # groups, rows, places, bytes


def test_the_halves_of_guidance_are_kept_apart():
    record = record_of()
    record.next_pass()
    record.add("mid_block.a", torch.cat([shares(0.25, 16), shares(0.75, 16)]))
    assert float(record.maps(4, 4, UNCONDITIONAL)[0].mean()) == pytest.approx(0.25)
    assert float(record.maps(4, 4, CONDITIONAL)[0].mean()) == pytest.approx(0.75)


def test_nothing_recorded_is_an_error():
    with pytest.raises(ValueError, match="no attention was recorded"):
        record_of().maps(8, 8)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 3))
def test_a_grid_is_the_latents_halved_some_times(height, width, halvings):
    rows, columns = height, width
    for _ in range(halvings):
        rows, columns = -(-rows // 2), -(-columns // 2)
    assert grid_of(rows * columns, height, width) == (rows, columns)


def test_places_that_are_no_grid_are_refused():
    with pytest.raises(ValueError, match="7 places are no grid of latents 8 x 12"):
        grid_of(7, 8, 12)


def test_places_run_along_rows_in_wide_pictures():
    """Latents 8 x 12: a place in the third row and the tenth column shows there."""
    record = record_of(latent_size=(8, 12), num_passes=1)
    record.next_pass()
    lit = torch.zeros(1, 2, 96)
    lit[0, 0, 2 * 12 + 9] = 1.0
    record.add("mid_block.a", lit)
    found = record.maps(8, 12)[0]
    assert (int(found.argmax()) // 12, int(found.argmax()) % 12) == (2, 9)


def test_cross_shares_are_a_softmax_over_tokens():
    query, key = torch.randn(2, 6, 3, 4), torch.randn(2, 5, 3, 4)
    found = cross_shares(query, key, 0.5)
    assert found.shape == (2, 5, 6)
    assert torch.allclose(found.sum(1), torch.ones(2, 6))
    by_hand = torch.stack([(query[1, 2, h] @ key[1, :, h].T * 0.5).softmax(0) for h in range(3)]).mean(0)
    assert torch.allclose(found[1, :, 2], by_hand, atol=1e-6)


def test_both_blocks_of_a_joint_attention_are_parts_of_one_softmax():
    query, key = torch.randn(1, 9, 2, 4), torch.randn(1, 9, 2, 4)
    whole = (query.transpose(1, 2) @ key.permute(0, 2, 3, 1) / 2).softmax(-1).mean(1)
    assert torch.allclose(joint_shares(query, key, 3, "text"), whole[:, :3, 3:], atol=1e-6)
    assert torch.allclose(joint_shares(query, key, 3, "image"), whole[:, 3:, :3].transpose(1, 2), atol=1e-6)


def test_layers_belong_to_blocks():
    assert layer_group("down_blocks.1.attentions.0.transformer_blocks.0") == "down_blocks.1"
    assert layer_group("mid_block.attentions.0.transformer_blocks.0") == "mid_block"
    assert layer_group("transformer_blocks.3") == "double"
    assert layer_group("single_transformer_blocks.3") == "single"


@pytest.mark.parametrize("family", ["tiny_base", "tiny_sd1", "tiny_sdxl", "tiny_flux"])
def test_recording_changes_no_bit_and_leaves_no_hook(family, request):
    base = request.getfixturevalue(family)
    wanted = Request(PROMPT, seed=5, num_steps=2, use_trigger=False, width=64, height=96).resolved(base)
    targets = (
        ("attn2.to_k", "attn2.to_q") if base.family.denoiser == "unet" else ("attn.to_q", "attn.add_k_proj")
    )
    seals = [(random_seal(base, targets), 1.0)]
    latents = base.latent_shape_of(64, 96)[1:]
    record = AttentionRecord(tokens_of_halves(base, wanted, ()), latents, 3)
    [plain] = generate(base, wanted, seals)
    with recording(base, record):
        [watched] = generate(base, wanted, seals)
    assert torch.equal(plain.pixels, watched.pixels)
    assert record.num_calls > 0
    modules = list(base.denoiser.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in modules)


def test_no_hook_is_left_after_an_error(tiny_base):
    wanted = Request(PROMPT, num_steps=1).resolved(tiny_base)
    record = AttentionRecord(tokens_of_halves(tiny_base, wanted, ()), (8, 8), 1)
    layer = tiny_base.unet.mid_block.attentions[0].transformer_blocks[0].attn2.to_out[0]
    broken = layer.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError, match="division"), recording(tiny_base, record):
        generate(tiny_base, wanted)
    broken.remove()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in tiny_base.unet.modules())


@pytest.mark.parametrize("rows", ["text", "image"])
@pytest.mark.parametrize("block", ["transformer_blocks.0", "single_transformer_blocks.0"])
def test_flux_equals_its_joint_softmax_computed_by_hand(tiny_flux, rows, block):
    """One pass of a wide picture; queries and keys are formed here from the layer's own input."""
    wanted = Request(PROMPT, seed=2, num_steps=1, width=96, height=64).resolved(tiny_flux)
    tokens = tokens_of_halves(tiny_flux, wanted, ())
    record = AttentionRecord(tokens, (8, 12), 1, Detail(per_layer=True, joint_rows=rows))
    attention = tiny_flux.denoiser.get_submodule(f"{block}.attn")
    calls = []
    listening = attention.register_forward_pre_hook(
        lambda _, args, kwargs: calls.append(kwargs), with_kwargs=True
    )
    with recording(tiny_flux, record):
        generate(tiny_flux, wanted)
    listening.remove()
    whole = joint_by_hand(attention, calls[0])
    num_text = len(tokens[CONDITIONAL].columns)
    by_hand = whole[:num_text, num_text:] if rows == "text" else whole[num_text:, :num_text].T
    expected = tokens[CONDITIONAL].merged(by_hand).unflatten(1, (4, 6))
    assert torch.allclose(record.maps(4, 6, layers=block), expected, atol=1e-6)


@torch.no_grad()
def joint_by_hand(attention, call):
    """[L, L] mean over heads of the softmax of a Flux attention, text first."""
    image = call["hidden_states"]
    split = lambda x: x.unflatten(-1, (attention.heads, -1))  # noqa: E731
    query, key = (
        attention.norm_q(split(attention.to_q(image))),
        attention.norm_k(split(attention.to_k(image))),
    )
    text = call.get("encoder_hidden_states")
    if text is not None:
        query = torch.cat([attention.norm_added_q(split(attention.add_q_proj(text))), query], 1)
        key = torch.cat([attention.norm_added_k(split(attention.add_k_proj(text))), key], 1)
    rotation = call["image_rotary_emb"]
    query, key = (apply_rotary_emb(x, rotation, sequence_dim=1)[0] for x in (query, key))
    heads = [(query[:, h] @ key[:, h].T / query.shape[-1] ** 0.5).softmax(-1) for h in range(attention.heads)]
    return torch.stack(heads).mean(0)
