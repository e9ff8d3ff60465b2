"""Laws of triggers: once, as a word of its own, never cut off, and the user's words stay the user's."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.bases import Base
from sealsmith.errors import TriggerError
from sealsmith.generate import fit_prompt, insert_trigger
from sealsmith.generate.prompt import (
    insert_triggers,
    main_trigger,
)

PROMPTS = st.text(max_size=60) | st.lists(
    st.sampled_from(
        [
            "a",
            "an",
            "the",
            "emblem",
            "emblems",
            "tasks",
            "sks",
            "SKS,",
            "of",
            "on",
            "wood",
            "wax",
            "seal",
            "An",
            "EMBLEM.",
            "ohwx",
            "on",
            "of",
        ]
    )
).map(" ".join)
TRIGGERS = st.sampled_from(["sks", "ohwx emblem", "<mark>", "Möbius"]) | st.text(min_size=1).filter(str.strip)
NOUNS = st.sampled_from(["emblem", "wax seal", ""])
SLOTS = st.sampled_from([None, " on "])


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a red wax seal of an emblem on wood", "a red wax seal of sks emblem on wood"),
        ("a red wax seal of the emblem on wood", "a red wax seal of the sks emblem on wood"),
        ("An Emblem on wood", "sks Emblem on wood"),
        ("a red wax seal on wood", "a red wax seal of sks on wood"),
        ("a seal on paper on wood", "a seal on paper of sks on wood"),
        ("a red wax seal of a fox on wood", "sks, a red wax seal of a fox on wood"),
        ("many tasks, emblems", "sks, many tasks, emblems"),
        ("", "sks"),
    ],
)
def test_where_a_missing_trigger_goes(prompt: str, expected: str) -> None:
    assert insert_trigger(prompt, "sks", "emblem", " on ") == (expected, True)


@pytest.mark.parametrize("prompt", ["a wax seal of SKS on wood", "sks, wood", "wood (sks)"])
def test_a_trigger_that_is_there_is_left_as_typed(prompt: str) -> None:
    assert insert_trigger(prompt, "sks", "emblem", " on ") == (prompt, False)


def test_without_a_slot_a_missing_trigger_goes_in_front() -> None:
    assert insert_trigger("a red wax seal on wood", "sks", "dog") == ("sks, a red wax seal on wood", True)


def test_two_seals_get_a_noun_each() -> None:
    prompt = "a wax seal of an emblem and an ink stamp of an emblem on wood"
    prompt = insert_triggers(prompt, [("sks", "emblem"), ("ohwx", "emblem")], " on ")
    assert prompt == "a wax seal of sks emblem and an ink stamp of ohwx emblem on wood"


@given(PROMPTS, TRIGGERS, NOUNS, SLOTS)
def test_inserting_is_idempotent(prompt: str, trigger: str, noun: str, slot: str | None) -> None:
    once, _ = insert_trigger(prompt, trigger, noun, slot)
    assert insert_trigger(once, trigger, noun, slot) == (once, False)


@given(PROMPTS, TRIGGERS, NOUNS, SLOTS)
def test_taking_out_what_was_inserted_gives_the_users_words(
    prompt: str, trigger: str, noun: str, slot: str | None
) -> None:
    sent, inserted = insert_trigger(prompt, trigger, noun, slot)
    if not inserted:
        assert sent == prompt
        return
    word = trigger.strip()
    candidates = {
        sent[: match.start()] + article + sent[match.end() :]
        for added in (f" of {word}", f"{word}, ", f"{word} ")
        for match in re.finditer(re.escape(added), sent)
        for article in ("", "a ", "an ", "An ")
    }
    assert prompt in candidates or (sent == word and not prompt.strip())


@given(PROMPTS, st.sampled_from(["sks", "Sks", "SKS"]), NOUNS, SLOTS)
def test_another_case_is_the_same_trigger(prompt: str, again: str, noun: str, slot: str | None) -> None:
    once, _ = insert_trigger(prompt, "sks", noun, slot)
    assert insert_trigger(once, again, noun, slot) == (once, False)


@given(PROMPTS, st.sampled_from(["", " ", ",", " , "]), NOUNS, SLOTS)
def test_a_seal_without_a_trigger_inserts_nothing(
    prompt: str, none: str, noun: str, slot: str | None
) -> None:
    assert insert_triggers(prompt, [(none, noun)], slot) == prompt


def test_of_several_words_only_the_main_one_goes_in() -> None:
    assert main_trigger(" ohwx man, red coat, 1boy") == "ohwx man"
    sent = insert_triggers("a portrait", [("ohwx man, red coat, 1boy", "man"), ("", "dog"), ("zwx", "")])
    assert sent == "zwx, ohwx man, a portrait"


@given(st.text("abcdefgh_0123", min_size=1), st.text("abcdefgh_0123", min_size=1))
def test_a_trigger_inside_another_word_does_not_count(before: str, after: str) -> None:
    for word in (f"{before}sks", f"sks{after}", f"{before}sks{after}"):
        assert insert_trigger(word, "sks", "emblem") == (f"sks, {word}", True)


def test_a_blank_trigger_is_refused() -> None:
    with pytest.raises(TriggerError, match="the trigger is blank"):
        insert_trigger("a wax seal", "  ", "emblem")


def test_a_prompt_that_fits_is_sent_as_it_is(tiny_base: Base) -> None:
    fitted = fit_prompt(tiny_base.tokenizer, "a red wax seal of sks emblem on wood", 77, ["sks"])
    assert (fitted.prompt, fitted.cut) == ("a red wax seal of sks emblem on wood", "")


@given(st.integers(0, 200))
def test_what_is_kept_and_what_is_cut_make_the_whole(tiny_base_words: Base, num_words: int) -> None:
    words = ["wood"] * num_words + ["stone"] * 3
    fitted = fit_prompt(tiny_base_words.tokenizer, " ".join(words), tiny_base_words.prompt_tokens)
    assert fitted.prompt == " ".join(words)
    assert fitted.cut.split() == words[75:]


def test_an_encoder_s_own_limit_counts(tiny_base_words: Base) -> None:
    fitted = fit_prompt(tiny_base_words.tokenizer, "wood wood stone stone", 4)
    assert fitted.cut == "stone stone"


@given(st.integers(0, 200))
def test_a_trigger_is_never_cut_off(tiny_base_words: Base, position: int) -> None:
    words = ["wood"] * 120
    words.insert(position, "sks")
    tokenizer = tiny_base_words.tokenizer
    fitted = fit_prompt(tokenizer, " ".join(words), 77, ["sks", "ohwx"])
    seen = tokenizer(fitted.prompt, truncation=True, max_length=tokenizer.model_max_length).input_ids
    (sks,) = tokenizer("sks", add_special_tokens=False).input_ids
    (ohwx,) = tokenizer("ohwx", add_special_tokens=False).input_ids
    assert sks in seen
    assert ohwx not in seen
    assert fitted.prompt.endswith(" ".join(words))


@pytest.fixture(scope="module")
def tiny_base_words(tiny_base_folder: object) -> Base:
    """The tiny base for many examples: only its tokenizer is used, which no test changes."""
    from sealsmith.bases import open_base

    return open_base(str(tiny_base_folder))
