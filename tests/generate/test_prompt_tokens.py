import pytest
import torch

from sealsmith.errors import ConfigError
from sealsmith.generate.long_prompt import split_prompt
from sealsmith.generate.prompt_tokens import END, START, lay_out_prompt, telling_words

PROMPT = "a red wax seal of sks on wood"


def test_every_column_of_the_text_has_one_row(tiny_base):
    tokens = lay_out_prompt(tiny_base, PROMPT)
    assert tokens.texts == (*PROMPT.split(), START, END)
    num_words = len(tokens.ids)
    assert tokens.columns == (num_words, *range(num_words), *[num_words + 1] * (77 - 1 - num_words))


def test_merging_columns_loses_no_attention(tiny_base):
    tokens = lay_out_prompt(tiny_base, PROMPT)
    shares = torch.rand(77, 6).softmax(0)
    merged = tokens.merged(shares)
    assert torch.allclose(merged.sum(0), torch.ones(6))
    assert torch.equal(merged[5], shares[6])  # "sks" stands behind the start
    with pytest.raises(ValueError, match="reads 76 tokens, the prompt has 77"):
        tokens.merged(shares[:76])


def test_long_prompts_have_a_start_and_an_end_in_every_chunk(tiny_base):
    prompt = ", ".join(["a red wax seal on wood"] * 20 + ["sks star"])
    tokens = lay_out_prompt(tiny_base, prompt, ["sks star"])
    chunks = split_prompt(tiny_base.tokenizer, prompt, ["sks star"])
    assert len(chunks) > 1
    assert len(tokens.columns) == chunks.numel()
    assert tokens.columns.count(len(tokens.ids)) == len(chunks)
    flat = chunks.flatten().tolist()
    own = [flat[column] for column, row in enumerate(tokens.columns) if row < len(tokens.ids)]
    assert own == list(tokens.ids)
    assert [tokens.texts[row] for row in tokens.find("sks star")] == ["sks", "star"]


def test_a_cut_prompt_has_no_second_chunk(tiny_base):
    tokens = lay_out_prompt(tiny_base, "red " * 100 + "sks", is_cut=True)
    assert len(tokens.columns) == 77
    assert not tokens.has("sks")


def test_t5_has_an_end_but_no_start(tiny_flux):
    tokens = lay_out_prompt(tiny_flux, PROMPT)
    num_words = len(tokens.ids)
    assert num_words not in tokens.columns
    assert tokens.columns[: num_words + 1] == (*range(num_words), num_words + 1)
    assert tokens.find("wax seal") == (*tokens.find("wax"), *tokens.find("seal"))


def test_words_are_found_wherever_they_stand(tiny_base):
    assert lay_out_prompt(tiny_base, "red wood and red snow").find("red") == (0, 3)
    assert lay_out_prompt(tiny_base, "a red xq on wood").find("xq") == (2, 3)


@pytest.mark.parametrize("word", ["moon", "", "wood wax"])
def test_words_that_are_not_there_are_refused(tiny_base, word):
    with pytest.raises(ConfigError, match="is not among the words"):
        lay_out_prompt(tiny_base, PROMPT).find(word)


def test_telling_words_lead_with_the_trigger_and_name_each_once():
    assert telling_words("a Red seal of sks emblem on red wood", ["sks"]) == (
        "sks", "Red", "seal", "emblem", "wood",
    )  # fmt: skip
    assert telling_words("the of on", ["sks"]) == ()
