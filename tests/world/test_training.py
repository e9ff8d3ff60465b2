from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from world.training import Average, MuonAdam, Run, batches, orthogonalised, trapezoid, warm_up


@given(st.integers(2, 24), st.integers(2, 24), st.integers(0, 99))
def test_orthogonalised_has_singular_values_near_one(rows: int, columns: int, seed: int) -> None:
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    strong = torch.linalg.svdvals(matrix)
    kept = int((strong > 0.1 * strong[0]).sum())
    values = torch.linalg.svdvals(orthogonalised(matrix))
    assert values[:kept].min() > 0.4
    assert values.max() < 1.4


def test_orthogonalised_keeps_the_singular_vectors() -> None:
    matrix = torch.randn(12, 30, generator=torch.Generator().manual_seed(1))
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    turned = u.T @ orthogonalised(matrix) @ vh.T
    assert (turned - torch.diag(turned.diagonal())).abs().max() < 1e-3


def test_muon_adam_finds_the_minimum_of_a_quadratic() -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(16, 16)
    target = torch.randn(16, 16)
    optimizer = MuonAdam(model, lr=0.2)
    losses = []
    for step in range(300):
        for group in optimizer.param_groups:
            group["lr"] = 0.2 * trapezoid(step, 300, 0.9)
        loss = (model.weight - target).square().mean() + model.bias.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.02 * losses[0]


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
