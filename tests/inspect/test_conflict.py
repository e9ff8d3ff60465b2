"""How two seals' weights meet on a base, as `sealsmith conflicts` prints it."""

import dataclasses
import json

import pytest
from seal_examples import changed, random_seal

from sealsmith.bases import Base
from sealsmith.errors import BaseMismatchError
from sealsmith.inspect.conflict import crossed_by_block, spare_blocks, weight_conflicts

TARGETS = ("to_q", "to_out.0", "conv1")


def test_a_seal_meets_itself_in_every_layer(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, TARGETS)
    [found] = weight_conflicts(tiny_base, [seal, changed(seal, up=2.0)])
    assert len(found.layers) == len(seal.layers)
    assert found.cosine == pytest.approx(1)
    assert found.damage == pytest.approx((2.0, 0.5))
    assert found.num_opposed == 0
    assert all(layer.read.value == pytest.approx(1, abs=1e-6) for layer in found.layers)
    assert all(layer.written.smallest_deg < 1e-3 for layer in found.layers)


def test_opposed_seals_are_opposed_in_every_layer(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, TARGETS)
    [found] = weight_conflicts(tiny_base, [seal, changed(seal, up=-1.0)])
    assert found.cosine == pytest.approx(-1)
    assert found.num_opposed == len(seal.layers)


def test_random_seals_share_what_chance_gives(tiny_base: Base) -> None:
    one, other = (random_seal(tiny_base, TARGETS, seed=seed) for seed in (1, 2))
    [found] = weight_conflicts(tiny_base, [one, other])
    assert abs(found.cosine) < 0.1
    mean = sum(layer.read.value - layer.read.chance for layer in found.layers) / len(found.layers)
    assert abs(mean) < 0.05


def test_the_blocks_shares_make_a_whole_the_largest_first(tiny_base: Base) -> None:
    seals = [random_seal(tiny_base, TARGETS, seed=seed) for seed in range(3)]
    conflicts = weight_conflicts(tiny_base, seals)
    assert len(conflicts) == 3
    for found in conflicts:
        shares = list(found.blocks.values())
        assert sum(shares) == pytest.approx(1)
        assert shares == sorted(shares, reverse=True)
        json.dumps(found.to_dict(), allow_nan=False)
    assert sum(crossed_by_block(conflicts).values()) == pytest.approx(1)


def test_seals_without_a_common_layer_do_not_meet(tiny_base: Base) -> None:
    [found] = weight_conflicts(
        tiny_base, [random_seal(tiny_base, ("to_q",)), random_seal(tiny_base, ("to_k",))]
    )
    assert (found.layers, found.damage, found.cosine, found.blocks) == ((), (0, 0), 0, {})


def test_a_seal_of_another_family_is_refused(tiny_base: Base, tiny_flux: Base) -> None:
    with pytest.raises(BaseMismatchError, match="none of the 4 layers"):
        weight_conflicts(tiny_base, [random_seal(tiny_base, ("to_q",)), random_seal(tiny_flux, ("to_q",))])


def test_a_block_to_spare_disturbs_more_than_it_carries(tiny_base: Base) -> None:
    """Shares less shares: over all blocks nothing is left, and a seal against its double has no block to spare."""
    seals = [random_seal(tiny_base, TARGETS, seed=seed) for seed in range(3)]
    spare = spare_blocks(weight_conflicts(tiny_base, seals), 3)
    assert [sum(blocks.values()) for blocks in spare] == pytest.approx([0, 0, 0], abs=1e-6)
    assert all(max(blocks.values()) > 0 for blocks in spare)
    one = random_seal(tiny_base, ("to_q",))
    loud = {p: c for p, c in changed(one, up=3.0).layers.items() if ".mid_block." in p}
    rest = {p: c for p, c in one.layers.items() if ".mid_block." not in p}
    half = dataclasses.replace(one, layers=rest | loud)
    (first, second) = spare_blocks(weight_conflicts(tiny_base, [one, half]), 2)
    assert first["MID"] > 0
    assert first["MID"] > max(0.1, 2 * second["MID"])
