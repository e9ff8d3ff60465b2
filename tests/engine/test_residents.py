"""Who stays in the pool and who goes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.adapters import LowRank
from sealsmith.engine.packing import Packed, packed
from sealsmith.engine.pool import Lease, Pool
from sealsmith.engine.residents import Residents
from sealsmith.errors import BusyError, SealSizeError


def layers(number: int, num_pages: int = 1) -> dict[str, LowRank]:
    """One layer of rank 1 that fills so many pages of 64 elements."""
    generator = torch.Generator().manual_seed(number)
    half = 32 * num_pages
    return {
        "unet.x": LowRank(
            torch.randn(1, half, generator=generator), torch.randn(half, 1, generator=generator), 1.0
        )
    }


def seal(number: int, num_pages: int = 1) -> Packed:
    return packed(layers(number, num_pages), torch.float32)


def pool(num_pages: int) -> Pool:
    return Pool(num_pages, page_elements=64)


def test_the_least_recently_used_goes_and_the_pinned_stays() -> None:
    residents = Residents(pool(3))
    leases = {key: residents.enter(key, seal(ord(key))) for key in "abc"}
    for key in "abc":
        residents.leave(leases[key])
    assert residents.enter("a", seal(ord("a"))) is leases["a"]
    residents.enter("d", seal(4))
    assert [key in residents for key in "abcd"] == [True, False, True, True]
    residents.leave(leases["a"])
    residents.enter("e", seal(5))
    assert [key in residents for key in "acde"] == [True, False, True, True]
    residents.check_integrity()


def test_when_nothing_helps_nothing_goes() -> None:
    residents = Residents(pool(4))
    residents.enter("a", seal(1, 2))
    residents.leave(residents.enter("b", seal(2, 1)))
    with pytest.raises(BusyError, match="leave 2 pages for seal c, which takes 3"):
        residents.enter("c", seal(3, 3))
    assert "b" in residents
    with pytest.raises(SealSizeError, match="takes 5 pages of the pool's 4"):
        residents.enter("d", seal(4, 5))
    residents.check_integrity()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=60))
def test_any_history_keeps_pool_and_residents_whole(history: list[tuple[bool, int]]) -> None:
    shared = pool(8)
    residents = Residents(shared)
    held: list[tuple[int, Lease]] = []
    for enters, number in history:
        if enters:
            try:
                lease = residents.enter(str(number), seal(number, 1 + number % 4))
            except BusyError:
                assert len({lease.key for _, lease in held}) > 0
                continue
            held.append((number, lease))
        elif held:
            residents.leave(held.pop(number % len(held))[1])
        residents.check_integrity()
        for each, lease in held:
            down, up = shared.read(lease, "unet.x")
            expected = layers(each, 1 + each % 4)["unet.x"]
            assert torch.equal(down, expected.down)
            assert torch.equal(up, expected.up.T)
