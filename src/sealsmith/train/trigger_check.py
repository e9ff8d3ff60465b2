"""Whether a trigger can work on a base, before any training is spent on it."""

from ..bases import Base
from ..errors import TriggerError

ORDINARY_WORD_LETTERS = 4
"""From this length on a vocabulary word is taken for an ordinary one where a base lists few rare tokens."""


def check_trigger(trigger: str, base: Base) -> list[str]:
    """Warnings about the trigger, each a sentence with a better suggestion; empty when it is a good one.

    Raises: TriggerError when no prompt could call it: it is empty or holds a comma.
    """
    words = trigger.strip()
    if not words:
        raise TriggerError(f"the trigger is empty: {trigger!r}", f"choose a rare word{_such_as(base, words)}")
    if "," in words:
        raise TriggerError(
            f"the trigger holds a comma: {trigger!r}", f"choose one rare word{_such_as(base, words)}"
        )
    pieces = base.tokenizer.tokenize(words)
    if base.tokenizer.unk_token in pieces:
        flaw = f"the base doesn't know the trigger {words!r}: it reads any unknown word"
    elif len(pieces) > 1:
        flaw = f"the base splits the trigger {words!r} into {len(pieces)} pieces"
    elif is_ordinary_word(words, base):
        flaw = f"the trigger {words!r} is an ordinary word of the base, which already means something"
    else:
        return []
    return [f"{flaw}; better take a rare word{_such_as(base, words)}"]


def is_ordinary_word(word: str, base: Base) -> bool:
    """Whether the base's vocabulary holds this whole word with a meaning of its own."""
    word = word.lower()
    if word in base.family.rare_tokens or f"{word}</w>" not in base.tokenizer.get_vocab():
        return False
    return base.family.name == "sealworld" or len(word) >= ORDINARY_WORD_LETTERS


def _such_as(base: Base, trigger: str) -> str:
    """ ", such as 'sks'": the first rare token that stays in one piece, if there is one."""
    whole = (t for t in base.family.rare_tokens if t != trigger and len(base.tokenizer.tokenize(t)) == 1)
    suggestion = next(whole, None)
    return f", such as {suggestion!r}" if suggestion else ""
