"""Laws of suggested triggers: measured, free, and none that training would then warn about."""

from dataclasses import astuple
from pathlib import Path

import pytest
import torch
from seal_examples import random_seal

from sealsmith.adapters import write_seal
from sealsmith.bases import Base
from sealsmith.errors import BaseError, ConfigError
from sealsmith.train.trigger_check import check_trigger
from sealsmith.train.trigger_suggest import candidates, suggest_triggers, used_triggers


def set_row(base: Base, word: str, row: torch.Tensor) -> None:
    """Gives a word of the base another embedding."""
    rows = base.text_encoder.get_input_embeddings().weight
    rows[base.tokenizer.get_vocab()[f"{word}</w>"]] = row


def row_of(base: Base, word: str) -> torch.Tensor:
    rows: torch.Tensor = base.text_encoder.get_input_embeddings().weight
    return rows[base.tokenizer.get_vocab()[f"{word}</w>"]].clone()


def test_suggestions_are_ordered_finite_and_fine_for_training(tiny_base: Base) -> None:
    found = suggest_triggers(tiny_base, "emblem")
    assert {suggestion.token for suggestion in found} == {"sks", "ohwx", "zwx"}
    reactions = [suggestion.reaction for suggestion in found]
    assert reactions == sorted(reactions)
    assert all(0 < figure < 10 for suggestion in found for figure in astuple(suggestion)[1:])
    assert not [warning for suggestion in found for warning in check_trigger(suggestion.token, tiny_base)]


def test_what_is_taken_is_not_suggested(tiny_base: Base) -> None:
    assert {s.token for s in suggest_triggers(tiny_base, "zwx", taken=["SKS"])} == {"ohwx"}
    with pytest.raises(BaseError, match="no rare words to choose from"):
        suggest_triggers(tiny_base, "emblem", taken=["sks", "ohwx", "zwx"])


@pytest.mark.parametrize("word", ["sks", "ohwx", "zwx"])
def test_a_word_the_base_takes_for_nothing_comes_first(tiny_base: Base, word: str) -> None:
    set_row(tiny_base, word, row_of(tiny_base, "a"))
    [first] = suggest_triggers(tiny_base, "emblem", count=1)
    assert (first.token, first.reaction, first.reading) == (word, 0, 0)


@pytest.mark.parametrize("factor", [0.01, 100])
def test_an_embedding_of_no_usual_length_is_left_out(tiny_base: Base, factor: float) -> None:
    set_row(tiny_base, "ohwx", row_of(tiny_base, "ohwx") * factor)
    assert {s.token for s in suggest_triggers(tiny_base, "emblem")} == {"sks", "zwx"}


def test_candidates_of_another_family_are_short_and_the_rarest_come_first(tiny_sd1: Base) -> None:
    words = candidates(tiny_sd1)
    vocabulary = tiny_sd1.tokenizer.get_vocab()
    numbers = [vocabulary[f"{word}</w>"] for word in words if word not in tiny_sd1.family.rare_tokens]
    assert numbers == sorted(numbers, reverse=True)
    assert words[:2] == ["sks", "ohwx"]
    assert {"zwx", "red"} <= set(words)
    assert not {"a", "emblem", "wood"} & set(words)


def test_every_word_counts_in_the_progress(tiny_base: Base) -> None:
    seen: list[tuple[int, int]] = []
    suggest_triggers(tiny_base, "emblem", on_progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == list(range(1, len(seen) + 1))
    assert {total for _, total in seen} == {len(seen)}


def test_it_is_the_same_again(tiny_base: Base) -> None:
    assert suggest_triggers(tiny_base, "emblem") == suggest_triggers(tiny_base, "emblem")


@pytest.mark.parametrize(("noun", "count"), [("  ", 5), ("emblem", 0)])
def test_what_makes_no_sense_is_refused(tiny_base: Base, noun: str, count: int) -> None:
    with pytest.raises(ConfigError, match="make no sense"):
        suggest_triggers(tiny_base, noun, count)


def test_used_triggers_are_read_from_the_files_in_a_folder(tiny_base: Base, tmp_path: Path) -> None:
    write_seal(tmp_path / "one.safetensors", random_seal(tiny_base, ("to_q",), trigger="sks"))
    write_seal(tmp_path / "deep" / "two.safetensors", random_seal(tiny_base, ("to_q",), trigger="OHWX man"))
    (tmp_path / "broken.safetensors").write_bytes(b"no seal")
    write_seal(tmp_path / "bare.safetensors", random_seal(tiny_base, ("to_q",), trigger=""))
    (tmp_path / "bare.json").write_text('{"activation text": "zwx, gold"}')
    assert used_triggers(tmp_path) == {"sks", "ohwx", "man", "zwx", "gold"}
    assert used_triggers(tmp_path / "missing") == set()
