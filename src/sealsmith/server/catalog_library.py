"""The library of many people: tenants, keys, quotas and sharing, as the catalog has them.

Every question goes to the database, so that a key or a grant that was taken back is worth nothing from the next
request on: in a thread of its own, but for what every picture asks of a database that answers at once. The engine
reads the catalog's own store: nothing is copied.
Not for: one person's folder (local.py).
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

from pydantic import SecretStr

from .. import catalog as kept
from ..catalog.paging import MAX_PAGE
from ..catalog.seals import MAX_THUMBNAIL_CHARS
from ..engine.store import is_digest
from ..errors import AuthError
from .library import Caller, SealFacts, SealPage, SealRecord, Standing
from .people import used_of

_Asked = ParamSpec("_Asked")
_Told = TypeVar("_Told")


class CatalogLibrary:
    """A `Library` (library.py) over a catalog."""

    def __init__(self, catalog: kept.Catalog):
        """`catalog`: stays open for as long as this is asked."""
        self._catalog = catalog

    async def caller(self, key: SecretStr | None) -> Caller:
        if key is None:
            raise AuthError("no key was given", "send `Authorization: Bearer KEY`")
        keys = self._catalog.keys
        return _caller(await _soon(keys.authenticate_at_once, keys.authenticate, key.get_secret_value()))

    async def still(self, callers: Collection[Caller]) -> Collection[Caller]:
        valid = await asyncio.to_thread(self._catalog.keys.still_valid, {caller.key for caller in callers})
        return {_caller(key) for key in valid}.intersection(callers)

    async def standing(self, caller: Caller) -> Standing:
        return await asyncio.to_thread(self._standing, caller.tenant)

    async def seals(self, caller: Caller) -> Sequence[SealRecord]:
        return await asyncio.to_thread(self._all, caller.tenant)

    async def page(self, caller: Caller, search: kept.SealSearch, after: str | None, limit: int) -> SealPage:
        return await asyncio.to_thread(self._page, caller.tenant, search, after, limit)

    async def find_seal(self, caller: Caller, name: str) -> SealRecord:
        return await asyncio.to_thread(self._found, caller.tenant, name)

    async def use_seal(self, caller: Caller, name: str) -> kept.UsableSeal:
        seals = self._catalog.seals
        return await _soon(seals.to_draw_at_once, seals.to_draw, caller.tenant, name)

    async def add_seal(self, caller: Caller, name: str, file: Path, facts: SealFacts) -> SealRecord:
        """Raises: as `Library.add_seal`; QuotaError, and what the catalog's database and store raise."""
        return await asyncio.to_thread(self._add, caller.tenant, name, file, facts)

    async def rename_seal(self, caller: Caller, digest: str, name: str) -> SealRecord:
        return await asyncio.to_thread(self._renamed, caller.tenant, digest, name)

    async def remove_seal(self, caller: Caller, digest: str) -> None:
        await asyncio.to_thread(self._remove, caller.tenant, digest)

    async def seal_bytes(self, caller: Caller, digest: str) -> bytes:
        """Raises: as `Library.seal_bytes`; StoreError; MissingError for a file that the store has lost."""
        return await asyncio.to_thread(self._catalog.seals.read, caller.tenant, digest)

    async def thumbnail(self, caller: Caller, digest: str) -> str:
        return await asyncio.to_thread(self._catalog.seals.thumbnail, caller.tenant, digest)

    async def grants(self, caller: Caller, digest: str) -> Sequence[str]:
        return await asyncio.to_thread(self._grants, caller.tenant, digest)

    async def grant(self, caller: Caller, digest: str, to: str) -> None:
        await asyncio.to_thread(self._grant, caller.tenant, digest, to)

    async def ungrant(self, caller: Caller, digest: str, to: str) -> None:
        await asyncio.to_thread(self._ungrant, caller.tenant, digest, to)

    async def take_pictures(self, tenant: str, num_pictures: int) -> None:
        await asyncio.to_thread(self._catalog.tenants.take_pictures, tenant, num_pictures)

    async def give_back_pictures(self, tenant: str, num_pictures: int) -> None:
        await asyncio.to_thread(self._catalog.tenants.give_back_pictures, tenant, num_pictures)

    def _standing(self, tenant: str) -> Standing:
        known = self._catalog.tenants.get(tenant)
        return Standing(known.id, known.name, known.quota, used_of(self._catalog, tenant))

    def _all(self, tenant: str) -> list[SealRecord]:
        records: list[SealRecord] = []
        after: str | None = None
        while True:
            page = self._page(tenant, kept.SealSearch(), after, MAX_PAGE)
            records += page.records
            if page.next is None:
                return sorted(records, key=lambda record: (record.name, record.facts.digest))
            after = page.next

    def _page(self, tenant: str, search: kept.SealSearch, after: str | None, limit: int) -> SealPage:
        page = self._catalog.seals.page(tenant, search, after, limit)
        return SealPage(self._records(tenant, page.items), page.next)

    def _found(self, tenant: str, name: str) -> SealRecord:
        seals = self._catalog.seals
        found = seals.usable(tenant, name) if is_digest(name) else seals.named(tenant, name)
        return self._record(tenant, found)

    def _add(self, tenant: str, name: str, file: Path, facts: SealFacts) -> SealRecord:
        wanted = _catalog_facts(name, facts)
        return self._record(tenant, self._catalog.seals.add(tenant, file.read_bytes(), wanted, by_name=True))

    def _renamed(self, tenant: str, digest: str, name: str) -> SealRecord:
        base = self._base_of(tenant, digest)
        return self._record(tenant, self._catalog.seals.rename(tenant, digest, base, name))

    def _remove(self, tenant: str, digest: str) -> None:
        self._catalog.seals.delete(tenant, digest, self._base_of(tenant, digest))

    def _grants(self, tenant: str, digest: str) -> list[str]:
        shared = self._catalog.seals.grants(tenant, digest, self._base_of(tenant, digest))
        names = self._catalog.tenants.names(shared)
        return [names[each] for each in shared if each in names]

    def _grant(self, tenant: str, digest: str, to: str) -> None:
        base = self._base_of(tenant, digest)
        self._catalog.seals.grant(tenant, digest, base, self._catalog.tenants.named(to).id)

    def _ungrant(self, tenant: str, digest: str, to: str) -> None:
        base, whose = self._base_of(tenant, digest), self._catalog.tenants.named(to).id
        if whose == tenant:
            self._catalog.seals.decline(tenant, digest)
        else:
            self._catalog.seals.ungrant(tenant, digest, base, whose)

    def _base_of(self, tenant: str, digest: str) -> str:
        return self._catalog.seals.usable(tenant, digest).base_digest

    def _record(self, tenant: str, record: kept.SealRecord) -> SealRecord:
        return self._records(tenant, [record])[0]

    def _records(self, tenant: str, records: Sequence[kept.SealRecord]) -> list[SealRecord]:
        """As the tenant sees them."""
        owners = self._catalog.tenants.names(record.tenant for record in records)
        return [_record(record, owners.get(record.tenant, ""), record.tenant == tenant) for record in records]


async def _soon(
    at_once: Callable[_Asked, _Told | None],
    patiently: Callable[_Asked, _Told],
    *args: _Asked.args,
    **kwargs: _Asked.kwargs,
) -> _Told:
    """What can be said at once; else what the other says, in a thread."""
    told = at_once(*args, **kwargs)
    return await asyncio.to_thread(patiently, *args, **kwargs) if told is None else told


def _caller(key: kept.Key) -> Caller:
    return Caller(key.tenant, frozenset(scope.value for scope in key.scopes), key.prefix)


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


def _record(record: kept.SealRecord, owner: str, is_own: bool) -> SealRecord:
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
    added = record.created.isoformat(timespec="seconds")
    return SealRecord(record.name, facts, added, owner, is_own, record.has_thumbnail)
