"""The optimisers of the world's trainings: Muon beside AdamW, AdamW alone, and AdamW without a schedule.

Not for: learning rates (training.py) or which of them a training takes (configs.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class Sharing(Protocol):
    """The processes of one training, to the optimiser (`training.Team`)."""

    size: int

    def map(self, function: Any, values: list[Tensor]) -> list[Tensor]:
        """`function` of every value; each process computes a part and all get the whole."""
        ...


def orthogonalised(update: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrix to each of `update` [..., out, in], by a quintic Newton-Schulz iteration.

    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
    Differs: every iterate is a polynomial of the Gram matrix times the update, so only the small square
    matrices are iterated and the long one is multiplied twice instead of ten times. That needs float32: rounded to
    bfloat16 a Gram matrix gets negative eigenvalues, which the iteration blows up.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = update / (torch.linalg.matrix_norm(update, keepdim=True) + 1e-7)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    gram = x @ x.mT
    identity = torch.eye(gram.shape[-1], dtype=x.dtype, device=x.device)
    product = identity
    for left in reversed(range(steps)):
        polynomial = a * identity + b * gram + c * gram @ gram
        product = polynomial if product is identity else polynomial @ product
        if left:
            gram = polynomial @ gram @ polynomial
    x = product @ x
    return x.mT if tall else x


def orthogonalised_alike(updates: list[Tensor]) -> list[Tensor]:
    """`orthogonalised` of each, those of one shape in one go: a GPU is slow at many small products."""
    alike = defaultdict(list)
    for index, update in enumerate(updates):
        alike[update.shape].append(index)
    results = list(updates)
    for indices in alike.values():
        together = orthogonalised(torch.stack([updates[i] for i in indices]))
        for index, result in zip(indices, together, strict=True):
            results[index] = result
    return results


class MuonAdam(torch.optim.Optimizer):
    """Muon on matrices and convolution kernels, AdamW on everything else, in one optimizer.

    Kernels are flattened to [out, in*k*k]. The Muon step has the root-mean-square size of an AdamW step
    (`0.2 * sqrt(max(out, in))`), so both share one learning rate. The processes of a `team` share the
    orthogonalising, which costs as much as a small batch's gradients. Without `muon` it is AdamW.
    """

    def __init__(
        self,
        model: nn.Module,
        lr: float,
        weight_decay: float = 0.0,
        embeddings: Iterable[str] = (),
        team: Sharing | None = None,
        muon: bool = True,
    ):
        self.team = team
        names = tuple(embeddings)
        matrices: list[Tensor] = []
        others: list[Tensor] = []
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            is_matrix = parameter.ndim >= 2 and min(parameter.shape[0], parameter[0].numel()) > 8
            is_muon = muon and is_matrix and not any(n in name for n in names)
            (matrices if is_muon else others).append(parameter)
        groups = [{"params": matrices, "muon": True}, {"params": others, "muon": False}]
        super().__init__(
            [group for group in groups if group["params"]],
            {"lr": lr, "weight_decay": weight_decay, "step": 0},
        )

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            group["step"] += 1
            parameters = [p for p in group["params"] if p.grad is not None]
            decayed = [p for p in parameters if p.ndim >= 2]
            if group["weight_decay"] and decayed:
                torch._foreach_mul_(decayed, 1 - group["lr"] * group["weight_decay"])
            if parameters:
                (self._step_muon if group["muon"] else self._step_adam)(
                    parameters, group["lr"], group["step"]
                )

    def _moment(self, parameter: Tensor, name: str) -> Tensor:
        state = self.state[parameter]
        if name not in state:
            state[name] = torch.zeros_like(parameter)
        return state[name]

    def _step_muon(self, parameters: list[Tensor], lr: float, t: int) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        momenta = [self._moment(p, "momentum") for p in parameters]
        torch._foreach_lerp_(momenta, gradients, 0.05)
        ahead = [g.flatten(1) for g in torch._foreach_lerp(gradients, momenta, 0.95)]
        if self.team is not None and self.team.size > 1:
            updates = self.team.map(orthogonalised, ahead)
        else:
            updates = orthogonalised_alike(ahead)
        for p, update in zip(parameters, updates, strict=True):
            p.add_(update.reshape(p.shape), alpha=-lr * 0.2 * max(update.shape) ** 0.5)

    def _step_adam(self, parameters: list[Tensor], lr: float, t: int) -> None:
        gradients = [p.grad for p in parameters if p.grad is not None]
        means = [self._moment(p, "mean") for p in parameters]
        squares = [self._moment(p, "square") for p in parameters]
        torch._foreach_lerp_(means, gradients, 0.1)
        torch._foreach_lerp_(squares, torch._foreach_mul(gradients, gradients), 0.01)
        sizes = torch._foreach_sqrt(torch._foreach_div(squares, 1 - 0.99**t))
        torch._foreach_add_(sizes, 1e-8)
        torch._foreach_addcdiv_(parameters, means, sizes, -lr / (1 - 0.9**t))


class ScheduleFree(torch.optim.Optimizer):
    """AdamW whose weights are averaged as it goes, so that no learning rate has to fall at an end nobody knows.

    The model holds the point where gradients are taken; what is to be used is `averaged`.

    Source: Defazio et al. 2024, "The Road Less Scheduled", arXiv:2405.15682.
    """

    def __init__(self, model: nn.Module, lr: float, weight_decay: float = 0.0):
        trained = [p for p in model.parameters() if p.requires_grad]
        super().__init__(trained, {"lr": lr, "weight_decay": weight_decay, "step": 0, "weight": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        (group,) = self.param_groups
        group["step"] += 1
        lr, t = group["lr"], group["step"]
        group["weight"] += lr**2
        share = lr**2 / group["weight"]
        for p in group["params"]:
            if p.grad is None:
                continue
            state = self.state[p]
            base = state.setdefault("base", p.clone())
            average = state.setdefault("average", p.clone())
            square = state.setdefault("square", torch.zeros_like(p))
            square.lerp_(p.grad.square(), 0.01)
            size = (square / (1 - 0.99**t)).sqrt_().add_(1e-8)
            if p.ndim >= 2:
                base.add_(p, alpha=-lr * group["weight_decay"])
            base.addcdiv_(p.grad, size, value=-lr)
            average.lerp_(base, share)
            p.copy_(base.lerp(average, 0.9))

    def averaged(self, model: nn.Module) -> dict[str, Tensor]:
        """The model's state with the averages in the place of its weights."""
        weights = {name: value.detach() for name, value in model.state_dict().items()}
        return weights | dict(self._averages(model))

    def _averages(self, model: nn.Module) -> Iterator[tuple[str, Tensor]]:
        for name, parameter in model.named_parameters():
            if "average" in self.state[parameter]:
                yield name, self.state[parameter]["average"]
