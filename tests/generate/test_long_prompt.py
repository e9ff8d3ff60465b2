"""Laws of chunks: nothing lost, nothing torn apart, and what fits is encoded as ever."""

from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sealsmith.bases import Base, concatenate, open_base
from sealsmith.bench.tiny_bases import WORDS
from sealsmith.generate.long_prompt import BACKTRACK, encode_long, pad_chunks, split_pair, split_prompt
from sealsmith.generate.prompt import find_run, token_ids

PROMPTS = st.lists(st.sampled_from([*WORDS, ",", ",", "qxqxq", "unknownword"]), max_size=150).map(" ".join)
SHORT = st.lists(st.sampled_from([*WORDS, ","]), max_size=75).map(" ".join)


@pytest.fixture(scope="module")
def base(tiny_base_folder: Path) -> Base:
    """One for all examples: no test changes it."""
    return open_base(str(tiny_base_folder))


def contents(tokenizer: Any, chunks: torch.Tensor) -> list[list[int]]:
    """The tokens between start and end of each chunk."""
    rows = []
    for row in chunks.tolist():
        assert row[0] == tokenizer.bos_token_id
        end = row.index(tokenizer.eos_token_id, 1)
        assert set(row[end + 1 :]) <= {tokenizer.pad_token_id}
        rows.append(row[1:end])
    return rows


@given(PROMPTS)
def test_chunks_hold_all_words_in_order(base: Base, prompt: str) -> None:
    chunks = split_prompt(base.tokenizer, prompt)
    assert chunks.shape[1] == 77
    assert list(chain(*contents(base.tokenizer, chunks))) == token_ids(base.tokenizer, prompt)


@given(PROMPTS)
def test_no_word_is_torn(base: Base, prompt: str) -> None:
    rows = contents(base.tokenizer, split_prompt(base.tokenizer, prompt))
    for row in rows[:-1]:
        assert base.tokenizer.convert_ids_to_tokens(row[-1]).endswith("</w>")


@given(PROMPTS)
def test_a_border_is_behind_a_comma_that_is_near(base: Base, prompt: str) -> None:
    comma = base.tokenizer.convert_tokens_to_ids(",</w>")
    rows = contents(base.tokenizer, split_prompt(base.tokenizer, prompt))
    for row in rows[:-1]:
        assert row[-1] == comma or comma not in row[-BACKTRACK - 1 :]
        assert row[-1] == comma or len(row) > 75 - 11  # no word here has more than 11 tokens


@given(st.integers(0, 160))
def test_a_trigger_is_never_torn(base: Base, position: int) -> None:
    words = ["wood"] * 160
    words[position:position] = ["sks", "gold", "star"]
    rows = contents(
        base.tokenizer, split_prompt(base.tokenizer, " ".join(words), ["sks gold star", "ohwx", ""])
    )
    trigger = token_ids(base.tokenizer, "sks gold star")
    assert sum(len(find_run(row, trigger)) for row in rows) == 1


@given(st.integers(76, 400))
def test_a_word_longer_than_a_chunk_fills_several(base: Base, length: int) -> None:
    rows = contents(base.tokenizer, split_prompt(base.tokenizer, "q" * length))
    assert [len(row) for row in rows[:-1]] == [75] * (len(rows) - 1)
    assert sum(map(len, rows)) == length


@given(SHORT)
@settings(max_examples=30)
def test_what_fits_is_the_tokenizer_s_own(base: Base, prompt: str) -> None:
    plain = base.tokenizer(prompt, padding="max_length", max_length=77, truncation=True, return_tensors="pt")
    assert torch.equal(split_prompt(base.tokenizer, prompt), plain.input_ids)


FAMILIES = pytest.mark.parametrize("fixture", ["tiny_base", "tiny_sd1", "tiny_sdxl", "tiny_flux"])
CHUNKED = pytest.mark.parametrize("fixture", ["tiny_base", "tiny_sd1", "tiny_sdxl"])


@FAMILIES
@pytest.mark.parametrize("negative", [None, "", "blue ink"])
@torch.no_grad()
def test_what_fits_is_encoded_as_ever_to_the_bit(
    request: pytest.FixtureRequest, fixture: str, negative: str | None
) -> None:
    base: Base = request.getfixturevalue(fixture)
    plain = base.family.workings.encode(base, "a red wax seal of sks emblem")
    if negative is not None:
        plain = concatenate([base.family.workings.unconditional(base, negative), plain])
    assert encode_long(base, "a red wax seal of sks emblem", negative, ["sks"]).is_equal(plain)


@CHUNKED
@torch.no_grad()
def test_chunks_lie_end_to_end_and_the_first_is_pooled(request: pytest.FixtureRequest, fixture: str) -> None:
    base: Base = request.getfixturevalue(fixture)
    workings = base.family.workings
    words = "wood, " * 60
    [tokenizer, *_] = workings.chunk_tokenizers(base)
    first, second = (tokenizer.decode(row) for row in contents(tokenizer, split_prompt(tokenizer, words)))
    encoded = encode_long(base, words, None)
    assert encoded.text.shape[:2] == (1, 2 * 77)
    one, two = workings.encode(base, first), workings.encode(base, second)
    assert torch.equal(encoded.text, torch.cat([one.text, two.text], dim=1))
    assert encoded.pooled is None or torch.equal(encoded.pooled, one.pooled)


@CHUNKED
@torch.no_grad()
def test_what_guidance_pushes_away_from_is_as_long(request: pytest.FixtureRequest, fixture: str) -> None:
    base: Base = request.getfixturevalue(fixture)
    workings = base.family.workings
    without = encode_long(base, "wood, " * 60, "")[:1]
    nothing = workings.unconditional(base).text
    assert torch.equal(without.text, torch.cat([nothing, nothing], dim=1))
    short = encode_long(base, "wood, " * 60, "blue ink")[:1]
    assert torch.equal(short.text[:, :77], workings.encode(base, "blue ink").text)
    assert torch.equal(short.text[:, 77:], workings.encode(base, "").text)
    long = encode_long(base, "wood", "blue ink, " * 60)
    assert long.text.shape[:2] == (2, 3 * 77)


@given(PROMPTS, PROMPTS)
@settings(max_examples=30)
def test_a_negative_has_as_many_chunks_and_the_rest_is_empty(base: Base, prompt: str, negative: str) -> None:
    pair = split_pair(base.tokenizer, prompt, negative)
    assert pair[0].shape == pair[1].shape
    for chunks, text in zip(pair, (prompt, negative), strict=True):
        own = split_prompt(base.tokenizer, text)
        assert torch.equal(chunks[: len(own)], own)
        assert not any(contents(base.tokenizer, chunks[len(own) :]))


def test_a_padding_token_of_its_own_is_used(base: Base) -> None:
    class Padded:
        """The tokenizer as SDXL's second one: it pads with token 0."""

        pad_token_id = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(base.tokenizer, name)

        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return base.tokenizer(*arguments, **options)

    chunks = pad_chunks(Padded(), split_prompt(Padded(), "wood"), 2)
    assert chunks[0, 3:].unique().tolist() == [0]
    assert chunks[1, :3].tolist() == [base.tokenizer.bos_token_id, base.tokenizer.eos_token_id, 0]
