"""Textual inversion and hypernetworks in pictures: as stock diffusers draws, beside other seals, without trace."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from seal_examples import random_seal
from stock_pictures import largest_difference, stock
from torch.nn import functional
from unet_probe import predict, weights
from vector_examples import inverted_seal, network_seal

from sealsmith.adapters import Seal, attached, fused, write_seal
from sealsmith.adapters.embeddings import lookup_of
from sealsmith.adapters.strength import parse_strength
from sealsmith.adapters.words import TOKENIZERS, WordTokenizer
from sealsmith.bases import Base, open_base
from sealsmith.errors import BaseMismatchError, ConfigError, SealShapeError
from sealsmith.generate import Request, generate
from sealsmith.generate.long_prompt import split_prompt
from sealsmith.generate.pipeline import generate_batch

PROMPT = "a red wax seal of sks emblem on wood"
REQUEST = Request(PROMPT, num_steps=2, seed=3)


def draw(base: Base, seals: list[tuple[Seal, float]], prompt: str = PROMPT) -> torch.Tensor:
    request = Request(prompt, num_steps=2, seed=3)
    return generate(base, request, seals)[0].pixels


@pytest.mark.parametrize("num_vectors", [1, 3])
def test_a_picture_is_the_one_of_stock_diffusers(
    tiny_base: Base, tiny_base_folder: Path, tmp_path: Path, num_vectors: int
) -> None:
    seal = inverted_seal(tiny_base, num_vectors, trigger="glyph")
    prompt = "a red wax seal of glyph emblem on wood"
    ours = draw(tiny_base, [(seal, 1.0)], prompt)
    write_seal(tmp_path / "seal.safetensors", seal)
    stock_base = open_base(str(tiny_base_folder))
    stock_base.pipeline.load_textual_inversion(tmp_path / "seal.safetensors")
    theirs = stock(stock_base.pipeline, Request(prompt, num_steps=2, seed=3).resolved(tiny_base))
    assert largest_difference(ours, theirs) < 1e-5
    assert largest_difference(ours, draw(tiny_base, [], prompt)) > 1e-3


def test_both_encoders_of_sdxl_take_part_as_in_stock_diffusers(
    tiny_sdxl: Base, tiny_sdxl_folder: Path
) -> None:
    seal = inverted_seal(tiny_sdxl, 2, trigger="glyph")
    prompt = "a red wax seal of glyph emblem"
    ours = draw(tiny_sdxl, [(seal, 1.0)], prompt)
    pipeline = open_base(str(tiny_sdxl_folder)).pipeline
    for number in ("", "_2"):
        pipeline.load_textual_inversion(
            {"glyph": seal.embeddings["glyph"][f"text_encoder{number}"]},
            token="glyph",
            text_encoder=getattr(pipeline, f"text_encoder{number}"),
            tokenizer=getattr(pipeline, f"tokenizer{number}"),
        )
    theirs = stock(pipeline, Request(prompt, num_steps=2, seed=3).resolved(tiny_sdxl))
    assert largest_difference(ours, theirs) < 1e-5


@pytest.mark.parametrize("name", ["tiny_base", "tiny_sdxl", "tiny_flux"])
@pytest.mark.parametrize("finds_end_by_largest", [False, True])
def test_vectors_of_a_word_do_what_the_word_does(
    request: pytest.FixtureRequest, name: str, finds_end_by_largest: bool
) -> None:
    base: Base = request.getfixturevalue(name)
    if finds_end_by_largest:  # as the published configurations of Stable Diffusion say, by mistake
        for encoder in base.family.text_encoders:
            if hasattr(base.components[encoder], "text_model"):
                base.components[encoder].text_model.eos_token_id = 2
            else:
                base.components[encoder].eos_token_id = 2  # type: ignore[assignment]
    seal = inverted_seal(base)
    for encoder in base.family.text_encoders:
        tokenizer = getattr(base.pipeline, TOKENIZERS[encoder])
        ids = tokenizer("emblem", add_special_tokens=False).input_ids
        seal.embeddings["sks"][encoder] = lookup_of(base.components[encoder]).weight.detach()[ids]
    expected = base.family.workings.encode(base, "a red emblem on wood")
    with attached(base, [(seal, 1.0)]):
        found = base.family.workings.encode(base, "a red sks on wood")
    torch.testing.assert_close(found.text, expected.text)
    torch.testing.assert_close(found.pooled, expected.pooled)


@pytest.mark.parametrize("encoder", ["text_encoder", "text_encoder_2"])
def test_either_encoder_of_flux_takes_part(tiny_flux: Base, encoder: str) -> None:
    seal = inverted_seal(tiny_flux, 2)
    seal.embeddings = {"sks": {encoder: seal.embeddings["sks"][encoder]}}
    assert largest_difference(draw(tiny_flux, [(seal, 1.0)]), draw(tiny_flux, [])) > 1e-4


def test_nothing_is_left_behind(tiny_base: Base) -> None:
    before, tokenizer, config = weights(tiny_base), tiny_base.tokenizer, dict(tiny_base.pipeline.config)
    table = tiny_base.text_encoder.get_input_embeddings().weight.clone()
    plain, num_words = draw(tiny_base, []), len(tokenizer)
    seal = inverted_seal(tiny_base)
    seal.networks = network_seal(tiny_base).networks
    draw(tiny_base, [(seal, 1.0)])
    assert tiny_base.tokenizer is tokenizer
    assert len(tokenizer) == num_words
    assert dict(tiny_base.pipeline.config) == config
    assert torch.equal(tiny_base.text_encoder.get_input_embeddings().weight, table)
    after = weights(tiny_base)
    assert all(torch.equal(after[key], before[key]) for key in before)
    parts = [*tiny_base.text_encoder.modules(), *tiny_base.unet.modules()]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in parts)
    assert torch.equal(draw(tiny_base, []), plain)


def test_the_stock_pipeline_draws_with_an_attached_word(tiny_base: Base) -> None:
    seal = inverted_seal(tiny_base)
    with attached(tiny_base, [(seal, 1.0)]):
        theirs = stock(tiny_base.pipeline, REQUEST.resolved(tiny_base))
    assert largest_difference(theirs, draw(tiny_base, [(seal, 1.0)])) < 1e-5


def test_a_prompt_without_the_word_is_untouched(tiny_base: Base) -> None:
    request = Request("a skszwx star", num_steps=2, use_trigger=False)
    plain = generate(tiny_base, request)[0].pixels
    assert torch.equal(generate(tiny_base, request, [(inverted_seal(tiny_base), 1.0)])[0].pixels, plain)


def test_strength_scales_the_distance_from_the_vocabularys_mean(tiny_base: Base) -> None:
    seal = inverted_seal(tiny_base, 1)
    mean = tiny_base.text_encoder.get_input_embeddings().weight.detach().mean(dim=0)
    half = inverted_seal(tiny_base, 1)
    half.embeddings = {"sks": {"text_encoder": mean + 0.5 * (seal.embeddings["sks"]["text_encoder"] - mean)}}
    torch.testing.assert_close(draw(tiny_base, [(seal, 0.5)]), draw(tiny_base, [(half, 1.0)]))
    assert torch.equal(draw(tiny_base, [(seal, 0.0)]), draw(tiny_base, []))


def test_a_network_adds_to_what_keys_and_values_read(tiny_base: Base) -> None:
    seal = network_seal(tiny_base, norms=True)
    path, network = next(iter(seal.networks.items()))
    module = tiny_base.unet.get_submodule(path.removeprefix("unet."))
    x = torch.randn(2, 5, network.width)
    scales = [functional.layer_norm] * 2
    hidden = functional.relu(functional.linear(x, network.weights[0], network.biases[0]))
    hidden = scales[0](hidden, (8,), *network.norms[0])
    f = functional.linear(hidden, network.weights[1], network.biases[1])
    f = scales[1](f, (network.width,), *network.norms[1])
    expected = functional.linear(x + 0.7 * f, module.weight, module.bias)
    with attached(tiny_base, [(seal, 0.7)]):
        torch.testing.assert_close(module(x), expected)


def test_a_networks_strength_may_change_over_the_steps(tiny_base: Base) -> None:
    seal = network_seal(tiny_base)
    plain = predict(tiny_base)
    with attached(tiny_base, [(seal, parse_strength("1:start=0.5"))]) as attachment:
        attachment.at(0, 2)
        assert torch.equal(predict(tiny_base), plain)
        attachment.at(1, 2)
        assert largest_difference(predict(tiny_base), plain) > 1e-3


def test_seals_of_every_method_draw_together(tiny_base: Base) -> None:
    seals = [
        (inverted_seal(tiny_base, 2), 1.0),
        (inverted_seal(tiny_base, 1, "zwx", seed=1), 1.0),
        (network_seal(tiny_base), 0.5),
        (random_seal(tiny_base, ("to_k", "to_v"), trigger="sks"), 0.5),
    ]
    prompt = "a sks emblem and a zwx emblem"
    together = draw(tiny_base, seals, prompt)
    for left_out in range(len(seals)):
        fewer = seals[:left_out] + seals[left_out + 1 :]
        assert largest_difference(together, draw(tiny_base, fewer, prompt)) > 1e-4
    [batched] = generate_batch(tiny_base, [Request(prompt, num_steps=2, seed=3)], seals)
    assert torch.equal(batched.pixels, together)


def test_two_seals_for_one_word_are_refused(tiny_base: Base) -> None:
    seals = [(inverted_seal(tiny_base), 1.0), (inverted_seal(tiny_base, seed=1), 1.0)]
    with pytest.raises(ConfigError, match="both have vectors for 'sks'"):
        draw(tiny_base, seals)


def test_vectors_of_another_width_are_refused(tiny_base: Base) -> None:
    seal = inverted_seal(tiny_base)
    seal.embeddings = {"sks": {"text_encoder": torch.ones(1, 768)}}
    with pytest.raises(SealShapeError, match=r"width of 768, the base .* has 32"):
        draw(tiny_base, [(seal, 1.0)])
    seal.embeddings = {"sks": {"text_encoder_2": torch.ones(1, 32)}}
    with pytest.raises(BaseMismatchError, match="none of the 1 layers"):
        draw(tiny_base, [(seal, 1.0)])


def test_vectors_cannot_be_fused(tiny_base: Base) -> None:
    with (
        pytest.raises(ConfigError, match="holds vectors of a word, which no weights"),
        fused(tiny_base, [(inverted_seal(tiny_base), 1.0)]),
    ):
        pass


@given(st.integers(1, 6), st.integers(0, 90))
def test_vectors_stay_together_in_long_prompts(
    tokenizer_of_tiny_base: object, count: int, before: int
) -> None:
    tokenizer = WordTokenizer(tokenizer_of_tiny_base, {"sks": count})
    chunks = split_prompt(tokenizer, "red " * before + "sks emblem", ("sks",))
    run = list(range(tokenizer.first_id, tokenizer.first_id + count))
    rows = [row.tolist() for row in chunks]
    assert sum(row[i : i + count] == run for row in rows for i in range(len(row))) == 1
    assert sum(token >= tokenizer.first_id for row in rows for token in row) == count


def test_the_words_come_back_from_their_tokens(tiny_base: Base) -> None:
    tokenizer = WordTokenizer(tiny_base.tokenizer, {"sks": 3, "<s1>": 1})
    ids = tokenizer("a Red SKS emblem <s1>, gold", add_special_tokens=False).input_ids
    assert tokenizer.decode(ids).split() == ["a", "red", "sks", "emblem", "<s1>", ",", "gold"]


@pytest.fixture(scope="module")
def tokenizer_of_tiny_base(tiny_base_folder: Path) -> object:
    return open_base(str(tiny_base_folder)).tokenizer
