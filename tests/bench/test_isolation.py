"""A short storm over seals that are shared, taken back, removed and brought; `bench serve` has a long one."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from sealsmith.bench import isolation as module
from sealsmith.bench.isolation import Isolation, Storm, isolation
from sealsmith.catalog.seals import Seals

STORM = Storm(num_requests=48, num_tenants=4, seals_each=2, num_at_once=6, num_steps=(1, 2), change_every=4)


def ignore(_: str) -> None:
    pass


def stormed(folder: Path, base: Path, storm: Storm) -> Isolation:
    return asyncio.run(isolation(folder / "storm", str(base), storm, ignore))


@pytest.mark.timeout(900)
def test_every_picture_is_its_owner_s_and_none_of_a_seal_that_was_not_granted(
    tiny_base_folder: Path, tmp_path: Path
) -> None:
    found = stormed(tmp_path, tiny_base_folder, STORM)
    assert found.wrong == []
    assert found.num_requests == found.num_equal + found.num_refused + found.num_either == STORM.num_requests
    assert min(found.num_equal, found.num_refused, found.num_changes) > 0
    assert found.num_resident < found.num_seals == 8


@pytest.mark.timeout(900)
def test_a_seal_that_stays_usable_after_it_was_taken_back_is_noticed(
    tiny_base_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Seals, "ungrant", lambda *_: None)
    monkeypatch.setattr(module, "REMOVALS", 0.0)
    few = replace(STORM, num_requests=20, seals_each=1, num_steps=(1,), change_every=1, num_at_once=1)
    found = stormed(tmp_path, tiny_base_folder, few)
    assert any("not allowed: done, equal: True" in wrong for wrong in found.wrong)
