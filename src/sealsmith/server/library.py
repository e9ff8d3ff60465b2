"""What the service asks about people and seals: who is it, which seals are theirs, may they use this one.

`Library` is the whole protocol. Not for: what is in a seal (inspector.py), or drawing with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from ..errors import ForbiddenError

Scope = Literal["generate", "train", "admin"]
"""generate: draw, and see one's seals; train: bring and remove seals; admin: other people's affairs."""


@dataclass(frozen=True)
class Caller:
    """Somebody who has shown who they are."""

    tenant: str
    scopes: frozenset[Scope]

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


@dataclass(frozen=True)
class SealRecord:
    """A seal in somebody's library."""

    name: str
    """What prompts call it."""
    facts: SealFacts
    added: str
    """When it came, ISO 8601."""


class Library(Protocol):
    """Who is asking, and what is theirs: their own seals, and those that were shared with them."""

    async def caller(self, key: str | None) -> Caller:
        """Whose key this is; None: no key was given. Raises: AuthError."""
        ...

    async def seals(self, caller: Caller) -> Sequence[SealRecord]:
        """All of the caller's seals, by name."""
        ...

    async def find_seal(self, caller: Caller, name: str) -> SealRecord:
        """The seal of this name or digest. Raises: SealMissingError, also where it is somebody else's."""
        ...

    async def use_seal(self, caller: Caller, name: str) -> SealRecord:
        """As `find_seal`; from then on the engine's store has its file."""
        ...

    async def add_seal(self, caller: Caller, name: str, file: Path, facts: SealFacts) -> SealRecord:
        """The seal in a file that was inspected, taken into the library under a name that was checked.

        The file is copied. One that is there already under this name is no error.
        Raises: SealExistsError when another has the name.
        """
        ...

    async def remove_seal(self, caller: Caller, digest: str) -> None:
        """Raises: SealMissingError; ForbiddenError for one that was only shared with the caller."""
        ...

    async def take_pictures(self, tenant: str, num_pictures: int) -> None:
        """Counts pictures that are about to be drawn. Raises: QuotaError, with when to come again."""
        ...

    async def give_back_pictures(self, tenant: str, num_pictures: int) -> None:
        """Uncounts pictures that were not drawn after all."""
        ...
