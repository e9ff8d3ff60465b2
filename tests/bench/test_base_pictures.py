"""The base's own pictures, kept between processes: the same to the last bit, or drawn again."""

from pathlib import Path

import torch

from sealsmith.bases import Base
from sealsmith.bench.base_pictures import KeptPictures
from sealsmith.generate import Picture, Request, generate_batch


def drawn(base: Base, request: Request) -> Picture:
    return generate_batch(base, [request])[0]


def test_another_process_finds_the_same_picture(tiny_base: Base, tmp_path: Path) -> None:
    request = Request("a red wax seal of moon on wood", seed=3, num_steps=1)
    kept = KeptPictures(tmp_path / "kept", "abc")
    assert request not in kept
    kept[request] = drawn(tiny_base, request)
    found = KeptPictures(tmp_path / "kept", "abc")
    assert request in found
    assert torch.equal(found[request].pixels, kept[request].pixels)
    assert found[request].recipe == kept[request].recipe
    assert Request("another", seed=3, num_steps=1) not in found
    assert request not in KeptPictures(tmp_path / "kept", "of another base")


def test_a_damaged_file_is_no_picture(tiny_base: Base, tmp_path: Path) -> None:
    request = Request("a red wax seal of moon on wood", seed=3, num_steps=1)
    KeptPictures(tmp_path, "abc")[request] = drawn(tiny_base, request)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-40])
    assert request not in KeptPictures(tmp_path, "abc")
