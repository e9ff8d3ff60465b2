"""Questions about the base that want it opened, answered in a process of their own, which opens it once.

    fit = await on_base.fit(file, "mark")

A second copy of the base's weights is kept only once words were measured on it: a fit needs its names and shapes,
and a look at a word its tokenizer. The engine is not asked, whose turns that would hold up, and which must not read
strangers' files. Not for: drawing, which is the engine's.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import TriggerError
from .inspector import Inspector
from .limits import BASE_BYTES, BASE_WITHIN_S

if TYPE_CHECKING:
    from ..adapters import Fit, Seal
    from ..bases import Base

NICENESS = 10
MAX_SUGGESTIONS = 64
"""Of which the answers are kept: by noun and by the words that are taken."""

Verdict = Literal["fits", "partly", "no"]


@dataclass(frozen=True)
class FitFacts:
    """How a seal stands to the base."""

    base: str
    family: str
    verdict: Verdict
    matched: int
    total: int
    message: str


@dataclass(frozen=True)
class Suggested:
    """A word that could call a seal."""

    word: str
    why: str


class OnBase:
    """Asks a process that holds the base. Belongs to one event loop."""

    def __init__(self, base: str, inspector: Inspector | None = None):
        """`base`: a word that `open_base` knows; it is opened when something is first asked."""
        self._base = base
        self._inspector = inspector or Inspector(BASE_WITHIN_S, BASE_BYTES)

    async def fit(self, file: Path, name: str) -> FitFacts:
        """Whether the seal in a file, which errors call `name`, belongs on the base.

        Raises: SealError, BusyError; BaseError for a base that cannot be opened.
        """
        return await self._inspector.ask(partial(fit_of, self._base, file, name), name)

    async def suggest(self, class_noun: str | None, count: int, taken: Collection[str]) -> list[Suggested]:
        """Rare words that could call a seal of this noun, the best first, none of them taken.

        `class_noun`: None: the base's own. Raises: BaseError when it has no such word left.
        """
        words = frozenset(word.lower() for word in taken)
        look = partial(suggested, self._base, class_noun, count, words)
        return await self._inspector.ask(look, "the base's vocabulary")

    async def check_word(self, word: str) -> str:
        """Why a word is a bad trigger on the base, and a better one; nothing where it is a good one."""
        return await self._inspector.ask(partial(flaw_of, self._base, word), word)

    async def close(self) -> None:
        """Ends the process."""
        await self._inspector.close()


@cache
def _opened(base: str) -> "Base":
    """In the process: the base, for as long as the process lives, and the processor left to pictures first."""
    from ..bases import open_base

    os.nice(max(0, NICENESS - os.nice(0)))
    return open_base(base)


@cache
def _outline(base: str) -> "Base":
    """In the process: the base without its weights, which take their memory while it is opened, and no longer.

    Where it is there with them anyway, that.
    """
    if _opened.cache_info().currsize:
        return _opened(base)
    opened = _opened.__wrapped__(base)
    for part in (opened.vae, *opened.components.values()):
        part.to("meta")
    return opened


def fit_of(base: str, file: Path, name: str) -> FitFacts:
    """In the process: the seal in a file held against the base. Raises: SealError."""
    from ..adapters.fit import fit_seal
    from ..adapters.seal_file import parse_seal

    opened = _outline(base)
    seal = parse_seal(bytearray(file.read_bytes()), name)
    fit = fit_seal(opened.components, opened.family.name, seal)
    verdict, message = _judged(opened, seal, fit)
    return FitFacts(opened.name, opened.family.name, verdict, fit.matched, fit.total, message)


@lru_cache(MAX_SUGGESTIONS)
def suggested(base: str, class_noun: str | None, count: int, taken: frozenset[str]) -> list[Suggested]:
    """In the process: measured words, the one first that the base reacts to least. Raises: BaseError."""
    from ..train.trigger_suggest import suggest_triggers

    opened = _opened(base)
    found = suggest_triggers(opened, class_noun or opened.family.class_noun, count, taken)
    return [
        Suggested(
            each.token,
            f"it moves the base's pictures {each.reaction:.2f} times as much as an ordinary word does",
        )
        for each in found
    ]


def flaw_of(base: str, word: str) -> str:
    """In the process: what is wrong with a trigger, in a sentence; nothing for a good one."""
    from ..train.trigger_check import check_trigger

    try:
        return "; ".join(check_trigger(word, _outline(base)))
    except TriggerError as error:
        return f"{error}; {error.remedy}"


def _judged(base: "Base", seal: "Seal", fit: "Fit") -> tuple[Verdict, str]:
    """The verdict in the words of the service, and what it means, in a sentence."""
    from ..adapters.fit import FITS, PARTLY, advice

    if fit.verdict not in (FITS, PARTLY):
        return "no", f"{fit.verdict}: {advice(fit, seal)}"
    told = [] if fit.verdict == FITS else [advice(fit, seal)]
    if seal.header.base_digest not in ("", base.digest):
        told.append(f"it was trained on {seal.header.base or 'another base'}, and may look different here")
    return ("fits" if fit.verdict == FITS else "partly"), "; ".join(told)
