"""The engine suite runs whole on a tiny base; its tables and JSON say what was measured."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sealsmith.bases import Base, open_base
from sealsmith.bench.engine_arms import ARMS, Terms
from sealsmith.bench.engine_bench import REGISTERED, EnginePlan, _Run, measure_engine
from sealsmith.bench.engine_figures import ArmFigures, Exactness, Latencies, WorkloadFigures, together
from sealsmith.bench.engine_plot import WIDTH_PX, engine_plot
from sealsmith.bench.engine_report import EngineReport, engine_tables
from sealsmith.bench.engine_scale import Scale, ScalePlan
from sealsmith.bench.scale_figures import HERE, PROCESS, ScaleFigures, scale_tables
from sealsmith.bench.training_plot import PAPER
from sealsmith.bench.workload import DISTINCT, EQUAL_RANKS, MIXED_RANKS, POPULARITIES, UNIFORM, Workload
from sealsmith.engine.settings import EngineSettings
from sealsmith.errors import ConfigError

PEERS = ("load_unload", "fuse", "hotswap", "set_adapters", "loop")


def test_the_quick_suite_has_every_arm_every_ratio_and_a_proof(tiny_base_folder: Path) -> None:
    plan = replace(
        EnginePlan.quick(), num_requests=2, num_steps=1, repeats=2, share=1, exact_requests=1, num_threads=1
    )
    heard: list[str] = []
    report = measure_engine(str(tiny_base_folder), plan, "sealsmith bench engine --quick", heard.append)
    facts = json.loads(json.dumps(report.to_dict()))
    assert tuple(facts["arms"]) == ARMS
    assert all(arm[key] > 0 for arm in facts["arms"].values() for key in ("images_per_s", "p50_s", "p95_s"))
    assert {f"vs_{name}" for name in ("ceiling", *PEERS)} <= facts["ratios"].keys()
    assert facts["exactness"]["requests"] == 1
    assert facts["exactness"]["byte_equal"] is True
    assert facts["exactness"]["max_abs_diff"] <= 1e-4
    assert facts["machine"]["threads"] == 1
    assert (facts["rounds"], facts["scale"], len(heard)) == (2, None, 3)
    assert "set_adapters" in engine_tables(report)


def test_the_whole_suite_draws_every_popularity_with_equal_and_with_mixed_ranks(tiny_base: Base) -> None:
    workloads = EnginePlan().workloads(tiny_base)
    for ranks in (EQUAL_RANKS, MIXED_RANKS):
        mine = [workload for workload in workloads if workload.ranks == ranks]
        assert {workload.popularity for workload in mine} == set(POPULARITIES)
        assert [each.num_registered for each in mine if each.popularity == "zipf"] == [*REGISTERED]
    assert workloads[0].popularity == DISTINCT
    assert EnginePlan.quick().workloads(tiny_base) == (workloads[0],)


def test_requests_that_come_one_by_one_wait_for_what_was_measured(tiny_base_folder: Path) -> None:
    """At two rates and two variations, each with its own times, by the arms whose pace is known."""
    base = open_base(str(tiny_base_folder))
    plan = EnginePlan(arriving_requests=3)
    terms = Terms(1, 3.0, EngineSettings(pool_bytes=64 << 20))
    heard: list[str] = []
    known = figures(ours=(5.0,), set_adapters=(0.5,))
    workload = Workload(UNIFORM, 2, 8, (2,), ("attention",))
    found = _Run(plan, terms, base, base, heard.append).arrivals(replace(known, workload=workload))
    assert [(each.rate_of, each.rate, each.variation) for each in found] == [
        ("ours", 4.0, 1.0), ("ours", 4.0, 8.0), ("set_adapters", 0.4, 1.0), ("set_adapters", 0.4, 8.0)
    ]  # fmt: skip
    assert all(len(waits.seconds) == 3 for each in found for waits in each.arms.values())
    assert len(heard) == 4


def test_our_costs_are_measured_on_a_real_engine_and_in_its_own_process(
    tiny_base_folder: Path,
) -> None:
    plan = ScalePlan(registered=(1, 3), num_requests=3, repeats=1, num_weighed=3, scarce_share=0.7)
    terms = Terms(1, 3.0, EngineSettings(pool_bytes=64 << 20))
    word = str(tiny_base_folder)
    figures = Scale(word, open_base(word), open_base(word), terms, plan).measure()
    assert list(figures.images_per_s) == ["1, in memory", "3, in memory", "3, 70% of them in memory"]
    assert all(pace > 0 for runs in figures.images_per_s.values() for pace in runs)
    assert all(figures.process_s[side][0] > 0 for side in (HERE, PROCESS))
    assert json.loads(json.dumps(figures.to_dict()))["registered"].keys() == figures.images_per_s.keys()


def test_a_base_the_stock_side_cannot_open_is_refused(tiny_flux_folder: Path) -> None:
    with pytest.raises(ConfigError, match="is a FluxPipeline"):
        measure_engine(str(tiny_flux_folder), EnginePlan.quick(), "bench", lambda _: None)


def figures(**paces: tuple[float, ...]) -> WorkloadFigures:
    arms = {name: ArmFigures(runs, Latencies((1.0, 2.0, 3.0))) for name, runs in paces.items()}
    return WorkloadFigures(Workload(DISTINCT, 8, 8, (8,), ("attention",)), arms, exact(), 1 << 20, 1 << 22)


def exact(requests: int = 3, max_abs_diff: float = 1e-6, is_equal: bool = True) -> Exactness:
    return Exactness(requests, max_abs_diff, 0, is_equal)


def test_a_ratio_is_of_turns_in_the_same_round() -> None:
    """A slow minute hits both: in each round ours was twice as fast, whatever the medians are."""
    found = figures(ours=(2.0, 20.0, 4.0), set_adapters=(1.0, 10.0, 2.0))
    assert found.ratio("set_adapters").rounds == (2.0, 2.0, 2.0)
    assert found.to_dict()["ratios"] == {"vs_set_adapters": 2.0}
    assert found.to_dict()["arms"]["ours"]["spread"] == [2.0, 20.0]
    assert found.to_dict()["arms"]["ours"]["images_per_s"] == 4.0


def test_one_picture_that_is_another_counts() -> None:
    worst = together([exact(), exact(2, 0.5, False)])
    assert worst == Exactness(5, 0.5, 0, False)
    report = EngineReport(
        (figures(ours=(1.0,)),), (), None, Terms(1, 3.0, EngineSettings()), {}, None, "bench"
    )
    assert report.exactness == exact()


def test_waiting_is_told_by_quantiles() -> None:
    found = Latencies(tuple(float(second) for second in range(101)))
    assert (found.p50, found.p95) == (50.0, 95.0)
    assert Latencies(()).p50 is None


def test_what_is_kept_and_what_is_added_is_of_the_first_side() -> None:
    found = ScaleFigures(
        {"5": (2.0, 4.0), "2,000": (2.7, 2.7)}, 1 << 20, {HERE: (1.0,), PROCESS: (1.01,)}, 1.04
    )
    assert found.kept == pytest.approx({"5": 1.0, "2,000": 0.9})
    assert found.process_share == pytest.approx(0.01)
    text = "\n".join(scale_tables(found))
    for said in ("0.900", "+1.0%", "1.04"):
        assert said in text


def test_a_plot_has_a_bar_for_every_arm() -> None:
    terms = Terms(1, 3.0, EngineSettings())
    few, many = (
        EngineReport((figures(**dict.fromkeys(names, (1.0, 2.0))),), (), None, terms, {}, None, "bench")
        for names in (("ours",), ("ours", *PEERS))
    )
    sizes = [engine_plot(report).size for report in (few, many)]
    assert sizes[0][0] == sizes[1][0] == WIDTH_PX
    assert sizes[1][1] > sizes[0][1]
    drawn = [(np.asarray(engine_plot(report)) != PAPER).sum() for report in (few, many)]
    assert drawn[1] > drawn[0] > 0
