"""What the service asks about people and seals: who is it, which seals are theirs, may they use this one.

`Library` is the whole protocol. Not for: what is in a seal (inspector.py), or drawing with it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import SecretStr

from ..catalog import Quota, SealSearch, UsableSeal
from ..errors import ForbiddenError

Scope = Literal["generate", "train", "admin"]
"""generate: draw, and see one's seals; train: bring, change, share and remove seals; admin: other people's
affairs."""


@dataclass(frozen=True)
class Caller:
    """Somebody who has shown who they are."""

    tenant: str
    scopes: frozenset[Scope]
    key: str = ""
    """How their key begins, which is no secret; empty: there is none."""

    def check_scope(self, scope: Scope) -> None:
        """Raises: ForbiddenError."""
        if scope not in self.scopes:
            raise ForbiddenError(
                f"this key is for {', '.join(sorted(self.scopes)) or 'nothing'}, not for {scope}",
                f"use a key with the scope {scope!r}",
            )


@dataclass(frozen=True)
class SealFacts:
    """What a seal file says of itself, once it has been read to its last byte."""

    digest: str
    """SHA-256 of the file, 64 hex digits: what it is known by."""
    size_bytes: int
    title: str
    trigger: str
    class_noun: str
    family: str
    base: str
    """Its name, for people."""
    base_digest: str
    method: str
    rank: int
    num_layers: int
    scorecard: Mapping[str, Any] | None = None
    thumbnail: str = ""
    """"data:image/jpeg;base64,...", or nothing."""
    tensors_digest: str = ""
    """SHA-256 of the file behind its header; empty: not looked at."""


@dataclass(frozen=True)
class SealRecord:
    """A seal in somebody's library."""

    name: str
    """What prompts call it."""
    facts: SealFacts
    added: str
    """When it came, ISO 8601."""
    owner: str
    """Whose it is, by name."""
    is_own: bool
    """Whether it is the asker's, not only shared with them."""
    has_thumbnail: bool

    @property
    def verdict(self) -> str | None:
        """Of its scorecard; None: it was never measured."""
        verdict = (self.facts.scorecard or {}).get("verdict")
        return None if verdict is None else str(verdict)

    def check_own(self) -> None:
        """Raises: ForbiddenError for one that is only shared with the asker."""
        if not self.is_own:
            raise ForbiddenError(
                f"the seal {self.facts.digest[:12]} is not yours, only shared with you", "ask its owner"
            )


@dataclass(frozen=True)
class SealPage:
    """Part of a list of seals, the newest first."""

    records: Sequence[SealRecord]
    next: str | None
    """What to ask for the rest with; None: this was the last part."""


@dataclass(frozen=True)
class Used:
    """How much of a quota is used."""

    pictures_today: int
    trainings: int
    """Waiting or at work."""
    storage_bytes: int


@dataclass(frozen=True)
class Standing:
    """Who somebody is, what they may, and how much of it they have used."""

    tenant: str
    name: str
    quota: Quota | None
    """None: they may as much as they like."""
    used: Used


class Library(Protocol):
    """Who is asking, and what is theirs: their own seals, and those that were shared with them."""

    async def caller(self, key: SecretStr | None) -> Caller:
        """Whose key this is; None: no key was given. Raises: AuthError."""
        ...

    async def still(self, callers: Collection[Caller]) -> Collection[Caller]:
        """Those who may still ask for what they could when their keys came: valid, the same tenant's and scopes."""
        ...

    async def standing(self, caller: Caller) -> Standing:
        """Who the caller is, for themselves."""
        ...

    async def seals(self, caller: Caller) -> Sequence[SealRecord]:
        """All of the caller's seals, by name."""
        ...

    async def page(self, caller: Caller, search: SealSearch, after: str | None, limit: int) -> SealPage:
        """Those that are looked for, the newest first. `after`: `next` of the part before. Raises: ConfigError."""
        ...

    async def find_seal(self, caller: Caller, name: str) -> SealRecord:
        """The seal of this name or digest. Raises: SealMissingError, also where it is somebody else's."""
        ...

    async def use_seal(self, caller: Caller, name: str) -> UsableSeal:
        """What drawing with the seal of this name or digest needs; from then on the engine's store has its file.

        Raises: SealMissingError, also where it is somebody else's; ConflictError where a name means several.
        """
        ...

    async def add_seal(self, caller: Caller, name: str, file: Path, facts: SealFacts) -> SealRecord:
        """The seal in a file that was inspected, taken into the library under a name that was checked.

        The file is copied. One that is there already under this name is no error.
        Raises: SealExistsError when another has the name.
        """
        ...

    async def rename_seal(self, caller: Caller, digest: str, name: str) -> SealRecord:
        """The seal under another name, which was checked.

        Raises: SealMissingError; ForbiddenError for one that was only shared; SealExistsError for a name that is
        taken.
        """
        ...

    async def remove_seal(self, caller: Caller, digest: str) -> None:
        """Raises: SealMissingError; ForbiddenError for one that was only shared with the caller."""
        ...

    async def seal_bytes(self, caller: Caller, digest: str) -> bytes:
        """The file of a seal, as it is stored. Raises: SealMissingError."""
        ...

    async def thumbnail(self, caller: Caller, digest: str) -> str:
        """A seal's small picture, "data:image/jpeg;base64,..."; or nothing. Raises: SealMissingError."""
        ...

    async def grants(self, caller: Caller, digest: str) -> Sequence[str]:
        """Names of the tenants that the caller's seal is shared with, in the order in which they came.

        Raises: SealMissingError; ForbiddenError for one that was only shared; MissingError where nothing is.
        """
        ...

    async def grant(self, caller: Caller, digest: str, to: str) -> None:
        """Lets the tenant of that name use the caller's seal; again, it changes nothing.

        Raises: as `grants`; MissingError for the tenant, ConfigError for oneself.
        """
        ...

    async def ungrant(self, caller: Caller, digest: str, to: str) -> None:
        """Takes that back, from the next request on; by the caller's own name, they give up what was shared with
        them. Raises: as `grant`, but for ConfigError.
        """
        ...

    async def take_pictures(self, tenant: str, num_pictures: int) -> None:
        """Counts pictures that are about to be drawn. Raises: QuotaError, with when to come again."""
        ...

    async def give_back_pictures(self, tenant: str, num_pictures: int) -> None:
        """Uncounts pictures that were not drawn after all."""
        ...
