from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from world.optimisers import MuonAdam
from world.training import Average, Pace, Run, batches, check_shapes, results_of, trapezoid, warm_up


def test_average_of_constant_weights_is_those_weights() -> None:
    model = torch.nn.Linear(3, 2)
    average = Average(model, horizon=5)
    for _ in range(9):
        average.update(model)
    assert torch.allclose(average.weights["weight"], model.weight, atol=1e-6)


@given(st.integers(1, 400), st.integers(1, 60))
def test_learning_rate_rises_then_falls_and_never_stops(total: int, warmup: int) -> None:
    factors = [trapezoid(step, total + warmup) * warm_up(step, warmup) for step in range(total + warmup)]
    assert all(0 < f <= 1 for f in factors)
    peak = factors.index(max(factors))
    assert factors[:peak] == sorted(factors[:peak])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)


@pytest.mark.parametrize("start", [0, 1, 4, 5, 13])
def test_batches_resumed_are_the_batches_uninterrupted(start: int) -> None:
    whole, resumed = batches(23, 4, seed=7), batches(23, 4, seed=7, start=start)
    for _ in range(start):
        next(whole)
    assert all(torch.equal(next(whole), next(resumed)) for _ in range(12))


def test_an_epoch_shows_everything_once() -> None:
    stream = batches(20, 5, seed=3)
    assert sorted(torch.cat([next(stream) for _ in range(4)]).tolist()) == list(range(20))


def test_checkpoint_comes_back_and_old_parts_go(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.load() is None
    run.save({"step": 1, "model": {"w": torch.zeros(3)}})
    run.save({"step": 2, "model": {"w": torch.ones(3)}})
    state = run.load()
    assert state is not None
    assert state["step"] == 2
    assert torch.equal(state["model"]["w"], torch.ones(3))
    assert len(list(tmp_path.glob("*.part"))) == 1


def test_a_checkpoint_is_read_without_pickle(tmp_path: Path) -> None:
    state = {
        "a": {"b": {"w": torch.ones(3, 2).T, "rate": 0.1 + 0.2}, "none": {}},
        "list": [{"lr": 1e-3}, None],
        "n": 3,
    }
    run = Run(tmp_path)
    run.save(state)
    whole = b"".join(part.read_bytes() for part in sorted(tmp_path.glob("*.part")))
    assert safetensors.torch.load(whole).keys() == {"a/b/w"}
    back = run.load() or {}
    assert torch.equal(back["a"]["b"].pop("w"), torch.ones(2, 3))
    assert back == {"a": {"b": {"rate": 0.1 + 0.2}}, "list": [{"lr": 1e-3}, None], "n": 3}


def test_large_checkpoint_is_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("world.training.CHECKPOINT_PART_BYTES", 1000)
    run = Run(tmp_path)
    weights = torch.arange(2000.0)
    run.save({"w": weights})
    assert max(p.stat().st_size for p in tmp_path.glob("*.part")) <= 1000
    state = run.load()
    assert state is not None
    assert torch.equal(state["w"], weights)


def test_a_resumed_training_is_the_saved_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    run, model = Run(tmp_path), torch.nn.Linear(12, 12)
    optimizer, average = MuonAdam(model, lr=0.1), Average(model, 5)
    assert run.resume(model, optimizer, average) == 0
    model(torch.ones(2, 12)).square().sum().backward()
    optimizer.step()
    average.update(model)
    run.save_training(model, optimizer, average, 1, scaling_factor=0.5)

    fresh = torch.nn.Linear(12, 12)
    again, mean = MuonAdam(fresh, lr=0.1), Average(fresh, 5)
    assert run.resume(fresh, again, mean) == 1
    assert mean.step == 1
    assert torch.equal(fresh.weight, model.weight)
    assert torch.equal(mean.weights["weight"], average.weights["weight"])
    assert torch.equal(again.state[fresh.weight]["momentum"], optimizer.state[model.weight]["momentum"])
    assert (run.load() or {})["scaling_factor"] == 0.5


def test_results_are_the_averages_and_a_training_goes_on_from_them(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.ModuleDict({"coarse": torch.nn.Linear(12, 12), "fine": torch.nn.Linear(12, 12)})
    optimizer, average = MuonAdam(model, lr=0.1), Average(model, 5)
    model["coarse"](torch.ones(2, 12)).square().sum().backward()
    optimizer.step()
    average.update(model)
    run = Run(tmp_path / "whole")
    run.save_training(model, optimizer, average, 7, scaling_factor=0.5)
    small = Run(tmp_path / "small")
    small.save(results_of(run.load() or {}, precise=("fine.",)))
    state = small.load() or {}
    assert state.keys() == {"average", "step", "scaling_factor"}
    assert state["average"]["coarse.weight"].dtype == torch.half
    assert torch.equal(state["average"]["fine.weight"], average.weights["fine.weight"])
    again = torch.nn.ModuleDict({"coarse": torch.nn.Linear(12, 12), "fine": torch.nn.Linear(12, 12)})
    assert small.resume(again, MuonAdam(again, lr=0.1), Average(again, 5)) == 7
    torch.testing.assert_close(again["coarse"].weight, average.weights["coarse.weight"], atol=1e-3, rtol=1e-3)


def test_an_average_of_horizon_one_is_the_last_weights() -> None:
    model = torch.nn.Linear(3, 2)
    average = Average(model, horizon=1)
    for _ in range(3):
        torch.nn.init.normal_(model.weight)
        average.update(model)
    assert torch.equal(average.weights["weight"], model.weight)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, to be turned on."""
    now = [100.0]
    monkeypatch.setattr("world.training.time.monotonic", lambda: now[0])
    return now


def test_a_training_has_cooled_down_when_its_minutes_or_its_steps_are_over(clock: list[float]) -> None:
    pace = Pace(steps=100, cooldown=0.5, minutes=2)
    pace.begin()
    assert (pace.share(25), pace.factor(25)) == (0.25, 1)
    assert pace.share(100) == 1
    clock[0] += 90
    assert (pace.share(25), pace.factor(25)) == (0.75, 0.5)
    clock[0] += 60
    assert (pace.share(25), pace.factor(25)) == (1, pytest.approx(0.02))


def test_the_minutes_of_all_sittings_count_and_those_between_do_not(clock: list[float]) -> None:
    first = Pace(100, 0.5, minutes=2)
    first.begin()
    clock[0] += 30
    state = first.state()
    clock[0] += 1000
    second = Pace(100, 0.5, minutes=2)
    second.begin(state)
    assert second.share(0) == 0.25
    clock[0] += 30
    assert second.share(0) == 0.5


@pytest.mark.parametrize("sign", [1, -1])
def test_the_rate_falls_as_soon_as_nothing_gets_better(sign: int) -> None:
    pace = Pace(steps=1000, cooldown=0.25, patience=2)
    pace.begin()
    for step, figure in ((100, 10.0), (110, 9.0), (120, 9.5), (130, 8.0), (140, 8.1)):
        pace.heed(figure if sign > 0 else figure - 100, step)
    assert pace.share(140) == 0.14
    pace.heed(8.2 if sign > 0 else -91.8, 150)
    assert pace.share(150) == pytest.approx(0.75)
    assert pace.factor(151) < 1
    pace.heed(8.3 if sign > 0 else -91.7, 160)
    assert pace.share(160) == pytest.approx(0.76)


def test_patience_is_not_asked_of_a_training_without(clock: list[float]) -> None:
    pace = Pace(steps=100, cooldown=0.25)
    pace.begin()
    for step in range(20):
        pace.heed(1.0, step)
    assert pace.share(19) == 0.19


def test_weights_of_another_shape_are_named() -> None:
    model = torch.nn.Linear(3, 2)
    check_shapes(model, model.state_dict())
    with pytest.raises(SystemExit, match=r"another shape: bias and 1 others"):
        check_shapes(model, torch.nn.Linear(4, 5).state_dict())
