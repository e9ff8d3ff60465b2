"""A training shared by two processes is the training of one."""

import os
import socket
from pathlib import Path

import torch
from torch import multiprocessing

from world.optimisers import MuonAdam, orthogonalised
from world.training import Team


def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(12, 20), torch.nn.Tanh(), torch.nn.Linear(20, 12))


def trained(team: Team) -> dict[str, torch.Tensor]:
    """The weights after three steps on a fixed batch of eight rows."""
    learner = model()
    optimizer = MuonAdam(learner, lr=0.05, team=team)
    data = torch.randn(8, 12, generator=torch.Generator().manual_seed(1))
    for _ in range(3):
        part = data[team.share(list(range(8)))]
        optimizer.zero_grad()
        (learner(part) - part.flip(1)).square().mean().backward()
        team.average_gradients(learner)
        optimizer.step()
    return dict(learner.state_dict())


def member(rank: int, folder: str, port: int) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    team, made = Team(), Path(folder) / "made"
    with team.leader_first():
        was_there = made.exists()
        made.touch()
    values = [torch.full((2, 3), 1.0 + i) for i in range(5)]
    result = {
        "weights": trained(team),
        "was_there": was_there,
        "halved": team.map(lambda value: value / 2, values),
        "any": (team.any(rank == 1), team.any(False)),
    }
    torch.save(result, Path(folder) / f"{rank}.pt")


def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    multiprocessing.spawn(member, (str(tmp_path), port), nprocs=2)
    alone = trained(Team())
    results = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    assert [r["was_there"] for r in results] == [False, True]
    for result in results:
        assert result["any"] == (True, False)
        assert [half[0, 0].item() for half in result["halved"]] == [0.5, 1.0, 1.5, 2.0, 2.5]
        for name, weight in alone.items():
            torch.testing.assert_close(result["weights"][name], weight, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(alone["0.weight"], model().state_dict()["0.weight"])


def test_a_team_of_one_needs_nobody() -> None:
    matrix = torch.randn(4, 6)
    (result,) = Team().map(orthogonalised, [matrix])
    assert torch.equal(result, orthogonalised(matrix))
