"""Laws of a lookup: a real client against a real server, bounded in time, size and tries; no answer asked twice."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_server import Answer, FakeRegistry, running_registry, version_of

from sealsmith.adapters.answer_cache import (
    FOUND_LASTS_S,
    MISSING_LASTS_S,
    AnswerCache,
    Kept,
    default_cache_folder,
)
from sealsmith.adapters.hashes import FileHashes
from sealsmith.adapters.lookup import (
    Clock,
    Found,
    Patience,
    checked_url,
    opened_registry,
    retry_after_s,
)
from sealsmith.errors import ConfigError, RegistryError

HASHES = FileHashes("ab" * 32, "e3b0c442", "cd" * 32, "01234567")
GOOD = json.dumps(version_of(HASHES.by_name())).encode()


@dataclass
class FakeTime:
    """A clock that moves only when somebody sleeps."""

    now_s: float = 1.7e9
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    def clock(self) -> Clock:
        return Clock(lambda: self.now_s, self.sleep)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with running_registry() as registry:
        yield registry


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def look_up(
    server: FakeRegistry, cache: Path, time: FakeTime, offline: bool = False, **patience: float
) -> Found | None:
    with opened_registry(
        server.url + "/",
        cache,
        Patience(**patience),
        time.clock(),
        offline,  # type: ignore[arg-type]
    ) as registry:
        return registry.look_up(HASHES)


@pytest.mark.parametrize(
    ("digits", "name", "num_asked"),
    [(HASHES.autov2, "AutoV2", 1), (HASHES.autov3, "AutoV3", 2), (HASHES.sha256, "SHA256", 3)],
)
def test_a_known_file_is_found_by_the_first_hash_that_is_known(
    server: FakeRegistry, cache: Path, time: FakeTime, digits: str, name: str, num_asked: int
) -> None:
    server.known[digits] = version_of(HASHES.by_name())
    found = look_up(server, cache, time)
    assert found is not None
    assert (found.hash_name, found.is_confirmed, found.from_cache) == (name, True, False)
    assert found.version.triggers == ("sks dog", "red hat", "smile")
    assert (found.version.model.name, found.version.family) == ("My dog", "sdxl")
    assert found.answer == version_of(HASHES.by_name())
    assert server.asked == [HASHES.autov2, HASHES.autov3, HASHES.sha256][:num_asked]
    assert time.slept == []
    assert server.seen[0]["user-agent"].startswith("sealsmith/")


def test_an_unknown_file_is_not_found(server: FakeRegistry, cache: Path, time: FakeTime) -> None:
    assert look_up(server, cache, time) is None
    assert server.asked == [HASHES.autov2, HASHES.autov3, HASHES.sha256]


def test_another_file_of_the_same_short_hash_is_not_confirmed(
    server: FakeRegistry, cache: Path, time: FakeTime
) -> None:
    server.known[HASHES.autov2] = version_of({"AutoV2": HASHES.autov2, "SHA256": "ef" * 32})
    found = look_up(server, cache, time)
    assert found is not None
    assert not found.is_confirmed


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again_and_retry_after_is_honoured(
    server: FakeRegistry, cache: Path, time: FakeTime, status: int
) -> None:
    server.answers = [Answer(status), Answer(status, headers={"Retry-After": "7"}), Answer(body=GOOD)]
    assert look_up(server, cache, time) is not None
    assert time.slept == [1.0, 7.0]


def test_a_server_that_keeps_failing_is_given_up_after_growing_pauses(
    server: FakeRegistry, cache: Path, time: FakeTime
) -> None:
    server.answers = [Answer(503)]
    with pytest.raises(RegistryError, match="answered with status 503"):
        look_up(server, cache, time)
    assert time.slept == [1.0, 2.0, 4.0]


def test_a_server_that_asks_for_a_long_pause_is_not_asked_again(
    server: FakeRegistry, cache: Path, time: FakeTime
) -> None:
    server.answers = [Answer(429, headers={"Retry-After": "3600"})]
    with pytest.raises(RegistryError, match="answered with status 429") as caught:
        look_up(server, cache, time)
    assert caught.value.remedy == "try again in 3600 seconds"
    assert (time.slept, len(server.asked)) == ([], 1)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 410, 418])
def test_any_other_status_is_an_error_at_once(
    server: FakeRegistry, cache: Path, time: FakeTime, status: int
) -> None:
    server.answers = [Answer(status, headers={"Location": "http://127.0.0.1:1/"})]
    with pytest.raises(RegistryError, match=f"answered with status {status}"):
        look_up(server, cache, time)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "Expecting value"),
        (b"\xff\xff", "codec can't decode|Expecting value"),
        (b"[" * 100_000, "recursion"),
        (b"[]", "answer: Input should be"),
        (b"{}", "id: Field required"),
        (b'{"id": 1, "trainedWords": [3]}', r"trainedWords\.0: Input should be a valid string"),
        (b'{"id": 1, "files": [{"hashes": 3}]}', r"files\.0\.hashes: Input should be"),
    ],
)
def test_garbage_is_refused_and_not_kept(
    server: FakeRegistry, cache: Path, time: FakeTime, body: bytes, reason: str
) -> None:
    server.answers = [Answer(body=body)]
    with pytest.raises(RegistryError, match=f"sent no model version: .*({reason})"):
        look_up(server, cache, time)
    assert not cache.exists()


def test_a_huge_answer_is_not_read_to_its_end(server: FakeRegistry, cache: Path, time: FakeTime) -> None:
    server.answers = [Answer(body=b" " * (4 << 20) + GOOD)]
    with pytest.raises(RegistryError, match="sent more than 4194304 bytes"):
        look_up(server, cache, time)


def test_an_answer_that_drips_is_given_up(server: FakeRegistry, cache: Path, time: FakeTime) -> None:
    server.answers = [Answer(drips=True)]
    with pytest.raises(RegistryError, match=r"took longer than 0\.1 seconds"):
        look_up(server, cache, time, answer_s=0.1)


def test_a_silent_server_is_tried_again_after_the_timeout(
    server: FakeRegistry, cache: Path, time: FakeTime
) -> None:
    server.answers = [Answer(is_silent=True)]
    with pytest.raises(RegistryError, match="cannot be reached: timed out"):
        look_up(server, cache, time, timeout_s=0.05, num_tries=2)
    assert (time.slept, len(server.asked)) == ([1.0], 2)


def test_a_server_that_hangs_up_is_tried_again(server: FakeRegistry, cache: Path, time: FakeTime) -> None:
    server.answers = [Answer(hangs_up=True), Answer(body=GOOD)]
    assert look_up(server, cache, time) is not None
    assert time.slept == [1.0]


def test_no_server_at_all_is_said_with_its_address(cache: Path, time: FakeTime) -> None:
    with running_registry() as gone:
        pass
    with pytest.raises(RegistryError, match=rf"{gone.url} cannot be reached"):
        look_up(gone, cache, time)
    assert time.slept == [1.0, 2.0, 4.0]


def test_answers_are_kept_the_empty_ones_for_a_shorter_time(
    server: FakeRegistry, cache: Path, time: FakeTime
) -> None:
    server.known[HASHES.sha256] = version_of(HASHES.by_name())
    look_up(server, cache, time)
    assert len(server.asked) == 3
    time.now_s += MISSING_LASTS_S - 1
    found = look_up(server, cache, time)
    assert found is not None
    assert found.from_cache
    assert len(server.asked) == 3
    time.now_s += 2
    look_up(server, cache, time)
    assert server.asked[3:] == [HASHES.autov2, HASHES.autov3]
    time.now_s += FOUND_LASTS_S
    look_up(server, cache, time)
    assert server.asked[5:] == [HASHES.autov2, HASHES.autov3, HASHES.sha256]


def test_offline_nobody_is_asked_and_old_answers_count(
    server: FakeRegistry, cache: Path, time: FakeTime
) -> None:
    with pytest.raises(RegistryError, match=f"no answer about the hash {HASHES.autov2} is kept"):
        look_up(server, cache, time, offline=True)
    assert server.asked == []
    server.known[HASHES.autov2] = version_of(HASHES.by_name())
    look_up(server, cache, time)
    time.now_s += 10 * FOUND_LASTS_S
    assert look_up(server, cache, time, offline=True) is not None
    assert len(server.asked) == 1


def test_one_registrys_answer_is_not_anothers(server: FakeRegistry, cache: Path, time: FakeTime) -> None:
    server.known[HASHES.autov2] = version_of(HASHES.by_name())
    look_up(server, cache, time)
    with running_registry() as other:
        assert look_up(other, cache, time) is None


@settings(max_examples=30)
@given(st.binary(max_size=60))
def test_a_damaged_cache_file_counts_as_missing(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    cache = AnswerCache(tmp_path_factory.getbasetemp() / "damaged", "http://a")
    cache.write("ab", Kept({"id": 1}, 5.0))
    assert cache.read("ab") == cache.read("AB") == Kept({"id": 1}, 5.0)
    (path,) = (tmp_path_factory.getbasetemp() / "damaged").rglob("*.json")
    path.write_bytes(data)
    assert cache.read("ab") is None
    path.write_text('{"asked_at": 5, "answer": {"id": "x"}}')
    assert cache.read("ab") is None


def test_an_answer_that_cannot_be_kept_is_used_all_the_same(
    server: FakeRegistry, tmp_path: Path, time: FakeTime
) -> None:
    (tmp_path / "file").write_text("in the way")
    server.known[HASHES.autov2] = version_of(HASHES.by_name())
    with opened_registry(server.url, tmp_path / "file", clock=time.clock()) as registry:
        assert registry.look_up(HASHES) is not None
        assert "the answer is not kept: cannot write" in registry.notes[0]


@pytest.mark.parametrize("url", [None, ""])
def test_without_an_address_nobody_is_asked(url: str | None, cache: Path) -> None:
    with (
        pytest.raises(ConfigError, match="no registry to ask is set") as caught,
        opened_registry(url, cache),
    ):
        pass
    assert "civitai_url" in caught.value.remedy


@pytest.mark.parametrize("url", ["registry.example", "ftp://a", "http://", "https://a/?q=1", "http://a:b"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is no address"):
        checked_url(url)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0), ("120", 120), (" 7 ", 7), ("Fri, 31 Dec 1999 23:59:59 GMT", 60),
        ("Fri, 31 Dec 1999 23:00:00 GMT", 0), ("soon", 0), ("-5", 0), ("", 0), ("9" * 400, 0),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float) -> None:
    assert retry_after_s(value, 946684739.0) == seconds


def test_the_cache_is_where_the_system_keeps_such_things(tmp_path: Path) -> None:
    home = tmp_path
    assert default_cache_folder({}, "linux", home) == home / ".cache" / "sealsmith"
    assert default_cache_folder({"XDG_CACHE_HOME": "/x"}, "linux", home) == Path("/x/sealsmith")
    assert default_cache_folder({}, "darwin", home) == home / "Library" / "Caches" / "sealsmith"
    assert default_cache_folder({"LOCALAPPDATA": "/l"}, "win32", home) == Path("/l/sealsmith/cache")
