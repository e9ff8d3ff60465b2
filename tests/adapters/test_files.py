"""Laws of atomic writing: all or nothing, and nothing left behind."""

import errno
import os
from pathlib import Path

import pytest
from full_disk import files_of_at_most

from sealsmith.adapters.files import atomic_write, check_writable
from sealsmith.errors import OutputError


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "seal.bin"
    atomic_write(path, b"one")
    atomic_write(path, b"two")
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["seal.bin"]


def test_new_files_have_the_users_usual_rights(tmp_path: Path) -> None:
    atomic_write(tmp_path / "ours", b"")
    (tmp_path / "theirs").write_bytes(b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


def test_a_write_that_fails_keeps_the_old_file_and_leaves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "seal.bin"
    atomic_write(path, b"old")
    with (
        pytest.raises(OutputError, match=r"cannot write '.*seal\.bin': File too large"),
        files_of_at_most(1 << 16),
    ):
        atomic_write(path, bytes(1 << 17))
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["seal.bin"]


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device") as caught:
        atomic_write(tmp_path / "seal.bin", b"data")
    assert "the disk is full" in caught.value.remedy
    assert names(tmp_path) == []


def test_check_writable_agrees_with_atomic_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file" / "below.bin", tmp_path):
        with pytest.raises(OutputError, match="cannot write"):
            check_writable(path)
        with pytest.raises(OutputError, match="cannot write"):
            atomic_write(path, b"data")
    check_writable(tmp_path / "a" / "b" / "c.bin")
    assert names(tmp_path) == ["file"]
