"""What the three trainings of the world share: optimiser, averaged weights, checkpoints, a log.

Not for: models or losses (autoencoder.py, denoiser.py, judge.py).
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save_file
from torch import Tensor, distributed, nn

CHECKPOINT_PART_BYTES = 15 * 2**20
"""Largest checkpoint file: lent machines hand back files of 16 MiB at most."""


def has_fast_bfloat16(device: str) -> bool:
    """Whether products in bfloat16 are several times as fast as in float32: GPUs, and CPUs with AMX tiles."""
    return device != "cpu" or torch.cpu._is_amx_tile_supported()


def orthogonalised(update: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrix to `update` [out, in], by a quintic Newton-Schulz iteration.

    Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks".
    Differs: every iterate is a polynomial of the Gram matrix times the update, so only the small square
    matrices are iterated and the long one is multiplied twice instead of ten times. That needs float32: rounded to
    bfloat16 a Gram matrix gets negative eigenvalues, which the iteration blows up.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = update / (update.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    gram = x @ x.T
    identity = torch.eye(len(gram), dtype=x.dtype, device=x.device)
    product = identity
    for left in reversed(range(steps)):
        polynomial = a * identity + b * gram + c * gram @ gram
        product = polynomial if product is identity else polynomial @ product
        if left:
            gram = polynomial @ gram @ polynomial
    x = product @ x
    return x.T if tall else x


class MuonAdam(torch.optim.Optimizer):
    """Muon on matrices and convolution kernels, AdamW on everything else, in one optimizer.

    Kernels are flattened to [out, in*k*k]. The Muon step has the root-mean-square size of an AdamW step
    (`0.2 * sqrt(max(out, in))`), so both share one learning rate. The processes of a `team` share the
    orthogonalising, which costs as much as a small batch's gradients.
    """

    def __init__(
        self,
        model: nn.Module,
        lr: float,
        weight_decay: float = 0.0,
        embeddings: Iterable[str] = (),
        team: "Team | None" = None,
    ):
        self.team = team or Team()
        names = tuple(embeddings)
        matrices, others = [], []
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            is_matrix = parameter.ndim >= 2 and min(parameter.shape[0], parameter[0].numel()) > 8
            (matrices if is_matrix and not any(n in name for n in names) else others).append(parameter)
        groups = [{"params": matrices, "muon": True}, {"params": others, "muon": False}]
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay, "step": 0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            group["step"] += 1
            parameters = [p for p in group["params"] if p.grad is not None]
            for p in parameters:
                if group["weight_decay"] and p.ndim >= 2:
                    p.mul_(1 - group["lr"] * group["weight_decay"])
            if group["muon"]:
                self._step_muon(parameters, group["lr"])
            else:
                self._step_adam(parameters, group["lr"], group["step"])

    def _step_muon(self, parameters: list[Tensor], lr: float) -> None:
        momenta = []
        for p in parameters:
            momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
            momentum.lerp_(p.grad, 0.05)
            momenta.append(p.grad.lerp(momentum, 0.95).flatten(1))
        updates = self.team.map(orthogonalised, momenta)
        for p, update in zip(parameters, updates, strict=True):
            p.add_(update.view_as(p), alpha=-lr * 0.2 * max(update.shape) ** 0.5)

    def _step_adam(self, parameters: list[Tensor], lr: float, t: int) -> None:
        for p in parameters:
            state = self.state[p]
            mean = state.setdefault("mean", torch.zeros_like(p))
            square = state.setdefault("square", torch.zeros_like(p))
            mean.lerp_(p.grad, 0.1)
            square.lerp_(p.grad.square(), 0.01)
            denominator = (square / (1 - 0.99**t)).sqrt_().add_(1e-8)
            p.addcdiv_(mean / (1 - 0.9**t), denominator, value=-lr)


class Average:
    """Exponential moving average of a model's weights; the horizon grows with the run up to `horizon` steps."""

    def __init__(self, model: nn.Module, horizon: int):
        self.horizon, self.step = horizon, 0
        self.weights = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.step += 1
        keep = 1 - 1 / min(self.horizon, 1 + self.step / 8)
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, 1 - keep)
            else:
                self.weights[name].copy_(value)


def warm_up(step: int, steps: int) -> float:
    """Learning-rate factor: up over an optimiser's first `steps` steps, then 1."""
    return min(1.0, (step + 1) / steps)


def trapezoid(step: int, total: int, cooldown: float = 0.25) -> float:
    """Learning-rate factor: flat, then down to 2 % over the last `cooldown` share."""
    left = (total - step) / max(1.0, cooldown * total)
    return max(0.02, min(1.0, left))


def batches(count: int, size: int, seed: int, start: int = 0) -> Iterator[Tensor]:
    """Index batches [size] without end: a new permutation an epoch, the same stream after a resume at `start`."""
    per_epoch = count // size
    step = start
    while True:
        order = torch.randperm(count, generator=torch.Generator().manual_seed(seed + step // per_epoch))
        for i in range(step % per_epoch, per_epoch):
            yield order[i * size : (i + 1) * size]
            step += 1


class Team:
    """The processes of one training: one, or several started by `torchrun` that share every batch.

    On a busy machine two processes of one thread outpace one process of two threads: they wait for each
    other once a step instead of once an operation.
    """

    def __init__(self) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if self.size > 1 and not distributed.is_initialized():
            distributed.init_process_group("gloo")

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """The leader runs the block while the others wait; they then run it too, and find what it left on disk."""
        if self.rank > 0:
            distributed.barrier()
        yield
        if self.rank == 0 and self.size > 1:
            distributed.barrier()

    def share(self, rows: list[int]) -> list[int]:
        """This process's rows of a batch."""
        return rows[self.rank :: self.size]

    def average_gradients(self, model: nn.Module) -> None:
        """Replace every gradient by its mean over the team."""
        if self.size == 1:
            return
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        distributed.all_reduce(flat)
        for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient) / self.size)

    def map(self, function: Callable[[Tensor], Tensor], values: list[Tensor]) -> list[Tensor]:
        """`function` of every value, of its shape; each process computes a part and all get the whole."""
        if self.size == 1:
            return [function(value) for value in values]
        results = values[0].new_zeros(sum(value.numel() for value in values))
        parts = results.split([value.numel() for value in values])
        by_size = sorted(range(len(values)), key=lambda i: -values[i].numel())
        for i in by_size[self.rank :: self.size]:
            parts[i].copy_(function(values[i]).flatten())
        distributed.all_reduce(results)
        return [part.view_as(value) for part, value in zip(parts, values, strict=True)]

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any process: the same answer in all of them."""
        if self.size == 1:
            return flag
        votes = torch.tensor(float(flag))
        distributed.all_reduce(votes)
        return bool(votes > 0)


def leaves(nested: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in nested dictionaries, with the keys on the way to it joined by slashes."""
    for key, value in nested.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{above}{key}/")
        else:
            yield f"{above}{key}", value


def tree(values: Mapping[str, Any]) -> dict[str, Any]:
    """The nested dictionaries that `leaves` took apart; those that were empty are gone."""
    root: dict[str, Any] = {}
    for path, value in values.items():
        *above, key = path.split("/")
        branch = root
        for step in above:
            branch = branch.setdefault(step, {})
        branch[key] = value
    return root


class Run:
    """One training on disk: `world/runs/<name>/`, its log and its checkpoint in parts of at most 15 MiB."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.started = time.monotonic()

    def log(self, **figures: float | int | str) -> None:
        line = json.dumps({"elapsed_s": round(time.monotonic() - self.started, 1), **figures})
        with (self.folder / "log.jsonl").open("a") as out:
            out.write(line + "\n")
        print(line, flush=True)

    def save(self, state: Mapping[str, Any]) -> None:
        """Write a checkpoint, nested dictionaries of tensors and of what JSON knows.

        The tensors go into a safetensors file in parts, everything else beside their names. A crash at any moment
        leaves the last whole checkpoint.
        """
        values = dict(leaves(state))
        tensors = {path: value.contiguous() for path, value in values.items() if isinstance(value, Tensor)}
        facts = {path: value for path, value in values.items() if path not in tensors}
        whole = self.folder / "checkpoint.tmp"
        save_file(tensors, whole)
        stamp = f"{time.time_ns():x}"
        parts = []
        with whole.open("rb") as source:
            while piece := source.read(CHECKPOINT_PART_BYTES):
                part = self.folder / f"checkpoint-{stamp}-{len(parts):03d}.part"
                part.write_bytes(piece)
                parts.append(part.name)
        index = self.folder / "checkpoint.json.tmp"
        index.write_text(json.dumps({"parts": parts, "facts": facts}))
        index.replace(self.folder / "checkpoint.json")
        whole.unlink()
        for old in self.folder.glob("checkpoint-*.part"):
            if old.name not in parts:
                old.unlink()

    def load(self) -> dict[str, Any] | None:
        """The last checkpoint, its tensors on the CPU, or None when this run has not saved one."""
        index = self.folder / "checkpoint.json"
        if not index.exists():
            return None
        told = json.loads(index.read_text())
        tensors = load(b"".join((self.folder / name).read_bytes() for name in told["parts"]))
        return tree({**tensors, **told["facts"]})

    def save_training(
        self, model: nn.Module, optimizer: MuonAdam, average: Average, step: int, **facts: float
    ) -> None:
        """Save everything a training goes on from, with `facts` that whoever exports it needs."""
        state = optimizer.state_dict()
        self.save(
            {
                "model": model.state_dict(),
                "groups": state["param_groups"],
                "moments": {str(index): moments for index, moments in state["state"].items()},
                "average": average.weights,
                "step": step,
                **facts,
            }
        )

    def resume(self, model: nn.Module, optimizer: MuonAdam, average: Average) -> int:
        """Put the last checkpoint, where there is one, into all three; the number of steps already done."""
        state = self.load()
        if state is None:
            return 0
        model.load_state_dict(state["model"])
        moments = {int(index): moments for index, moments in state.get("moments", {}).items()}
        optimizer.load_state_dict({"state": moments, "param_groups": state["groups"]})
        average.weights, average.step = state["average"], state["step"]
        return int(state["step"])
