"""Laws of first rows: the file's own scale stays, and what has no rows is refused."""

from dataclasses import replace

import pytest
import torch
from seal_examples import random_seal

from sealsmith.adapters import Full, LowRank
from sealsmith.adapters.dylora import first_rows
from sealsmith.bases import Base
from sealsmith.errors import ConfigError


@pytest.mark.parametrize("num_rows", [1, 3])
def test_the_first_rows_act_as_if_the_others_were_zero(tiny_base: Base, num_rows: int) -> None:
    seal = random_seal(tiny_base, ("to_q", "conv1"))
    for path, change in first_rows(seal, num_rows).layers.items():
        whole = seal.layers[path]
        assert isinstance(whole, LowRank)
        down = whole.down.clone()
        down[num_rows:] = 0
        assert change.rank == num_rows
        assert torch.allclose(change.delta(), replace(whole, down=down).delta(), atol=1e-6)


def test_as_many_rows_as_there_are_change_nothing(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ("to_q",))
    assert first_rows(seal, 4).layers == seal.layers


def test_what_has_no_rows_is_refused(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ("to_q",))
    path, change = next(iter(seal.layers.items()))
    seal.layers[path] = Full(change.delta())
    with pytest.raises(
        ConfigError, match="dyn=2 asks for the first rows of 'seal of sks', whose kind is full"
    ):
        first_rows(seal, 2)
