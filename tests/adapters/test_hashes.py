"""Laws of hashes: known answers, one pass = the definition, and kohya's pair as kohya computes it."""

import hashlib
import io
import json
import tracemalloc
import zlib
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sealsmith.adapters import file_hash, hash_file, tensor_hash
from sealsmith.adapters.hashes import kohya_hashes
from sealsmith.errors import SealFormatError

EMPTY = hashlib.sha256(b"").hexdigest()
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def fake_seal(header_bytes: int, num_bytes: int) -> bytes:
    """A file that is framed like a safetensors file, with content that repeats nowhere near a chunk's size."""
    return header_bytes.to_bytes(8, "little") + b" " * header_bytes + bytes(i % 251 for i in range(num_bytes))


def test_known_answers(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes((2).to_bytes(8, "little") + b"{}" + b"abc")
    hashes = hash_file(path)
    assert hashes.tensors == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hashes.autov3 == "ba7816bf8f01"
    assert hashes.autov1 == "e3b0c442"
    assert hashes.crc32 == f"{zlib.crc32(path.read_bytes()):08x}"


@settings(max_examples=25, deadline=None)
@given(
    header_bytes=st.integers(2, 70_000),
    num_bytes=st.sampled_from([0, 1, 0xF0000, 0x100000, 0x108000, 0x110000, 0x200000, 0x210001]),
)
def test_one_pass_gives_what_each_definition_says(
    tmp_path_factory: pytest.TempPathFactory, header_bytes: int, num_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("hash") / "a.safetensors"
    data = fake_seal(header_bytes, num_bytes)
    path.write_bytes(data)
    hashes = hash_file(path)
    assert hashes.sha256 == hashlib.sha256(data).hexdigest() == file_hash(path)
    assert hashes.autov2 == hashes.sha256[:10]
    assert hashes.autov1 == hashlib.sha256(data[0x100000:0x110000]).hexdigest()[:8]
    assert hashes.tensors == hashlib.sha256(data[8 + header_bytes :]).hexdigest() == tensor_hash(data)
    assert hashes.crc32 == f"{zlib.crc32(data):08x}"


@given(st.integers(0, 2**63), st.binary(max_size=40))
def test_a_file_shorter_than_the_header_it_claims_is_refused(
    tmp_path_factory: pytest.TempPathFactory, length: int, rest: bytes
) -> None:
    path = tmp_path_factory.mktemp("hash") / "a.safetensors"
    path.write_bytes(length.to_bytes(8, "little")[: 7 if length % 2 else 8] + rest[:3])
    if length % 2 == 0 and length <= len(rest[:3]):
        assert hash_file(path).autov1 == EMPTY[:8]
        return
    with pytest.raises(SealFormatError, match=r"not a seal file: its header claims \d+ bytes"):
        hash_file(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    for hasher in (hash_file, file_hash):
        with pytest.raises(SealFormatError, match=r"cannot read .*none\.safetensors"):
            hasher(tmp_path / "none.safetensors")


def test_hashing_takes_the_same_memory_for_any_size(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.write((8).to_bytes(8, "little"))
        file.truncate(64 << 20)
    tracemalloc.start()
    try:
        hash_file(path)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@settings(max_examples=30, deadline=None)
@given(
    words=st.dictionaries(TEXT, TEXT, max_size=6),
    num_values=st.sampled_from([3, 0x3FF00, 0x40000, 0x44000, 0x48000]),
)
def test_kohyas_hashes_are_those_of_the_file_with_its_training_entries_alone(
    words: dict[str, str], num_values: int
) -> None:
    """As sd-scripts' `precalculate_safetensors_hashes` has it: serialise with `ss_` entries, then hash that."""
    state = {"b.up": torch.arange(num_values, dtype=torch.float32), "a.down": torch.ones(2, 2).half()}
    metadata = {f"ss_{key}": value for key, value in words.items()}
    file = safetensors.torch.save(state, metadata)
    start = 8 + int.from_bytes(file[:8], "little")
    stream = io.BytesIO(file)
    stream.seek(0x100000)
    legacy = hashlib.sha256(stream.read(0x10000)).hexdigest()[:8]
    bare = safetensors.torch.save(state)
    behind = 8 + int.from_bytes(bare[:8], "little")
    entries, tensors = json.loads(bare[8:behind]), memoryview(bare)[behind:]
    given_too = metadata | {"sealsmith": "{}", "modelspec.title": "x"}
    assert kohya_hashes(entries, tensors, given_too) == (hashlib.sha256(file[start:]).hexdigest(), legacy)
