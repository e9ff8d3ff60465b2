"""Digests: the same for the same bytes, and large ones computed once."""

import os
from pathlib import Path

import pytest

from sealsmith.bases import digest
from sealsmith.bases.digest import cache_folder, digest_of_files


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two files, large by the threshold of this test, and a cache of their own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(digest, "LARGE_BYTES", 10)
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_bytes(path.name.encode() * 20)
    return paths


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are hashed from now on."""
    hashed: list[Path] = []
    compute = digest._sha256
    monkeypatch.setattr(digest, "_sha256", lambda path: (hashed.append(path), compute(path))[1])
    return hashed


def test_a_large_base_is_hashed_once(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = counted(monkeypatch)
    first = digest_of_files(files)
    assert hashed == files
    assert digest_of_files(files) == first
    assert hashed == files
    assert len(list(cache_folder().iterdir())) == 2


def test_a_changed_file_is_hashed_again(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    first = digest_of_files(files)
    times = files[0].stat()
    files[0].write_bytes(b"b" * times.st_size)  # as large as before: the time of change alone tells
    os.utime(files[0], ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    hashed = counted(monkeypatch)
    assert digest_of_files(files) != first
    assert hashed == files[:1]


def test_a_damaged_note_is_computed_again(files: list[Path]) -> None:
    first = digest_of_files(files)
    for note, text in zip(cache_folder().iterdir(), (b"", b"\xff" * 64), strict=True):
        note.write_bytes(text)
    assert digest_of_files(files) == first


def test_remembering_changes_no_digest(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = [digest_of_files(files), digest_of_files(files)]
    monkeypatch.setattr(digest, "LARGE_BYTES", 10**9)
    assert remembered == [digest_of_files(files)] * 2
    assert digest_of_files(files[::-1]) != remembered[0]


def test_a_cache_that_cannot_be_written_costs_only_time(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = digest_of_files(files)
    in_the_way = tmp_path / "file"
    in_the_way.write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(in_the_way))
    assert digest_of_files(files) == first
    assert in_the_way.read_text() == "no folder"
