"""Whether a seal fits is said of the base's outline as of the whole base, and the outline has no weights."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from seal_examples import random_seal

from sealsmith.adapters import dump_seal
from sealsmith.bases import open_base
from sealsmith.server import on_base
from sealsmith.server.on_base import fit_of


@pytest.fixture(autouse=True)
def in_the_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if this were the process that answers, but no nicer than it is."""
    monkeypatch.setattr(on_base, "NICENESS", 0)
    yield
    on_base._opened.cache_clear()
    on_base._outline.cache_clear()


def test_a_fit_needs_no_weights_and_is_the_same_without(
    tiny_base_folder: Path, tiny_sdxl_folder: Path, tmp_path: Path
) -> None:
    base, files = str(tiny_base_folder), []
    for number, folder in enumerate((tiny_base_folder, tiny_sdxl_folder)):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(dump_seal(random_seal(open_base(str(folder)), ("to_q", "to_v"))))
        files.append(path)
    without = [fit_of(base, file, "x") for file in files]
    outline = on_base._outline(base)
    assert all(weight.is_meta for part in outline.components.values() for weight in part.parameters())
    on_base._outline.cache_clear()
    whole = on_base._opened(base)
    assert on_base._outline(base) is whole
    assert [fit_of(base, file, "x") for file in files] == without
    assert [each.verdict for each in without] == ["fits", "no"]
