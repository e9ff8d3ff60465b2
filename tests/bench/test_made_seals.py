"""Random seals for measuring are like any others: found by their digests, of one size, the same every time."""

import asyncio
from pathlib import Path

import pytest
import torch

from sealsmith.adapters import LowRank, attached, read_seal
from sealsmith.bases import Base
from sealsmith.bench.made_seals import SIZE, make_seals
from sealsmith.engine.store import SealStore, open_store
from sealsmith.errors import ConfigError


def test_a_store_finds_every_seal_and_the_base_takes_it(tiny_base: Base, tmp_path: Path) -> None:
    made = make_seals(tiny_base, tmp_path, (4, 64), 3, ("to_q", "conv1"), seed=1)
    assert [each.rank for each in made] == [4, 64, 4]
    assert len({each.digest for each in made}) == 3
    store = SealStore(open_store(tmp_path.as_uri()))
    for each in made:
        assert asyncio.run(store.take(each.digest)) == each.path.read_bytes()
        seal = read_seal(each.path)
        assert each.tensor_bytes == sum(
            change.down.nbytes + change.up.nbytes
            for change in seal.layers.values()
            if isinstance(change, LowRank)
        )
        with attached(tiny_base, [(seal, 1.0)]) as attachment:
            assert not attachment.reports[0].warnings


def test_seals_are_of_one_size_at_every_rank(tiny_base: Base, tmp_path: Path) -> None:
    for made in make_seals(tiny_base, tmp_path, (4, 64), 2, ("to_q",)):
        for change in read_seal(made.path).layers.values():
            assert isinstance(change, LowRank)
            product = change.up @ change.down * change.scale
            row = torch.linalg.vector_norm(product) / product.shape[0] ** 0.5
            assert 0.5 * SIZE < float(row) < 2 * SIZE


def test_a_seed_gives_the_same_files(tiny_base: Base, tmp_path: Path) -> None:
    one, again, other = (
        [each.digest for each in make_seals(tiny_base, tmp_path / name, (2,), 2, ("to_q",), seed=seed)]
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert one == again
    assert not set(one) & set(other)


def test_layers_that_the_base_has_not_are_refused(tiny_base: Base, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no layers called to_z"):
        make_seals(tiny_base, tmp_path, (2,), 1, ("to_z",))
