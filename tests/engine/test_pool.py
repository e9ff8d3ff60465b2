"""The pool: every page has one owner, contents stay what they were, a lease ends once, and little is wasted."""

import itertools
import random
import threading

import pytest
import torch
from engine.engine_examples import layers_for, lease_of, random_low_rank
from torch import nn

from sealsmith.adapters import LowRank
from sealsmith.adapters.fit import adaptable, weight_shape
from sealsmith.bases import Base
from sealsmith.bases.architectures import full_size
from sealsmith.bases.base import SEALWORLD_FOLDER
from sealsmith.engine.packing import packed
from sealsmith.engine.pool import Lease, Pool, PoolFull

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


def some_layers(rank: int, seed: int) -> dict[str, LowRank]:
    return {
        "linear": random_low_rank((20, 12), rank, seed),
        "conv": random_low_rank((6, 5, 3, 3), rank + seed % 3, seed + 1),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_read_is_what_was_written(dtype: torch.dtype) -> None:
    pool = Pool(40, 64, dtype)
    layers = some_layers(4, seed=1)
    lease = lease_of(pool, "a", layers)
    for path, change in layers.items():
        down, up = pool.read(lease, path)
        assert all(map(torch.equal, pool.read_all(lease)[path], (down, up)))
        assert torch.equal(down, change.down.to(dtype))
        assert torch.equal(up.T, change.up.flatten(1).to(dtype))
        assert lease.places[path].scale == change.scale


@pytest.mark.parametrize("seed", range(4))
def test_every_random_history_keeps_integrity(seed: int) -> None:
    """Reserving, pinning, freeing, in any order, to the brim and past it; proven after every step."""
    draw = random.Random(seed)
    pool = Pool(60, 64)
    live: dict[str, tuple[Lease, dict[str, LowRank]]] = {}
    names = itertools.count()
    for _ in range(150):
        action = draw.choice(("reserve", "reserve", "free", "pin", "unpin"))
        if action == "reserve":
            layers = some_layers(draw.choice((1, 4, 8, 16)), draw.randrange(99))
            key = f"seal {next(names)}"
            answer = pool.reserve(key, packed(layers, pool.dtype))
            if isinstance(answer, PoolFull):
                assert answer.wanted > answer.free == pool.num_free
                assert pool.lease(key) is None
            else:
                live[key] = (answer, layers)
        elif live:
            key = draw.choice(list(live))
            lease, _ = live[key]
            if action == "pin":
                pool.pin(lease)
            elif action == "unpin" and lease.pins:
                pool.unpin(lease)
            elif action == "free" and not lease.pins:
                pool.free(lease)
                del live[key]
        pool.check_integrity()
        assert {lease.key for lease in pool.resident()} == set(live)
    for lease, layers in live.values():
        assert all(torch.equal(pool.read(lease, path)[0], each.down) for path, each in layers.items())


def test_a_seal_is_read_right_wherever_its_pages_lie() -> None:
    """Side by side, where they can be, and then without a copy; else in the gaps that others left."""
    pool = Pool(20, 64)
    small = [lease_of(pool, f"{i}", {"linear": random_low_rank((20, 12), 2, i)}) for i in range(20)]
    for lease in small[3:8] + small[10:17:2]:
        pool.free(lease)
    layers = {"linear": random_low_rank((20, 12), 16, 99)}
    leases = [lease_of(pool, "scattered", layers)]
    assert leases[0].pages == (3, 4, 5, 6, 7, 10, 12, 14)
    pool.free(leases[0])
    layers = {"linear": random_low_rank((20, 12), 10, 99)}
    leases.append(lease_of(pool, "in a row", layers))
    down, up = pool.read_all(leases[1])["linear"]
    assert down.untyped_storage().data_ptr() == pool.storage.untyped_storage().data_ptr()
    assert torch.equal(down, layers["linear"].down)
    assert torch.equal(up.T, layers["linear"].up)
    pool.check_integrity()


def test_the_same_contents_share_one_lease() -> None:
    pool = Pool(60, 64)
    layers = some_layers(4, 1)
    lease = lease_of(pool, "a", layers)
    free = pool.num_free
    assert lease_of(pool, "a", layers) is lease
    assert pool.num_free == free


def test_a_full_pool_says_what_is_missing() -> None:
    pool = Pool(10, 64)
    answer = pool.reserve("a", packed(some_layers(16, 1), pool.dtype))
    assert isinstance(answer, PoolFull)
    assert answer.is_hopeless
    assert (answer.free, answer.total) == (10, 10)
    lease_of(pool, "b", {"linear": random_low_rank((20, 12), 16, 1)})
    answer = pool.reserve("c", packed({"linear": random_low_rank((20, 12), 8, 1)}, pool.dtype))
    assert answer == PoolFull(wanted=4, free=2, total=10)
    assert not answer.is_hopeless
    pool.check_integrity()


def test_a_pinned_lease_cannot_be_freed_and_an_ended_one_not_be_read() -> None:
    pool = Pool(60, 64)
    lease = lease_of(pool, "a", some_layers(4, 1))
    pool.pin(lease)
    with pytest.raises(ValueError, match="in use 1 times"):
        pool.free(lease)
    pool.unpin(lease)
    with pytest.raises(ValueError, match="not pinned"):
        pool.unpin(lease)
    pool.free(lease)
    lease_of(pool, "b", some_layers(4, 2))
    for forbidden in (pool.free, pool.pin, lambda lease: pool.read(lease, "linear")):
        with pytest.raises(ValueError, match="has ended"):
            forbidden(lease)


def test_integrity_notices_each_kind_of_damage() -> None:
    def broken(damage: str) -> Pool:
        pool = Pool(60, 64)
        lease = lease_of(pool, "a", some_layers(4, 1))
        other = lease_of(pool, "b", some_layers(4, 2))
        if damage == "contents":
            pool.storage[lease.pages[0], 3] += 1e-6
        elif damage == "twice":
            lease.pages = (*other.pages[:1], *lease.pages[1:])
        elif damage == "lost":
            lease.pages = lease.pages[:-1]
        else:
            lease.is_live = False
        return pool

    for damage, message in (
        ("contents", "contents of seal a"),
        ("twice", "twice"),
        ("lost", "lost"),
        ("ended", "has ended"),
    ):
        with pytest.raises(AssertionError, match=message):
            broken(damage).check_integrity()


def test_threads_may_reserve_and_free_at_once() -> None:
    pool = Pool(120, 64)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(30):
                key = f"seal {(number + turn) % 5}" if turn % 2 else f"own {number} {turn}"
                lease = pool.reserve(key, packed(some_layers(4, seed=(number + turn) % 5), pool.dtype))
                if isinstance(lease, Lease) and not turn % 2:
                    pool.free(lease)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    pool.check_integrity()
    assert len(pool.resident()) == 5


def families() -> dict[str, nn.Module]:
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        sealworld = UNet2DConditionModel.from_config(
            UNet2DConditionModel.load_config(SEALWORLD_FOLDER, subfolder="unet")
        )
    return {"sealworld": sealworld, "sd1": full_size("sd1")["unet"], "sdxl": full_size("sdxl")["unet"]}


@pytest.mark.parametrize("family", ["sealworld", "sd1", "sdxl"])
@pytest.mark.parametrize("rank", [4, 8, 64])
def test_a_resident_seal_costs_little_more_than_its_tensors(family: str, rank: int) -> None:
    """Pages and page table against the matrices, for a seal of attention alone, the smallest there is."""
    layers = {}
    for path, module in adaptable(families()[family]).items():
        if path.endswith(ATTENTION):
            outputs, *inputs = weight_shape(module)
            down = torch.empty(rank, *inputs, device="meta")
            layers[path] = LowRank(down, torch.empty(outputs, rank, device="meta"), 1.0)
    num_elements = sum(each.down.numel() + each.up.numel() for each in layers.values())
    pool = Pool(0)
    page_bytes = pool.page_elements * 2 + 4
    assert pool.num_pages_for(num_elements) * page_bytes <= 1.05 * 2 * num_elements


def test_seals_of_the_same_layers_and_ranks_share_their_layout(tiny_base: Base) -> None:
    """Otherwise the account of hundreds of layers would cost a small seal as much as its tensors."""
    modules = {
        path: module for path, module in adaptable(tiny_base.denoiser).items() if path.endswith(ATTENTION)
    }
    pool = Pool(400)
    one, two = (lease_of(pool, f"seal {seed}", layers_for(modules, 4, seed)) for seed in (1, 2))
    other = lease_of(pool, "other", layers_for(modules, 8, 3))
    assert one.places is two.places
    assert other.places is not one.places
