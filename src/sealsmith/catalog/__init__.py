"""Whose seals there are: tenants, keys, quotas, seals, grants and other files, in a database and an object store.

Synchronous, for threads; typed values out. Importing this imports no torch. Not for: work that takes long (jobs/),
or what a seal file holds (adapters/), of which callers say what they found.
"""

from .catalog import Catalog, open_catalog
from .values import (
    Artefact,
    ArtefactKind,
    Key,
    KeyState,
    NewArtefact,
    NewKey,
    Page,
    Quota,
    Scope,
    SealFacts,
    SealRecord,
    SealSearch,
    Tenant,
    UsableSeal,
    Usage,
)
from .verify import Lost, Verification

__all__ = [
    "Artefact",
    "ArtefactKind",
    "Catalog",
    "Key",
    "KeyState",
    "Lost",
    "NewArtefact",
    "NewKey",
    "Page",
    "Quota",
    "Scope",
    "SealFacts",
    "SealRecord",
    "SealSearch",
    "Tenant",
    "UsableSeal",
    "Usage",
    "Verification",
    "open_catalog",
]
