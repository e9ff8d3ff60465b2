"""The exchange between store, disk and memory: real stores, real faults, random histories."""

import asyncio
import itertools
import os
import random
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, as_completed, wait
from pathlib import Path

import pytest
from bad_store import BadStore, bad_store
from full_disk import files_of_at_most
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import s3_folder

from sealsmith.engine.disk_cache import DiskCache
from sealsmith.engine.exchange import FETCHES_AT_ONCE, READS_AT_ONCE, Exchange
from sealsmith.engine.ledger import Ledger
from sealsmith.engine.store import SealStore, digest_of, open_store, path_of
from sealsmith.errors import (
    BusyError,
    ConfigError,
    EngineError,
    SealFormatError,
    SealMissingError,
    SealSizeError,
    StoreError,
)

MISSING = "0" * 64


def content(number: int, num_bytes: int = 100) -> bytes:
    return random.Random(number).randbytes(num_bytes)


def as_is(key: str, data: bytearray) -> tuple[bytes, int]:
    return bytes(data), len(data)


class Slowly:
    """Prepares when it is told to, and counts."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun = threading.Event()
        self.prepared: list[str] = []

    def __call__(self, key: str, data: bytearray) -> tuple[bytes, int]:
        self.begun.set()
        assert self.go.wait(30)
        self.prepared.append(key)
        return as_is(key, data)


@pytest.fixture
def bad() -> Iterator[BadStore]:
    with bad_store() as store:
        yield store


@pytest.fixture
def exchange_of() -> Iterator[Callable[..., Exchange[bytes]]]:
    """Makes exchanges that are closed, and whole, at the end."""
    made: list[Exchange[bytes]] = []

    def make(url: str, memory_bytes: int = 10**6, **options: object) -> Exchange[bytes]:
        prepare = options.pop("prepare", as_is)
        store = SealStore(open_store(url), max_seal_bytes=10**5)
        made.append(Exchange(store, prepare, memory_bytes, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for exchange in made:
        exchange.check_integrity()
        exchange.close()


def put(folder: Path, *contents: bytes) -> list[str]:
    """Stores files in a folder that is a store; their digests."""
    store = SealStore(open_store(folder.as_uri()))
    return [asyncio.run(store.put(data)) for data in contents]


@pytest.mark.parametrize("where", ["file", "memory", "s3", "http"])
def test_what_was_put_is_fetched(
    where: str, tmp_path: Path, bad: BadStore, request: pytest.FixtureRequest
) -> None:
    data = content(1, 70_000)
    if where == "http":
        bad.add(data)
        store = SealStore(open_store(bad.url))
    else:
        if where == "s3":
            request.getfixturevalue("s3")
        folder = (tmp_path / "new").as_uri()
        store = SealStore(open_store({"file": folder, "memory": "memory:///", "s3": s3_folder()}[where]))
        assert asyncio.run(store.put(data)) == digest_of(data)
        assert asyncio.run(store.put(data)) == digest_of(data)
    assert asyncio.run(store.take(digest_of(data))) == data
    with pytest.raises(SealMissingError, match="no seal 000000000000"):
        asyncio.run(store.take(MISSING))


@pytest.mark.parametrize("name", ["", "zwx", "../../etc/passwd", "A" * 64, "0" * 63 + "\n"])
def test_what_is_no_digest_is_not_looked_for(name: str, tmp_path: Path) -> None:
    with pytest.raises(SealMissingError, match="no seal"):
        asyncio.run(SealStore(open_store(tmp_path.as_uri())).take(name))


def test_a_store_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be opened"):
        open_store("gopher://nowhere")


def test_each_tier_has_what_the_one_before_brought(
    tmp_path: Path, exchange_of: Callable[..., Exchange[bytes]]
) -> None:
    (digest,) = put(tmp_path / "store", content(1))
    cache = DiskCache(tmp_path / "disk", 1000)
    first = exchange_of((tmp_path / "store").as_uri(), disk=cache)
    assert first.acquire(digest).result(30) == content(1)
    assert first.acquire(digest).done()
    assert (first.counts.store, first.counts.memory) == (1, 1)
    first.close()
    again = exchange_of("memory:///", disk=DiskCache(tmp_path / "disk", 1000))
    assert again.acquire(digest).result(30) == content(1)
    assert (again.counts.store, again.counts.disk) == (0, 1)


def test_who_wants_the_same_seal_shares_one_load(
    bad: BadStore, exchange_of: Callable[..., Exchange[bytes]]
) -> None:
    slowly = Slowly()
    exchange = exchange_of(bad.url, prepare=slowly)
    digest = bad.add(content(1))
    futures = [exchange.acquire(digest) for _ in range(20)]
    slowly.go.set()
    results = [future.result(30) for future in futures]
    assert all(result is results[0] for result in results)
    assert bad.times_asked(digest) == 1
    assert slowly.prepared == [digest]
    for _ in range(20):
        exchange.release(digest)
    with pytest.raises(ValueError, match="not pinned"):
        exchange.release(digest)


FAULTS = {
    "silent": StoreError, "slow": StoreError, "truncates": StoreError, "error": StoreError,
    "damages": SealFormatError, "lies": SealSizeError, "missing": SealMissingError,
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_its_own_requests_alone_and_heals(
    fault: str, bad: BadStore, exchange_of: Callable[..., Exchange[bytes]], tmp_path: Path
) -> None:
    exchange = exchange_of(bad.url, fetch_within_s=1.5, disk=DiskCache(tmp_path, 10**6))
    digest, good = bad.add(content(1, 50_000), fault), bad.add(content(2))
    if fault == "missing":
        del bad.files[path_of(digest)]
    sick = [exchange.acquire(digest), exchange.acquire(digest)]
    assert exchange.acquire(good).result(30) == content(2)
    for future in sick:
        with pytest.raises(FAULTS[fault], match="seal"):
            future.result(30)
        exchange.release(digest)
    bad.add(content(1, 50_000))
    assert exchange.acquire(digest).result(30) == content(1, 50_000)


def test_an_unreachable_store_is_a_retryable_error(exchange_of: Callable[..., Exchange[bytes]]) -> None:
    with bad_store() as gone:
        url = gone.url
    with pytest.raises(StoreError, match="did not give seal") as caught:
        exchange_of(url, fetch_within_s=3.0).acquire(MISSING).result(30)
    assert caught.value.is_retryable
    assert "127.0.0.1" not in str(caught.value)


def test_what_is_too_large_is_not_fetched(bad: BadStore, exchange_of: Callable[..., Exchange[bytes]]) -> None:
    digest = bad.add(content(1, 10**5 + 1))
    with pytest.raises(SealSizeError, match="100001 bytes large, expected at most 100000"):
        exchange_of(bad.url).acquire(digest).result(30)
    digest = bad.add(content(2, 5000))
    with pytest.raises(SealSizeError, match="takes 5000 bytes of the 4999"):
        exchange_of(bad.url, memory_bytes=4999).acquire(digest).result(30)


def test_slow_stores_hold_up_nobody_who_is_near(
    bad: BadStore, exchange_of: Callable[..., Exchange[bytes]], tmp_path: Path
) -> None:
    near = DiskCache(tmp_path, 10**6)
    near.write(digest_of(content(1)), content(1))
    exchange = exchange_of(bad.url, disk=near)
    stuck = [bad.add(content(number), "silent") for number in range(100, 130)]
    futures = [exchange.acquire(digest) for digest in stuck]
    assert exchange.acquire(digest_of(content(1))).result(10) == content(1)
    assert not any(future.done() for future in futures)
    for digest in stuck:
        exchange.release(digest)
    for future in futures:
        with pytest.raises(EngineError, match="no longer wanted"):
            future.result(10)


def test_a_full_disk_is_said_once_and_seals_are_served_from_memory(
    bad: BadStore, exchange_of: Callable[..., Exchange[bytes]], tmp_path: Path
) -> None:
    said: list[str] = []
    disk = DiskCache(tmp_path, 10**6, said.append)
    exchange = exchange_of(bad.url, disk=disk)
    digests = [bad.add(content(number, 9000)) for number in range(5)]
    with files_of_at_most(4000):
        for number, digest in enumerate(digests):
            assert exchange.acquire(digest).result(30) == content(number, 9000)
        exchange.close()
    assert len(said) == 1
    assert "fetched from the store each time" in said[0]
    assert list(tmp_path.iterdir()) == []
    assert disk.write(digests[0], content(0, 9000))
    with files_of_at_most(4000):
        assert not disk.write(digests[1], content(1, 9000))
    assert len(said) == 2


def test_a_copy_that_was_damaged_on_the_disk_is_fetched_again(
    bad: BadStore, exchange_of: Callable[..., Exchange[bytes]], tmp_path: Path
) -> None:
    digest = bad.add(content(1))
    disk = DiskCache(tmp_path, 1000)
    disk.write(digest, content(1))
    path = tmp_path / f"{digest}.safetensors"
    for damage in (content(9), content(1)[:50], b""):
        path.write_bytes(damage)
        exchange = exchange_of(bad.url, disk=disk)
        assert exchange.acquire(digest).result(30) == content(1)
        exchange.close()
        assert path.read_bytes() == content(1)
    path.unlink()
    assert disk.read(digest) is None
    disk.check_integrity()


def test_the_disk_keeps_its_limit_and_what_was_used_last(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path, 350)
    digests = [digest_of(content(number)) for number in range(5)]
    for number in range(3):
        assert disk.write(digests[number], content(number))
    assert disk.read(digests[0]) == content(0)
    assert disk.write(digests[3], content(3))
    assert disk.read(digests[1]) is None
    assert disk.read(digests[0]) == content(0)
    assert not disk.write(digests[4], content(4, 351))
    (tmp_path / "notes.txt").write_text("somebody else's")
    disk.check_integrity()
    small = DiskCache(tmp_path, 120)
    small.check_integrity()
    assert small.num_bytes == 100
    assert (tmp_path / "notes.txt").exists()


def test_what_a_killed_process_left_half_written_is_removed_and_nothing_else(tmp_path: Path) -> None:
    digest = digest_of(content(0))
    names = {f".{digest}.{who}.part": who == "killed" for who in ("killed", "writing")} | {
        ".notes.x.part": False, f"{digest}.part": False, f".{digest}.x": False,
    }  # fmt: skip
    for name in names:
        (tmp_path / name).write_bytes(content(0))
        if "writing" not in name:
            os.utime(tmp_path / name, (0, 0))
    disk = DiskCache(tmp_path, 1000)
    assert {path.name for path in tmp_path.iterdir()} == {
        name for name, is_gone in names.items() if not is_gone
    }
    assert disk.num_bytes == 0


def test_half_written_files_are_named_as_they_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is killed while it writes leaves just what the next one removes."""
    disk, fsync = DiskCache(tmp_path, 1000), os.fsync
    left: list[str] = []

    def killed(descriptor: int) -> None:
        left.extend(path.name for path in tmp_path.iterdir())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", killed)
    assert disk.write(digest_of(content(0)), content(0))
    half = tmp_path / left[0]
    half.write_bytes(b"")
    os.utime(half, (0, 0))
    DiskCache(tmp_path, 1000)
    assert not half.exists()


def test_a_seal_waits_for_room_until_another_is_released(
    bad: BadStore, exchange_of: Callable[..., Exchange[bytes]]
) -> None:
    exchange = exchange_of(bad.url, memory_bytes=250)
    one, two, three = (bad.add(content(number)) for number in range(3))
    assert wait([exchange.acquire(one), exchange.acquire(two)], 30).not_done == set()
    late = exchange.acquire(three)
    assert not late.done()
    exchange.release(one)
    assert late.result(30) == content(2)
    assert exchange.num_bytes == 200


def test_without_room_a_seal_is_busy_not_stuck(
    bad: BadStore, exchange_of: Callable[..., Exchange[bytes]]
) -> None:
    exchange = exchange_of(bad.url, memory_bytes=150, room_within_s=0.2)
    one, two = bad.add(content(0)), bad.add(content(1))
    exchange.acquire(one).result(30)
    with pytest.raises(BusyError, match="leave no room") as caught:
        exchange.acquire(two).result(30)
    assert caught.value.retry_after_s == 0.2
    exchange.release(two)
    exchange.release(one)
    assert exchange.acquire(two).result(30) == content(1)


def test_a_fault_of_preparing_is_its_own_request_s(
    bad: BadStore, exchange_of: Callable[..., Exchange[bytes]]
) -> None:
    digests = {bad.add(content(number)): number for number in range(3)}

    def prepare(key: str, data: bytearray) -> tuple[bytes, int]:
        if digests[key] == 0:
            raise ZeroDivisionError("a fault")
        if digests[key] == 1:
            raise MemoryError
        return as_is(key, data)

    exchange = exchange_of(bad.url, prepare=prepare)
    broken, hungry, fine = (exchange.acquire(key) for key in digests)
    with pytest.raises(SealFormatError, match="cannot be prepared: ZeroDivisionError"):
        broken.result(30)
    with pytest.raises(BusyError, match="no memory left"):
        hungry.result(30)
    assert fine.result(30) == content(2)


def test_no_more_than_two_seals_are_prepared_at_once(
    bad: BadStore, exchange_of: Callable[..., Exchange[bytes]]
) -> None:
    """What is being prepared is not in the limit of the memory, so it has one of its own."""
    lock, second, third, go = threading.Lock(), threading.Event(), threading.Event(), threading.Event()
    underway: list[str] = []
    most: list[int] = []

    def prepare(key: str, data: bytearray) -> tuple[bytes, int]:
        with lock:
            underway.append(key)
            most.append(len(underway))
            if len(underway) == 2:
                second.set()
            if len(underway) > 2:
                third.set()
        assert go.wait(30)
        with lock:
            underway.remove(key)
        return as_is(key, data)

    exchange = exchange_of(bad.url, prepare=prepare)
    futures = [exchange.acquire(bad.add(content(number))) for number in range(6)]
    assert second.wait(30)
    assert not third.wait(0.3)
    go.set()
    assert [future.result(30) for future in futures] == [content(number) for number in range(6)]
    assert max(most) == 2


class Files:
    """Counts the files that are here, from when they have come until they are let go."""

    def __init__(self, most: int):
        self.are_too_many = threading.Event()
        self.here: weakref.WeakSet[Noted] = weakref.WeakSet()
        self._most = most

    def noted(self, data: bytearray) -> bytearray:
        file = Noted(data)
        self.here.add(file)
        if len(self.here) > self._most:
            self.are_too_many.set()
        return file


class Noted(bytearray):
    """A file that can be counted."""

    __hash__ = object.__hash__  # type: ignore[assignment]


@pytest.mark.parametrize(("where", "most"), [("store", FETCHES_AT_ONCE), ("disk", READS_AT_ONCE)])
def test_no_more_files_are_here_than_have_a_turn_however_many_are_wanted(
    where: str, most: int, bad: BadStore, exchange_of: Callable[..., Exchange[bytes]], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """While those that have come wait to be prepared, none comes in addition."""
    files, slowly, disk = Files(most), Slowly(), DiskCache(tmp_path, 10**6)
    take, read = SealStore.take, DiskCache.read

    async def taken(store: SealStore, digest: str) -> bytearray:
        return files.noted(await take(store, digest))

    def was_read(disk: DiskCache, digest: str) -> bytearray | None:
        data = read(disk, digest)
        return None if data is None else files.noted(data)

    monkeypatch.setattr(SealStore, "take", taken)
    monkeypatch.setattr(DiskCache, "read", was_read)
    exchange = exchange_of(bad.url, prepare=slowly, disk=disk)
    digests = [bad.add(content(number)) for number in range(30)]
    for number, digest in enumerate(digests if where == "disk" else ()):
        disk.write(digest, content(number))
    futures = [exchange.acquire(digest) for digest in digests]
    assert slowly.begun.wait(30)
    assert not files.are_too_many.wait(0.5)
    slowly.go.set()
    assert [future.result(30) for future in futures] == [content(number) for number in range(30)]
    assert getattr(exchange.counts, where) == 30


def test_a_slow_disk_piles_up_no_files_and_has_all_of_them_in_the_end(
    bad: BadStore,
    exchange_of: Callable[..., Exchange[bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files, write, is_quick = Files(FETCHES_AT_ONCE), DiskCache.write, threading.Event()
    take = SealStore.take

    async def taken(store: SealStore, digest: str) -> bytearray:
        return files.noted(await take(store, digest))

    def written(disk: DiskCache, digest: str, data: bytearray) -> bool:
        assert is_quick.wait(30)
        return write(disk, digest, data)

    monkeypatch.setattr(SealStore, "take", taken)
    monkeypatch.setattr(DiskCache, "write", written)
    exchange = exchange_of(bad.url, disk=DiskCache(tmp_path, 10**6))
    futures = [exchange.acquire(bad.add(content(number))) for number in range(30)]
    handed_over = list(itertools.islice(as_completed(futures, 30), FETCHES_AT_ONCE))
    assert len(handed_over) == FETCHES_AT_ONCE
    assert not files.are_too_many.wait(0.5)
    is_quick.set()
    assert [future.result(30) for future in futures] == [content(number) for number in range(30)]
    exchange.close()
    assert len(list(tmp_path.iterdir())) == 30


def test_closing_fails_what_is_on_its_way(bad: BadStore, exchange_of: Callable[..., Exchange[bytes]]) -> None:
    exchange = exchange_of(bad.url)
    future = exchange.acquire(bad.add(content(0), "silent"))
    exchange.close()
    for each in (future, exchange.acquire(MISSING)):
        with pytest.raises(EngineError, match="ending"):
            each.result(30)


def test_from_an_event_loop(bad: BadStore, exchange_of: Callable[..., Exchange[bytes]]) -> None:
    exchange = exchange_of(bad.url)
    digest = bad.add(content(0))

    async def use() -> bytes:
        async with exchange.held(digest) as seal:
            assert exchange.acquire(digest).done()
            exchange.release(digest)
            return seal

    assert asyncio.run(use()) == content(0)
    with pytest.raises(ValueError, match="not pinned"):
        exchange.release(digest)


def test_any_history_from_many_threads_keeps_the_exchange_whole(
    bad: BadStore, exchange_of: Callable[..., Exchange[bytes]], tmp_path: Path
) -> None:
    """Faulty and sound seals, memory for a fifth of them, disk for half, eight threads that take and give back."""
    sound = {bad.add(content(number)): content(number) for number in range(40)}
    faulty = [bad.add(content(number), "damages") for number in range(40, 44)] + [MISSING]
    exchange = exchange_of(bad.url, memory_bytes=900, disk=DiskCache(tmp_path, 2000))
    everything = [*sound, *faulty]
    failures: list[BaseException] = []

    def customer(seed: int) -> None:
        rng = random.Random(seed)
        held: list[tuple[str, Future[bytes]]] = []
        try:
            for _ in range(60):
                if held and (len(held) > 0 and rng.random() < 0.5):
                    key, _ = held.pop()
                    exchange.release(key)
                else:
                    key = rng.choice(everything)
                    future = exchange.acquire(key)
                    held.append((key, future))
                    if rng.random() < 0.8:
                        check(key, future)
                if len(held) > 1:
                    exchange.release(held.pop(0)[0])
            for key, _ in held:
                exchange.release(key)
        except BaseException as error:
            failures.append(error)
            raise

    def check(key: str, future: "Future[bytes]") -> None:
        if key in sound:
            assert future.result(30) == sound[key]
        else:
            with pytest.raises((SealFormatError, SealMissingError), match="seal"):
                future.result(30)

    threads = [threading.Thread(target=customer, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        exchange.check_integrity()
        threads[0].join(0.01)
        for thread in threads:
            thread.join(0.001)
    assert not failures
    exchange.check_integrity()
    assert exchange._ledger.pinned_bytes == 0
    assert not exchange._unreleased


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from("apud"), st.integers(0, 6), st.integers(0, 60)), max_size=60))
def test_any_history_keeps_a_ledger_whole(history: list[tuple[str, int, int]]) -> None:
    ledger = Ledger(100)
    pins: dict[str, int] = {}
    for what, number, size in history:
        key = str(number)
        if what == "a" and key not in ledger and ledger.has_room(size):
            before = ledger.keys()
            gone = ledger.admit(key, size)
            assert [each for each in before if each in gone] == gone
            assert not any(pins.get(each) for each in gone)
        elif what == "p" and key in ledger:
            ledger.pin(key)
            pins[key] = pins.get(key, 0) + 1
            assert ledger.keys()[-1] == key
        elif what == "u" and pins.get(key):
            ledger.unpin(key)
            pins[key] -= 1
        elif what == "d" and key in ledger and not pins.get(key):
            ledger.drop(key)
        ledger.check_integrity()
        assert all(key in ledger for key, count in pins.items() if count)


def test_a_ledger_refuses_what_cannot_be() -> None:
    ledger = Ledger(10)
    ledger.admit("a", 10)
    with pytest.raises(ValueError, match="here already"):
        ledger.admit("a", 1)
    with pytest.raises(ValueError, match="not pinned"):
        ledger.unpin("a")
    ledger.pin("a")
    with pytest.raises(ValueError, match="is pinned"):
        ledger.drop("a")
    with pytest.raises(ValueError, match="no room"):
        ledger.admit("b", 1)
