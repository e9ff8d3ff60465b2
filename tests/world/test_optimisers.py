"""What the optimisers of the world's trainings do to a matrix and to a quadratic."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from world.optimisers import MuonAdam, ScheduleFree, orthogonalised, orthogonalised_alike
from world.training import trapezoid


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


def test_matrices_of_one_shape_together_are_each_alone() -> None:
    torch.manual_seed(0)
    matrices = [torch.randn(4, 6), torch.randn(9, 5), torch.randn(4, 6), torch.randn(6, 4), torch.randn(9, 5)]
    for matrix, together in zip(matrices, orthogonalised_alike(matrices), strict=True):
        torch.testing.assert_close(together, orthogonalised(matrix))


def test_without_muon_it_is_torch_s_adamw() -> None:
    torch.manual_seed(0)
    ours, theirs = torch.nn.Linear(12, 10), torch.nn.Linear(12, 10)
    theirs.load_state_dict(ours.state_dict())
    optimizer = MuonAdam(ours, lr=0.01, weight_decay=0.1, muon=False)
    decayed = [{"params": [theirs.weight], "weight_decay": 0.1}, {"params": [theirs.bias], "weight_decay": 0}]
    reference = torch.optim.AdamW(decayed, lr=0.01, betas=(0.9, 0.99))
    for _ in range(5):
        inputs = torch.randn(4, 12)
        for model, stepped in ((ours, optimizer), (theirs, reference)):
            stepped.zero_grad()
            model(inputs).square().sum().backward()
            stepped.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


def test_schedule_free_s_averages_are_nearer_the_minimum_than_where_it_looks() -> None:
    torch.manual_seed(0)
    model, target = torch.nn.Linear(16, 16), torch.randn(16, 16)
    optimizer = ScheduleFree(model, lr=0.05)
    for _ in range(400):
        noisy = target + 0.5 * torch.randn_like(target)
        optimizer.zero_grad()
        ((model.weight - noisy).square().sum() + model.bias.square().sum()).backward()
        optimizer.step()
    averaged = optimizer.averaged(model)
    assert averaged.keys() == model.state_dict().keys()
    looked, used = ((w.detach() - target).square().mean() for w in (model.weight, averaged["weight"]))
    assert used < min(0.05, looked)
