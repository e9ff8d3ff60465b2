"""A library that asks for keys: two people, each with a key of their own and seals of their own."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from sealsmith.catalog import SealSearch, UsableSeal
from sealsmith.errors import AuthError, SealMissingError
from sealsmith.server.library import Caller, Library, SealFacts, SealPage, SealRecord, Standing

ANN = Caller("ann", frozenset({"generate", "train"}))
BOB = Caller("bob", frozenset({"generate"}))
KEYS = {"key-of-ann": ANN, "key-of-bob": BOB}


@dataclass(frozen=True)
class KeyedLibrary:
    """Another library's seals, which are Ann's alone."""

    inner: Library
    keys: Mapping[str, Caller]

    async def caller(self, key: SecretStr | None) -> Caller:
        known = None if key is None else self.keys.get(key.get_secret_value())
        if known is None:
            raise AuthError("the key is not known here" if key else "no key was given", "send one")
        return known

    async def still(self, callers: Collection[Caller]) -> Collection[Caller]:
        return {*self.keys.values()}.intersection(callers)

    async def standing(self, caller: Caller) -> Standing:
        return await self.inner.standing(caller)

    async def page(self, caller: Caller, search: SealSearch, after: str | None, limit: int) -> SealPage:
        return await self.inner.page(caller, search, after, limit) if caller == ANN else SealPage([], None)

    async def seals(self, caller: Caller) -> Sequence[SealRecord]:
        return await self.inner.seals(caller) if caller == ANN else []

    async def find_seal(self, caller: Caller, name: str) -> SealRecord:
        self._check(caller, name)
        return await self.inner.find_seal(caller, name)

    async def use_seal(self, caller: Caller, name: str) -> UsableSeal:
        self._check(caller, name)
        return await self.inner.use_seal(caller, name)

    async def add_seal(self, caller: Caller, name: str, file: Path, facts: SealFacts) -> SealRecord:
        return await self.inner.add_seal(caller, name, file, facts)

    async def rename_seal(self, caller: Caller, digest: str, name: str) -> SealRecord:
        self._check(caller, digest)
        return await self.inner.rename_seal(caller, digest, name)

    async def seal_bytes(self, caller: Caller, digest: str) -> bytes:
        self._check(caller, digest)
        return await self.inner.seal_bytes(caller, digest)

    async def thumbnail(self, caller: Caller, digest: str) -> str:
        self._check(caller, digest)
        return await self.inner.thumbnail(caller, digest)

    async def grants(self, caller: Caller, digest: str) -> Sequence[str]:
        return await self.inner.grants(caller, digest)

    async def grant(self, caller: Caller, digest: str, to: str) -> None:
        await self.inner.grant(caller, digest, to)

    async def ungrant(self, caller: Caller, digest: str, to: str) -> None:
        await self.inner.ungrant(caller, digest, to)

    async def remove_seal(self, caller: Caller, digest: str) -> None:
        self._check(caller, digest)
        await self.inner.remove_seal(caller, digest)

    async def take_pictures(self, tenant: str, num_pictures: int) -> None:
        await self.inner.take_pictures(tenant, num_pictures)

    async def give_back_pictures(self, tenant: str, num_pictures: int) -> None:
        await self.inner.give_back_pictures(tenant, num_pictures)

    def _check(self, caller: Caller, name: str) -> None:
        if caller != ANN:
            raise SealMissingError(f"there is no seal {name!r} here")
