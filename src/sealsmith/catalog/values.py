"""What the catalog gives out: frozen values. No row of a table and no database connection leaves with them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from pydantic import SecretStr

T = TypeVar("T")
KeyState = Literal["valid", "expired", "revoked"]


class Scope(StrEnum):
    """What a key is good for; none includes another."""

    GENERATE = "generate"
    TRAIN = "train"
    ADMIN = "admin"


class ArtefactKind(StrEnum):
    """What a tenant's file is."""

    PICTURE = "picture"
    UPLOAD = "upload"
    PREVIEW = "preview"
    CURVE = "curve"
    STUDY = "study"
    """A picture or a table of a study."""


@dataclass(frozen=True)
class Quota:
    """How much a tenant may."""

    pictures_a_day: int = 1000
    """Days begin at midnight in UTC."""
    trainings_at_once: int = 2
    """Waiting ones counted."""
    storage_bytes: int = 10 << 30
    """Of seals and all other files."""


@dataclass(frozen=True)
class Usage:
    """How much of its quota a tenant has used."""

    pictures_today: int
    storage_bytes: int


@dataclass(frozen=True)
class Tenant:
    """Who owns seals and keys."""

    id: str
    name: str
    quota: Quota
    created: datetime


@dataclass(frozen=True)
class Key:
    """An API key, without its secret."""

    id: str
    tenant: str
    """Its tenant's id."""
    prefix: str
    """How the key begins, for recognising it."""
    name: str
    scopes: frozenset[Scope]
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    last_used: datetime | None
    """To the minute."""

    def state(self, now: datetime) -> KeyState:
        """What it is worth."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "valid"


@dataclass(frozen=True)
class NewKey:
    """A key that was just made: the only moment at which its secret is known."""

    key: Key
    token: SecretStr


@dataclass(frozen=True)
class SealFacts:
    """What a seal file says of itself, as far as the catalog keeps it."""

    name: str
    base_digest: str
    family: str
    trigger: str = ""
    class_noun: str = ""
    method: str = "lora"
    title: str = ""
    base: str = ""
    """The base's name, for people."""
    rank: int = 0
    num_layers: int = 0
    scorecard: Mapping[str, Any] | None = None
    """As `Scorecard.to_dict` gives it."""
    thumbnail: str = ""
    """"data:image/jpeg;base64,...", or nothing."""


@dataclass(frozen=True)
class SealRecord:
    """One tenant's seal for one base."""

    tenant: str
    """The owner's id."""
    digest: str
    """SHA-256 of the file, 64 hex digits."""
    base_digest: str
    name: str
    trigger: str
    class_noun: str
    method: str
    family: str
    title: str
    base: str
    rank: int
    num_layers: int
    size_bytes: int
    created: datetime
    verdict: str | None
    """"pass", "fail" or "unproven", which no judge could tell; None: never measured."""
    scorecard: Mapping[str, Any] | None
    has_thumbnail: bool


@dataclass(frozen=True)
class UsableSeal:
    """What drawing with a seal needs to know, once its tenant may."""

    digest: str
    name: str
    """What its owner calls it."""
    trigger: str


@dataclass(frozen=True)
class SealSearch:
    """Which seals are looked for; what is empty rules out none."""

    text: str = ""
    """In the name, the trigger or the title, whatever the case; or how the hash begins."""
    trigger: str = ""
    """All of it, whatever the case."""
    hash: str = ""
    """How the file's SHA-256 begins (AutoV2 is one such beginning), or that of its tensors alone (AutoV3)."""


@dataclass(frozen=True)
class Artefact:
    """A file of a tenant that is no seal."""

    id: str
    tenant: str
    kind: ArtefactKind
    name: str
    media_type: str
    digest: str
    size_bytes: int
    about: Mapping[str, Any]
    """What its kind has to say, as a picture's recipe; JSON."""
    job: str | None
    """Id of the job it belongs to."""
    created: datetime


@dataclass(frozen=True)
class NewArtefact:
    """A file that is to become an artefact."""

    kind: ArtefactKind
    data: bytes
    media_type: str
    name: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
    job: str | None = None


@dataclass(frozen=True)
class Page(Generic[T]):
    """Part of a list, newest first."""

    items: tuple[T, ...]
    next: str | None
    """What to ask for the rest with; None: this was the last part."""
