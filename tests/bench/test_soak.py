"""A short soak: the four parts of `make soak` on a tiny base, judged by no clock but the engine's own steps."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sealsmith.bases import Base, open_base
from sealsmith.bench.soak import SoakPlan, soak
from sealsmith.bench.soak_cold import MIN_PROBES, Cold, Probes, soak_cold
from sealsmith.bench.soak_exactness import LIMIT, Exactness, ExactnessSoak, Traffic
from sealsmith.bench.soak_fairness import MAX_FLOOD_COST, Fairness, Latencies, Load, by_steps, soak_fairness
from sealsmith.bench.soak_memory import MAX_SEAL_COST, Cycle, Memory, soak_memory
from sealsmith.bench.soak_report import SoakReport, soak_page
from sealsmith.bench.soak_rig import Rig
from sealsmith.bench.soak_wishes import random_arrivals, random_wish
from sealsmith.engine.packing import packed
from sealsmith.engine.request import Order
from sealsmith.engine.settings import EngineSettings
from sealsmith.generate import Request

TRAFFIC = Traffic(
    num_requests=60, requests_a_round=30, wishes_a_round=12, num_seals=64, num_steps=(1, 2, 4), max_rows=4,
    pool_seals=8, memory_seals=24,
)  # fmt: skip


def test_traffic_of_many_tenants_draws_what_generate_draws(tiny_base_folder: Path, tmp_path: Path) -> None:
    bases = [open_base(str(tiny_base_folder)) for _ in range(3)]
    with ExactnessSoak(bases, tmp_path, TRAFFIC, seed=1) as soak:
        while soak.found.num_requests < TRAFFIC.num_requests:
            soak.round()
        found = soak.found
    assert found.failures == []
    assert found.largest_difference <= LIMIT
    assert found.largest_levels <= 1
    assert found.num_unequal_bytes == 0
    assert found.num_compared + found.num_cancelled == TRAFFIC.num_requests
    assert found.num_compared_deterministic >= TRAFFIC.num_requests - 2 * TRAFFIC.num_requests // 8
    assert found.num_cancelled > 0
    assert found.unsound == []
    assert found.is_exact
    assert found.is_same_bytes
    assert found.is_sound


def test_a_picture_that_is_not_the_one_asked_for_is_noticed(tiny_base_folder: Path, tmp_path: Path) -> None:
    bases = [open_base(str(tiny_base_folder)) for _ in range(3)]
    few = replace(TRAFFIC, num_requests=6, requests_a_round=6, wishes_a_round=3)
    for parameter in bases[1].vae.parameters():
        parameter.data.mul_(1.01)
    with ExactnessSoak(bases, tmp_path, few, seed=1) as soak:
        soak.round()
        assert not soak.found.is_exact
        assert soak.found.largest_difference > LIMIT


def test_seals_go_through_a_small_pool_at_the_cost_of_their_tensors(tiny_base: Base, tmp_path: Path) -> None:
    cycle = Cycle(num_seals=40, pool_seals=8, seals_a_batch=20, sample_every=4)
    found = soak_memory(tiny_base, tmp_path, cycle, seed=2)
    assert found.num_seals == 40
    assert 0 < found.num_resident < 40
    assert found.worst_pool_cost is not None
    assert 1 <= found.worst_pool_cost <= MAX_SEAL_COST
    assert found.pool_bytes < 40 * found.mean_seal_bytes / 4


def test_memory_that_grows_with_every_seal_is_not_flat() -> None:
    flat = Memory(64, samples_mib=[500.0 + step % 3 for step in range(100)])
    assert flat.is_flat
    leaking = Memory(64, samples_mib=[500.0 + 0.5 * step for step in range(100)])
    assert leaking.growth_mib == pytest.approx(24.5)
    assert leaking.is_flat is False
    settling = Memory(64, samples_mib=[500.0 + min(step, 40) for step in range(100)])
    assert settling.is_flat


def test_a_flood_costs_the_others_little_where_the_engine_is_full(tiny_base: Base, tmp_path: Path) -> None:
    load = Load(num_tenants=5, orders_each=4, num_runs=1, num_steps=2)
    found = soak_fairness(tiny_base, tmp_path, load, 3, by_steps)
    assert len(found.full.calm) == len(found.full.flooded) == 16
    assert len(found.not_full.calm) == len(found.not_full.flooded) == 16
    assert found.not_full.flooder_sent <= 40
    assert found.full.cost <= MAX_FLOOD_COST
    assert found.is_fair
    assert found.num_runs == 1


def test_cold_seals_are_drawn_with_and_timed(tiny_base: Base, tmp_path: Path) -> None:
    found = soak_cold(tiny_base, tmp_path, Probes(num_each=2, num_steps=3), seed=4)
    assert len(found.warm_alone_s) == len(found.cold_beside_s) == found.num_probes == 2
    assert all(gaps for gaps in (*found.others_cold_s, *found.others_warm_s))
    assert found.is_unnoticed is None, "two probes tell nobody"


@pytest.mark.parametrize(("slower", "is_unnoticed"), [(1.0, True), (1.05, True), (1.2, False), (0.8, True)])
def test_what_cold_seals_cost_others_is_told_by_their_steps(slower: float, is_unnoticed: bool) -> None:
    found = probed(12, lambda rng: slower * rng.uniform(0.99, 1.01))
    low, high = found.others_interval
    assert low <= found.others_ratio <= high
    assert found.others_ratio == pytest.approx(slower, rel=0.02)
    assert found.is_unnoticed is is_unnoticed


def test_noise_is_no_proof_that_the_others_notice_nothing() -> None:
    """Every second cold probe stalls a step: the interval is so wide that nothing is excluded."""
    stalls = iter([1.0, 3.0] * 1000)
    assert probed(12, lambda _: next(stalls)).is_unnoticed is False
    assert probed(MIN_PROBES - 1, lambda _: 1.0).is_unnoticed is None
    assert probed(MIN_PROBES, lambda _: 1.0).is_unnoticed is True


def probed(num_each: int, cold: Callable[[random.Random], float]) -> Cold:
    """Figures of so many probes; steps beside warm ones take a second, and those beside cold ones `cold`."""
    rng = random.Random(0)
    warm_s = [[rng.uniform(0.99, 1.01) for _ in range(9)] for _ in range(num_each)]
    cold_s = [[cold(rng) for _ in range(9)] for _ in range(num_each)]
    alone = [[1.0] * num_each for _ in range(4)]
    return Cold(*alone, others_warm_s=warm_s, others_cold_s=cold_s)


def test_what_the_time_did_not_suffice_for_is_not_kept() -> None:
    """Where everything that was measured is well."""
    latencies = Latencies([1.0], [1.0])
    whole = SoakReport(
        base="made up",
        exactness=Exactness(),
        memory=Memory(64, num_seals=2000, samples_mib=[500.0] * 100),
        fairness=Fairness(0.8, 3, latencies, latencies),
        cold=probed(Probes().num_each, lambda _: 1.0),
        traffic=TRAFFIC,
        cycle=Cycle(),
        load=Load(),
        probes=Probes(),
        seconds=1.0,
        machine={},
        commit=None,
        command="",
    )
    kept = [row.is_met for row in whole.rows]
    assert kept[7:] == [True, True, None, True, True]
    shorter = {
        "memory": replace(whole.memory, num_seals=1999),
        "fairness": replace(whole.fairness, num_runs=2),
        "cold": probed(Probes().num_each - 1, lambda _: 1.0),
    }
    for part, places in {"memory": [7], "fairness": [8], "cold": [10, 11]}.items():
        rows = replace(whole, **{part: shorter[part]}).rows
        assert [place for place, row in enumerate(rows) if row.is_met is not kept[place]] == places
        assert not any(rows[place].is_met for place in places)
    assert replace(whole, memory=Memory(64, num_seals=1999)).rows[7].is_met is False, "told or not"
    assert replace(whole, memory=Memory(64, num_seals=2000)).rows[7].is_met is None


def test_all_of_it_makes_one_report() -> None:
    plan = SoakPlan(
        base=None,
        minutes=0,
        traffic=replace(TRAFFIC, requests_a_round=4, wishes_a_round=3, num_seals=8, num_steps=(1,)),
        cycle=Cycle(num_seals=12, pool_seals=4, seals_a_batch=6, sample_every=2),
        load=Load(num_tenants=2, orders_each=2, orders_here=1, num_steps=1),
        probes=Probes(num_each=2, num_steps=3),
    )
    said: list[str] = []
    report = soak(plan, "sealsmith bench soak", said.append)
    assert said[-1].startswith("exactness: 4 of 60 requests")
    assert report.memory.num_seals == 6  # the time was over after the first batch
    kept = {row.promise: row.is_met for row in report.rows}
    assert kept["a picture equals `generate`'s"]
    assert kept["`deterministic`: the bytes of the same order alone"]
    assert kept["requests, from tenants, with seals"] is False
    assert kept["and the others' steps, p95"] is False
    assert [row.is_met for row in report.rows if "full machine" in row.promise] == [False]
    assert not report.is_met
    page = soak_page(report)
    assert all(row.promise in page for row in report.rows)
    facts = json.loads(json.dumps(report.to_dict()))
    assert facts["exactness"]["num_requests"] == 4
    assert facts["is_met"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"num_unequal_bytes": 1},
        {"largest_difference": 2 * LIMIT},
        {"largest_levels": 2},
        {"failures": ["0-1: BusyError: no room"]},
        {"unsound": ["after 9 requests: pages are not owned once each"]},
    ],
)
def test_a_single_picture_that_is_wrong_breaks_the_promise(change: dict[str, Any]) -> None:
    sound = Exactness(
        num_compared=9, num_compared_deterministic=9, num_integrity_checks=1, largest_difference=1e-6
    )
    assert kept(sound) == [True] * 3
    assert kept(replace(sound, **change)).count(False) == 1


def kept(found: Exactness) -> list[bool]:
    return [found.is_exact, found.is_same_bytes, found.is_sound]


def test_the_rig_tells_what_was_not_given_back(tiny_base: Base, tmp_path: Path) -> None:
    with Rig(tiny_base, tmp_path, EngineSettings(), 1 << 20) as rig:
        rig.check_at_rest()
        rig.engine.submit(Order("one", Request("x", num_steps=1)))
        with pytest.raises(AssertionError, match="still here"):
            rig.check_at_rest()
        rig.finish()
        lease = rig.engine.pool.reserve("stray", packed({}, rig.engine.pool.dtype))
        rig.engine.pool.pin(lease)  # type: ignore[arg-type]
        with pytest.raises(AssertionError):
            rig.check_at_rest()


def test_a_seed_draws_the_same_traffic(tiny_base: Base) -> None:
    def drawn(seed: int) -> list[object]:
        rng = random.Random(seed)
        wishes = [random_wish(rng, tiny_base, [f"{n:064x}" for n in range(9)], (1, 2)) for _ in range(5)]
        return [*random_arrivals(rng, wishes, 20, 4, "x")]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    tenants = {arrival.order.tenant for arrival in drawn(1)}  # type: ignore[attr-defined]
    assert len(tenants) == 4
