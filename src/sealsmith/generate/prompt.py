"""Words before they are encoded: a trigger put in once and taken out again, and kept inside the encoder's limit."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import TriggerError


@dataclass(frozen=True)
class Insertion:
    """One trigger put into a prompt: from the character `start` on, `old` became `new`."""

    trigger: str
    start: int
    old: str
    new: str


def insert_trigger(
    prompt: str, trigger: str, class_noun: str, slot: str | None = None, taken: Collection[str] = ()
) -> tuple[str, bool]:
    """The prompt with its trigger in it once, and whether it had to be inserted; see `find_insertion`."""
    insertion = find_insertion(prompt, trigger, class_noun, slot, taken)
    return _insert(prompt, insertion), insertion is not None


def insert_triggers(
    prompt: str, wanted: Sequence[tuple[str, str]], slot: str | None = None
) -> tuple[str, tuple[Insertion | None, ...]]:
    """The prompt with the main trigger of every seal in it, and what was put in for each, in order.

    `wanted` has (trigger, class noun) of each seal. None stands for a seal whose trigger was there already, or
    which has none.
    """
    insertions: list[Insertion | None] = []
    triggers = [main_trigger(trigger) for trigger, _ in wanted]
    for index, (trigger, (_, noun)) in enumerate(zip(triggers, wanted, strict=True)):
        taken = [other for other in triggers[:index] if other]
        insertion = find_insertion(prompt, trigger, noun, slot, taken) if trigger else None
        prompt = _insert(prompt, insertion)
        insertions.append(insertion)
    return prompt, tuple(insertions)


def find_insertion(
    prompt: str, trigger: str, class_noun: str, slot: str | None = None, taken: Collection[str] = ()
) -> Insertion | None:
    """How a missing trigger goes into a prompt; None when it is there.

    A trigger already there as a whole word, in any case, is left as it is. A missing one goes, in this order:
    before the class noun, in place of its "a" or "an" ("a seal of an emblem" -> "a seal of sks emblem"),
    skipping nouns that already follow one of the `taken` triggers; before the last `slot` of a prompt without
    " of " ("a red wax seal on wood" -> "a red wax seal of sks on wood"); in front of everything ("sks, ...").
    All other words stay as they were typed.
    Raises: TriggerError when the trigger is blank.
    """
    trigger = trigger.strip()
    if not trigger:
        raise TriggerError("the trigger is blank", "name a rare word, e.g. sks")
    if _whole_word(trigger).search(prompt):
        return None
    noun = _free_noun(prompt, class_noun.strip(), taken)
    if noun is not None:
        return Insertion(trigger, noun.start(), prompt[noun.start() : noun.start("noun")], f"{trigger} ")
    if slot and slot in prompt and " of " not in prompt:
        return Insertion(trigger, prompt.rindex(slot), "", f" of {trigger}")
    if prompt.strip():
        return Insertion(trigger, 0, "", f"{trigger}, ")
    return Insertion(trigger, 0, prompt, trigger)


def remove_trigger(prompt: str, insertion: Insertion | None) -> str:
    """The prompt without the trigger that was put into it, for when its seal is put aside.

    Undoes the insertion where it was made, or, if the prompt was edited since, where its words stand now; nothing
    else changes. Several insertions go last first. None leaves the prompt alone: the user typed the trigger.
    The insertion of a finished picture is `find_insertion` of the prompt as typed, which its recipe keeps.
    """
    if insertion is None:
        return prompt
    places = [match.start() for match in _whole(insertion.new).finditer(prompt)]
    if not places:
        return prompt
    start = min(places, key=lambda place: abs(place - insertion.start))
    return prompt[:start] + insertion.old + prompt[start + len(insertion.new) :]


def main_trigger(triggers: str) -> str:
    """The first of the words that activate a seal, which foreign files list with commas; empty if there is none.

    Only this one is ever inserted: all tags at once would draw the training set.
    """
    return next((word for word in map(str.strip, triggers.split(",")) if word), "")


@dataclass(frozen=True)
class FittedPrompt:
    """A prompt as the text encoder will see it."""

    prompt: str
    """What is sent; differs from what came in only when a trigger had to be saved from the cut."""
    cut: str
    """The words at the end that the encoder does not see; empty when all fits."""


def fit_prompt(tokenizer: Any, prompt: str, max_tokens: int, triggers: Sequence[str] = ()) -> FittedPrompt:
    """The prompt with every trigger inside the encoder's limit, and what that limit cuts off.

    `max_tokens` is that limit, start and end tokens counted (`Base.prompt_tokens`). A trigger that would be cut
    off is repeated in front of the prompt; one the prompt lacks is not added.
    """
    ids = token_ids(tokenizer, prompt)
    limit = max_tokens - tokenizer.num_special_tokens_to_add()
    if len(ids) <= limit:
        return FittedPrompt(prompt, "")
    lost = [
        trigger
        for trigger in filter(str.strip, triggers)
        if find_run(ids, token_ids(tokenizer, trigger))
        and not find_run(ids[:limit], token_ids(tokenizer, trigger))
    ]
    if lost:
        prompt = ", ".join([*lost, prompt])
        ids = token_ids(tokenizer, prompt)
    return FittedPrompt(prompt, tokenizer.decode(ids[limit:]).strip())


def token_ids(tokenizer: Any, text: str) -> list[int]:
    """The tokens of a text as numbers, without start and end, however many they are."""
    return list(tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids)


def find_run(ids: Sequence[int], part: Sequence[int]) -> list[int]:
    """Where `part` stands in `ids`: the index of each beginning."""
    last = len(ids) - len(part)
    return [start for start in range(last + 1) if list(ids[start : start + len(part)]) == list(part)]


def _insert(prompt: str, insertion: Insertion | None) -> str:
    if insertion is None:
        return prompt
    end = insertion.start + len(insertion.old)
    return prompt[: insertion.start] + insertion.new + prompt[end:]


def _whole_word(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)


def _whole(words: str) -> re.Pattern[str]:
    """`words` where they are no part of longer ones; spaces and commas at their ends need no such care."""
    before = r"(?<!\w)" if words[0].isalnum() else ""
    behind = r"(?!\w)" if words[-1].isalnum() else ""
    return re.compile(before + re.escape(words) + behind)


def _free_noun(prompt: str, noun: str, taken: Collection[str]) -> re.Match[str] | None:
    if not noun:
        return None
    pattern = re.compile(rf"(?<!\w)(?:an?[ \t]+)?(?P<noun>{re.escape(noun)})(?!\w)", re.IGNORECASE)
    endings = tuple(word.strip().lower() for word in taken)
    for match in pattern.finditer(prompt):
        if not (endings and prompt[: match.start()].rstrip().lower().endswith(endings)):
            return match
    return None
