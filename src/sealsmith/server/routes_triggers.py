"""`/v1/triggers`: which words can call a seal, before any training is spent on one."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from .keyed_route import KeyedRoute
from .library import Caller
from .limits import MAX_SUGGESTED, MAX_WORD_CHARACTERS
from .routes_pictures import Word
from .service import Keeper, Service, ServiceOf

router = APIRouter(route_class=KeyedRoute, prefix="/v1/triggers", tags=["triggers"])


class SuggestionBody(BaseModel):
    """A word that could call a seal."""

    word: str
    why: str


class SuggestionsBody(BaseModel):
    """The best first."""

    suggestions: list[SuggestionBody]


class TriggerBody(BaseModel):
    """What speaks for or against a word."""

    word: str
    is_good: bool
    advice: str = Field(description="What is wrong with it, and what to do; empty for a good one.")


@router.get("/suggest", response_model=SuggestionsBody)
async def suggest_triggers(
    service: ServiceOf,
    caller: Keeper,
    class_noun: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=MAX_WORD_CHARACTERS,
            description="What the seal is; the base's own if left out.",
        ),
    ] = None,
    n: Annotated[int, Query(ge=1, le=MAX_SUGGESTED, description="How many words.")] = 5,
) -> SuggestionsBody:
    """Rare words that the base barely reacts to, measured on the base, without those that call the caller's seals.
    The first request takes seconds."""
    taken = await _callers_words(service, caller)
    found = await service.on_base.suggest((class_noun or "").strip() or None, n, taken)
    return SuggestionsBody(suggestions=[SuggestionBody(word=each.word, why=each.why) for each in found])


@router.get("/check", response_model=TriggerBody)
async def check_trigger(
    service: ServiceOf,
    caller: Keeper,
    word: Annotated[Word, Query(description="The word that is to call the seal.")],
) -> TriggerBody:
    """Whether a word is a good trigger: one piece, rare, and not the trigger of another of the caller's seals."""
    flaws = [await service.on_base.check_word(word)]
    if (name := (await _callers_words(service, caller)).get(word.strip().lower())) is not None:
        flaws.append(f"it calls the seal {name!r} already; better take another word")
    advice = "; ".join(filter(None, flaws))
    return TriggerBody(word=word, is_good=not advice, advice=advice)


async def _callers_words(service: Service, caller: Caller) -> Mapping[str, str]:
    """The triggers of the seals that the caller may use, in lower case, with the names of these."""
    return {
        record.facts.trigger.lower(): record.name
        for record in await service.library.seals(caller)
        if record.facts.trigger
    }
