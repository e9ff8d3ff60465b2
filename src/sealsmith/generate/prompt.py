"""Words before they are encoded: putting a trigger in once, and keeping it inside the encoder's limit."""

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
    if _whole_word(trigger).search(prompt):
        return prompt, False
    noun = _free_noun(prompt, class_noun.strip(), taken)
    if noun is not None:
        return f"{prompt[: noun.start()]}{trigger} {noun['noun']}{prompt[noun.end() :]}", True
    if slot and slot in prompt and " of " not in prompt:
        head, tail = prompt.rsplit(slot, 1)
        return f"{head} of {trigger}{slot}{tail}", True
    return (f"{trigger}, {prompt}" if prompt.strip() else trigger), True


@dataclass(frozen=True)
class FittedPrompt:
    """A prompt as the text encoder will see it."""

    prompt: str
    """What is sent; differs from what came in only when a trigger had to be saved from the cut."""
    cut: str
    """The words at the end that the encoder does not see; empty when all fits."""


def fit_prompt(tokenizer: Any, prompt: str, triggers: Sequence[str] = ()) -> FittedPrompt:
    """The prompt with every trigger inside the tokenizer's limit, and what that limit cuts off.

    A trigger that would be cut off is repeated in front of the prompt; one the prompt lacks is not added.
    """
    ids = _token_ids(tokenizer, prompt)
    limit = tokenizer.model_max_length - tokenizer.num_special_tokens_to_add()
    if len(ids) <= limit:
        return FittedPrompt(prompt, "")
    lost = [
        trigger
        for trigger in triggers
        if _contains(ids, _token_ids(tokenizer, trigger))
        and not _contains(ids[:limit], _token_ids(tokenizer, trigger))
    ]
    if lost:
        prompt = ", ".join([*lost, prompt])
        ids = _token_ids(tokenizer, prompt)
    return FittedPrompt(prompt, tokenizer.decode(ids[limit:]).strip())


def _whole_word(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)


def _free_noun(prompt: str, noun: str, taken: Collection[str]) -> re.Match[str] | None:
    if not noun:
        return None
    pattern = re.compile(rf"(?<!\w)(?:an?[ \t]+)?(?P<noun>{re.escape(noun)})(?!\w)", re.IGNORECASE)
    endings = tuple(word.strip().lower() for word in taken)
    for match in pattern.finditer(prompt):
        if not (endings and prompt[: match.start()].rstrip().lower().endswith(endings)):
            return match
    return None


def _token_ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids)


def _contains(ids: Sequence[int], part: Sequence[int]) -> bool:
    return any(list(ids[i : i + len(part)]) == list(part) for i in range(len(ids) - len(part) + 1))
