"""The library of one person on their own machine: a folder of seal files, and no keys.

Not for: tenants, keys, quotas and sharing, which need a database.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from ..adapters.files import atomic_write
from ..adapters.seal import file_name
from ..catalog import SealSearch, UsableSeal
from ..engine.store import SealStore
from ..errors import ConfigError, InputError, MissingError, SealExistsError, SealMissingError
from ..generate.seal_syntax import find_seal, seal_files
from .inspection import inspect_seal
from .inspector import Inspector
from .library import Caller, SealFacts, SealPage, SealRecord, Standing, Used

OWNER = Caller("local", frozenset({"generate", "train", "admin"}))
MARK_DIGITS = 20
"""Of a file's time in a list's mark, so that marks are in the order of times."""


@dataclass(frozen=True)
class _Version:
    """What tells one content of a file from the next without reading it."""

    size: int
    changed_ns: int


class LocalLibrary:
    """A `Library` (library.py) over a folder. Seals that are put there by hand are found, too."""

    def __init__(self, folder: Path, store: SealStore, inspector: Inspector):
        """`store`: the engine's, which a seal's file goes into when it is first used."""
        self._folder, self._store, self._inspector = folder, store, inspector
        self._known: dict[Path, tuple[_Version, SealFacts]] = {}
        self._stored: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)

    async def caller(self, key: SecretStr | None) -> Caller:
        """The owner, whoever asks."""
        return OWNER

    async def still(self, callers: Collection[Caller]) -> Collection[Caller]:
        return callers

    async def standing(self, caller: Caller) -> Standing:
        stored = sum(record.facts.size_bytes for record in await self.seals(caller))
        return Standing(caller.tenant, caller.tenant, None, Used(0, 0, stored))

    async def seals(self, caller: Caller) -> list[SealRecord]:
        """Files that cannot be read are left out: who asks for one by its name learns why."""
        records = (await self._readable()).values()
        return sorted(records, key=lambda record: (record.name, record.facts.digest))

    async def page(self, caller: Caller, search: SealSearch, after: str | None, limit: int) -> SealPage:
        found = {
            self._mark(path): record
            for path, record in (await self._readable()).items()
            if _is_found(record, search)
        }
        marks = sorted((mark for mark in found if after is None or mark < after), reverse=True)
        return SealPage(
            [found[mark] for mark in marks[:limit]], marks[limit - 1] if len(marks) > limit else None
        )

    async def find_seal(self, caller: Caller, name: str) -> SealRecord:
        return await self._record(await self._path(name))

    async def use_seal(self, caller: Caller, name: str) -> UsableSeal:
        path = await self._path(name)
        record = await self._record(path)
        if record.facts.digest not in self._stored:
            digest = await self._store.put(await asyncio.to_thread(path.read_bytes))
            self._stored.add(digest)
        return UsableSeal(record.facts.digest, record.name, record.facts.trigger)

    async def add_seal(self, caller: Caller, name: str, file: Path, facts: SealFacts) -> SealRecord:
        path = self._folder / f"{name}.safetensors"
        if path.exists():
            record = await self._record(path)
            if record.facts.digest != facts.digest:
                raise SealExistsError(
                    f"another seal is called {name!r} already: {record.facts.digest[:12]}",
                    "give another name, or remove that one first",
                )
            return record
        await asyncio.to_thread(lambda: atomic_write(path, file.read_bytes()))
        return await self._record(path)

    async def rename_seal(self, caller: Caller, digest: str, name: str) -> SealRecord:
        path = (await self._paths(digest))[0]
        renamed = path.with_name(f"{name}.safetensors")
        if renamed != path:
            names = {file_name(each) for each in await asyncio.to_thread(seal_files, self._folder)}
            if name in names or renamed.exists():
                raise SealExistsError(
                    f"another seal is called {name!r} already", "give another name, or remove that one first"
                )
            path.rename(renamed)
            self._known.pop(path, None)
        return await self._record(renamed)

    async def remove_seal(self, caller: Caller, digest: str) -> None:
        for path in await self._paths(digest):
            path.unlink()
            self._known.pop(path, None)

    async def seal_bytes(self, caller: Caller, digest: str) -> bytes:
        return await asyncio.to_thread((await self._path(digest)).read_bytes)

    async def thumbnail(self, caller: Caller, digest: str) -> str:
        return (await self.find_seal(caller, digest)).facts.thumbnail

    async def grants(self, caller: Caller, digest: str) -> list[str]:
        raise _nobody_else()

    async def grant(self, caller: Caller, digest: str, to: str) -> None:
        raise _nobody_else()

    async def ungrant(self, caller: Caller, digest: str, to: str) -> None:
        raise _nobody_else()

    async def take_pictures(self, tenant: str, num_pictures: int) -> None:
        """The owner may draw as many as they like."""

    async def give_back_pictures(self, tenant: str, num_pictures: int) -> None:
        """Nobody counts."""

    async def _readable(self) -> dict[Path, SealRecord]:
        """Those of the folder's files that are seals."""
        records = {}
        for path in await asyncio.to_thread(seal_files, self._folder):
            try:
                records[path] = await self._record(path)
            except InputError:
                continue
        return records

    async def _paths(self, digest: str) -> list[Path]:
        """All files of this content. Raises: SealMissingError."""
        paths = await asyncio.to_thread(seal_files, self._folder)
        found = [path for path in paths if await self._has_digest(path, digest)]
        if not found:
            raise _missing(digest)
        return found

    def _mark(self, path: Path) -> str:
        """Where a file that was read stands in the list."""
        return f"{self._known[path][0].changed_ns:0{MARK_DIGITS}d} {file_name(path)}"

    async def _path(self, name: str) -> Path:
        """The file of this name or digest."""
        for path, (_, facts) in list(self._known.items()):
            if facts.digest == name and await self._has_digest(path, name):
                return path
        try:
            return await asyncio.to_thread(find_seal, name, [self._folder])
        except ConfigError as error:
            if len(name) == 64:
                for path in await asyncio.to_thread(seal_files, self._folder):
                    if await self._has_digest(path, name):
                        return path
            raise SealMissingError(f"there is no seal {name[:80]!r} here", error.remedy) from error

    async def _has_digest(self, path: Path, digest: str) -> bool:
        try:
            return (await self._record(path)).facts.digest == digest
        except InputError:
            return False

    async def _record(self, path: Path) -> SealRecord:
        """Of a file, read anew when it has changed. Raises: SealError."""
        name = file_name(path)
        try:
            status = path.stat()
        except OSError as error:
            raise _missing(name) from error
        version = _Version(status.st_size, status.st_mtime_ns)
        known = self._known.get(path)
        if known is None or known[0] != version:
            known = version, await self._inspector.run(inspect_seal, path, name)
            self._known[path] = known
        added = datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="seconds")
        facts = known[1]
        return SealRecord(name, facts, added, OWNER.tenant, True, bool(facts.thumbnail))


def _is_found(record: SealRecord, search: SealSearch) -> bool:
    facts, text = record.facts, search.text.strip().lower()
    return (
        any(text in each.lower() for each in (record.name, facts.trigger, facts.title))
        and search.trigger.lower() in ("", facts.trigger.lower())
        and any(each.startswith(search.hash.lower()) for each in (facts.digest, facts.tensors_digest))
    )


def _nobody_else() -> MissingError:
    return MissingError(
        "a local service has nobody to share a seal with", "serve without --local, for many people"
    )


def _missing(name: str) -> SealMissingError:
    return SealMissingError(f"there is no seal {name[:80]!r} here", "GET /v1/seals lists them")
