"""Laws of chunks: nothing lost, nothing torn apart, and what fits is encoded as ever."""

from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sealsmith.bases import Base, open_base
from sealsmith.generate.long_prompt import BACKTRACK, encode_chunks, pad_chunks, split_pair, split_prompt
from sealsmith.generate.prompt import find_run, token_ids
from tests.conftest import WORDS

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


def encode(base: Base, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        states: torch.Tensor = base.text_encoder(ids)[0]
    return states


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
def test_what_fits_is_encoded_as_ever_to_the_bit(base: Base, prompt: str) -> None:
    plain = base.tokenizer(prompt, padding="max_length", max_length=77, truncation=True, return_tensors="pt")
    chunks = split_prompt(base.tokenizer, prompt)
    assert torch.equal(chunks, plain.input_ids)
    states = encode_chunks(chunks, lambda ids: encode(base, ids))
    assert torch.equal(states, encode(base, plain.input_ids))


@given(PROMPTS, PROMPTS)
@settings(max_examples=30)
def test_a_negative_has_as_many_chunks_and_the_rest_is_empty(base: Base, prompt: str, negative: str) -> None:
    pair = split_pair(base.tokenizer, prompt, negative)
    assert pair[0].shape == pair[1].shape
    for chunks, text in zip(pair, (prompt, negative), strict=True):
        own = split_prompt(base.tokenizer, text)
        assert torch.equal(chunks[: len(own)], own)
        assert not any(contents(base.tokenizer, chunks[len(own) :]))


def test_states_of_chunks_lie_end_to_end(base: Base) -> None:
    chunks = split_prompt(base.tokenizer, "wood, " * 60)
    states = encode_chunks(chunks, lambda ids: encode(base, ids))
    assert states.shape == (1, 2 * 77, 32)
    assert torch.equal(states[:, 77:], encode(base, chunks[1:]))


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
