"""A whole `sealsmith serve` in processes of its own, on a catalog with tenants, keys and seals, to be measured.

Not for: asking it for anything (http_load.py).
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from ..adapters import dump_seal
from ..bases import Base
from ..catalog import Catalog, Quota, Scope, SealFacts, open_catalog
from ..catalog.places import places
from ..errors import EngineError
from .made_seals import made_seal
from .same_engine import Round

END_WITHIN_S = 60
WITHOUT_LIMIT = Quota(pictures_a_day=10**9, trainings_at_once=10**6, storage_bytes=1 << 40)
RANKS = (4, 8, 16)


@dataclass(frozen=True)
class Tenant:
    """Somebody who asks."""

    id: str
    key: str
    seals: tuple[str, ...]
    """Digests of their own; the n-th is called `mark-n`."""


@dataclass(frozen=True)
class Stage:
    """A folder with a catalog in it, and who is in that."""

    folder: Path
    store: str
    tenants: tuple[Tenant, ...]
    others: tuple[Tenant, ...] = ()

    @property
    def further(self) -> "Stage":
        """The same folder, and only the others in it."""
        return Stage(self.folder, self.store, self.others)


@dataclass(frozen=True)
class Serving:
    """A server at work."""

    url: str
    process: psutil.Process
    """The API's."""

    def memory_mib(self) -> tuple[float, float]:
        """Resident, of the API's process, and of all that it has started."""
        started = self.process.children(recursive=True)
        return _mib([self.process]), _mib(started)


def set_stage(folder: Path, base: Base, num_tenants: int, seals_each: int, num_others: int = 0) -> Stage:
    """A new catalog of tenants without limits, each with a key and seals of random numbers; others have one."""
    where = places(folder)
    with open_catalog(where.database, where.store) as catalog:
        tenants = tuple(_tenant(catalog, base, number, seals_each) for number in range(num_tenants))
        others = tuple(_tenant(catalog, base, num_tenants + number, 1) for number in range(num_others))
    return Stage(folder, where.store, tenants, others)


@contextmanager
def serving(stage: Stage, base: str) -> Iterator[Serving]:
    """`sealsmith serve` on a stage, without workers, until the context ends. Raises: EngineError."""
    command = ["sealsmith", "serve", "--base", base, "--data", str(stage.folder)]
    command += ["--key-rate", "0", "--tenant-rate", "0", "--workers", "0", "--port", "0"]
    with _begun(stage, command) as (process, url):
        yield Serving(url, psutil.Process(process.pid))


@dataclass(frozen=True)
class BothWays:
    """A server whose engine is asked over HTTP or without it."""

    url: str
    process: "subprocess.Popen[str]"

    def alone_s(self, wanted: Round) -> float:
        """Seconds in which its engine drew a round without HTTP. Raises: EngineError."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(msgspec.json.encode(wanted).decode() + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise EngineError("the server ended in the middle of a round", "see its log")
        return float(line)


@contextmanager
def serving_both_ways(stage: Stage, base: str) -> Iterator[BothWays]:
    """A whole service on a stage, whose engine also draws without HTTP. Raises: EngineError."""
    command = [Round.__module__, str(stage.folder), base]
    with _begun(stage, command) as (process, url):
        yield BothWays(url, process)


@contextmanager
def _begun(stage: Stage, words: Sequence[str]) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """A module at work with these words, and the address that it says. Raises: EngineError."""
    log = stage.folder / "serve.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                last = log.read_text(errors="replace")[-400:]
                raise EngineError(f"the server did not start: {last}", "see whether `sealsmith serve` does")
            yield process, url
        finally:
            _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.communicate(timeout=END_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _tenant(catalog: Catalog, base: Base, number: int, num_seals: int) -> Tenant:
    tenant = catalog.tenants.create(f"tenant {number}", WITHOUT_LIMIT).id
    key = catalog.keys.create(tenant, Scope).token.get_secret_value()
    targets = base.family.targets(("attention",))
    digests = []
    for index in range(num_seals):
        seal = made_seal(base, RANKS[index % len(RANKS)], targets, number * 10_007 + index)
        facts = SealFacts(f"mark-{index}", base.digest, base.family.name, base=base.name)
        digests.append(catalog.seals.add(tenant, dump_seal(seal), facts).digest)
    return Tenant(tenant, key, tuple(digests))


def _mib(processes: Sequence[psutil.Process]) -> float:
    """Resident; of one that has ended meanwhile, nothing."""
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20
