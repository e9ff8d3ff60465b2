"""The library of many people: tenants, keys, quotas and sharing, as the catalog has them.

Every question goes to the database, in a thread of its own, so that a key or a grant that was taken back is worth
nothing from the next request on. The engine reads the catalog's own store: nothing is copied.
Not for: one person's folder (local.py).
"""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from .. import catalog as kept
from ..catalog.paging import MAX_PAGE
from ..catalog.seals import MAX_THUMBNAIL_CHARS
from ..errors import AuthError
from .library import Caller, SealFacts, SealRecord

DIGEST = re.compile(r"[0-9a-f]{64}")


class CatalogLibrary:
    """A `Library` (library.py) over a catalog."""

    def __init__(self, catalog: kept.Catalog):
        """`catalog`: stays open for as long as this is asked."""
        self._catalog = catalog

    async def caller(self, key: str | None) -> Caller:
        if key is None:
            raise AuthError("no key was given", "send `Authorization: Bearer KEY`")
        known = await asyncio.to_thread(self._catalog.keys.authenticate, key)
        return Caller(known.tenant.id, frozenset(scope.value for scope in known.key.scopes))

    async def seals(self, caller: Caller) -> Sequence[SealRecord]:
        return await asyncio.to_thread(self._all, caller.tenant)

    async def find_seal(self, caller: Caller, name: str) -> SealRecord:
        return _record(await asyncio.to_thread(self._found, caller.tenant, name))

    async def use_seal(self, caller: Caller, name: str) -> SealRecord:
        return await self.find_seal(caller, name)

    async def add_seal(self, caller: Caller, name: str, file: Path, facts: SealFacts) -> SealRecord:
        """Raises: as `Library.add_seal`; QuotaError, and what the catalog's database and store raise."""
        return _record(await asyncio.to_thread(self._add, caller.tenant, name, file, facts))

    async def remove_seal(self, caller: Caller, digest: str) -> None:
        await asyncio.to_thread(self._remove, caller.tenant, digest)

    async def take_pictures(self, tenant: str, num_pictures: int) -> None:
        await asyncio.to_thread(self._catalog.tenants.take_pictures, tenant, num_pictures)

    async def give_back_pictures(self, tenant: str, num_pictures: int) -> None:
        await asyncio.to_thread(self._catalog.tenants.give_back_pictures, tenant, num_pictures)

    def _all(self, tenant: str) -> list[SealRecord]:
        records: list[SealRecord] = []
        after: str | None = None
        while True:
            page = self._catalog.seals.page(tenant, after=after, limit=MAX_PAGE)
            records += map(_record, page.items)
            if page.next is None:
                return sorted(records, key=lambda record: (record.name, record.facts.digest))
            after = page.next

    def _found(self, tenant: str, name: str) -> kept.SealRecord:
        seals = self._catalog.seals
        return seals.usable(tenant, name) if DIGEST.fullmatch(name) else seals.named(tenant, name)

    def _add(self, tenant: str, name: str, file: Path, facts: SealFacts) -> kept.SealRecord:
        return self._catalog.seals.add(tenant, file.read_bytes(), _catalog_facts(name, facts), by_name=True)

    def _remove(self, tenant: str, digest: str) -> None:
        record = self._catalog.seals.usable(tenant, digest)
        self._catalog.seals.delete(tenant, digest, record.base_digest)


def _catalog_facts(name: str, facts: SealFacts) -> kept.SealFacts:
    """What the catalog keeps; a preview that is too large for it is left out, as the file has it still."""
    return kept.SealFacts(
        name=name,
        base_digest=facts.base_digest,
        family=facts.family,
        trigger=facts.trigger,
        class_noun=facts.class_noun,
        method=facts.method,
        title=facts.title,
        base=facts.base,
        rank=facts.rank,
        num_layers=facts.num_layers,
        scorecard=facts.scorecard,
        thumbnail=facts.thumbnail if len(facts.thumbnail) <= MAX_THUMBNAIL_CHARS else "",
    )


def _record(record: kept.SealRecord) -> SealRecord:
    facts = SealFacts(
        digest=record.digest,
        size_bytes=record.size_bytes,
        title=record.title,
        trigger=record.trigger,
        class_noun=record.class_noun,
        family=record.family,
        base=record.base,
        base_digest=record.base_digest,
        method=record.method,
        rank=record.rank,
        num_layers=record.num_layers,
        scorecard=record.scorecard,
    )
    return SealRecord(record.name, facts, record.created.isoformat(timespec="seconds"))
