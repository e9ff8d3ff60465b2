"""Seal files from strangers over HTTP: damaged files that reading knows, uploaded."""

from pathlib import Path

import httpx2
import pytest
from damaged_files import Damaged, file_level, seal_level
from file_examples import good_file

LARGEST_BYTES = 2 << 20
DAMAGED = [
    damaged
    for damaged in (*file_level(), *seal_level())
    if max(len(damaged.data), damaged.size_bytes) <= LARGEST_BYTES and damaged.data
][::2]
"""Every other of those that are no uploads of gigabytes, which are refused unread (test_bounds.py)."""


def test_the_files_are_many() -> None:
    assert len({damaged.name for damaged in DAMAGED}) == len(DAMAGED) >= 250


@pytest.mark.parametrize("damaged", DAMAGED, ids=lambda damaged: damaged.name)
def test_a_damaged_file_is_refused_and_not_kept(
    client: httpx2.Client, seals_folder: Path, damaged: Damaged
) -> None:
    answer = client.post("/v1/seals", files={"file": ("torn.safetensors", damaged.data)})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] in ("seal-format", "seal-shape", "seal")
    assert "torn" in error["message"]
    assert error["message"].isprintable()
    assert error["remedy"]
    assert not (seals_folder / "torn.safetensors").exists()


def test_afterwards_a_good_file_is_taken(client: httpx2.Client) -> None:
    data = good_file("kohya", "F16").dump()
    added = client.post("/v1/seals", files={"file": ("good.safetensors", data)})
    assert added.status_code == 201, added.text
    assert client.delete(added.headers["location"]).status_code == 204
