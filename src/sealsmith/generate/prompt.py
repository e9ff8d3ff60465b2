"""Words before they are encoded: a trigger put in once, and kept inside the encoder's limit."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import TriggerError


def insert_trigger(
    prompt: str, trigger: str, class_noun: str, slot: str | None = None, taken: Collection[str] = ()
) -> tuple[str, bool]:
    """The prompt with its trigger in it once, and whether it had to be inserted.

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
    if has_trigger(prompt, trigger):
        return prompt, False
    noun = _free_noun(prompt, class_noun.strip(), taken)
    if noun is not None:
        return f"{prompt[: noun.start()]}{trigger} {prompt[noun.start('noun') :]}", True
    if slot and slot in prompt and " of " not in prompt:
        start = prompt.rindex(slot)
        return f"{prompt[:start]} of {trigger}{prompt[start:]}", True
    return f"{trigger}, {prompt}" if prompt.strip() else trigger, True


def insert_triggers(prompt: str, wanted: Sequence[tuple[str, str]], slot: str | None = None) -> str:
    """The prompt with the main trigger of every seal in it; `wanted` has (trigger, class noun) of each.

    Who wants to put a seal aside goes back to the prompt as it was typed, which a picture's recipe keeps.
    """
    taken: list[str] = []
    for words, noun in wanted:
        if trigger := main_trigger(words):
            prompt, _ = insert_trigger(prompt, trigger, noun, slot, taken)
            taken.append(trigger)
    return prompt


def has_trigger(text: str, trigger: str) -> bool:
    """Whether a text says the trigger as a whole word, in any case; false of an empty one."""
    return bool(trigger) and _whole_word(trigger).search(text) is not None


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


def _whole_word(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)


def _free_noun(prompt: str, noun: str, taken: Collection[str]) -> re.Match[str] | None:
    if not noun:
        return None
    pattern = re.compile(rf"(?<!\w)(?:an?[ \t]+)?(?P<noun>{re.escape(noun)})(?!\w)", re.IGNORECASE)
    endings = tuple(word.strip().lower() for word in taken)
    longest = max(map(len, endings), default=0)
    for match in pattern.finditer(prompt):
        end = match.start()
        while end and prompt[end - 1].isspace():
            end -= 1
        if not (endings and prompt[max(0, end - longest) : end].lower().endswith(endings)):
            return match
    return None
