"""What the routes of seals take and answer."""

from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, Field

from .library import SealRecord
from .limits import MAX_NAME_CHARACTERS, MAX_TENANT_CHARACTERS
from .schema import Strict

SealId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of its file.")]
TenantName = Annotated[str, Path(min_length=1, max_length=MAX_TENANT_CHARACTERS)]
After = Annotated[str | None, Query(max_length=200, description="`next` of the part before.")]
Limit = Annotated[int, Query(ge=1, le=200)]
ExportDialect = Literal["sealsmith", "diffusers", "kohya"]
"""sealsmith: the file as it came."""


class SealBody(BaseModel):
    """A seal that the caller may use."""

    id: str = Field(description="SHA-256 of its file.")
    name: str = Field(description="What prompts call it.")
    added: str = Field(description="ISO 8601.")
    size_bytes: int
    title: str
    trigger: str
    class_noun: str
    family: str
    base: str
    method: str
    rank: int
    num_layers: int
    verdict: str | None = Field(description="Of its scorecard; null: it was never measured.")
    scorecard: dict[str, Any] | None = Field(description="Where one seal is asked for; null in lists.")
    owner: str = Field(description="Whose it is, by name.")
    is_own: bool = Field(description="False: it is only shared with the caller.")
    has_thumbnail: bool


class SealsBody(BaseModel):
    """Some seals, the newest first."""

    seals: list[SealBody]
    next: str | None = Field(description="What to send as `after` for the rest.")


class SealChange(Strict):
    """What is to change."""

    name: Annotated[
        str,
        Field(min_length=1, max_length=4 * MAX_NAME_CHARACTERS, description="What prompts are to call it."),
    ]


class FitBody(BaseModel):
    """A seal held against a base."""

    base: str
    family: str
    verdict: Literal["fits", "partly", "no"]
    matched: int = Field(description="Layers that have a place in the base.")
    total: int
    message: str


class FitsBody(BaseModel):
    fits: list[FitBody]


class GrantBody(BaseModel):
    """Somebody with whom a seal is shared."""

    tenant: str = Field(description="By name.")


class GrantsBody(BaseModel):
    grants: list[GrantBody]


def seal_body(record: SealRecord, *, is_whole: bool = True) -> SealBody:
    """`is_whole`: with its scorecard."""
    facts = record.facts
    return SealBody(
        id=facts.digest, name=record.name, added=record.added, size_bytes=facts.size_bytes, title=facts.title,
        trigger=facts.trigger, class_noun=facts.class_noun, family=facts.family, base=facts.base,
        method=facts.method, rank=facts.rank, num_layers=facts.num_layers, verdict=record.verdict,
        scorecard=dict(facts.scorecard) if is_whole and facts.scorecard is not None else None,
        owner=record.owner, is_own=record.is_own, has_thumbnail=record.has_thumbnail,
    )  # fmt: skip
