"""What the three trainings of the world share: averaged weights, pace, checkpoints, a log.

Not for: models or losses (autoencoder.py, denoiser_model.py, denoiser.py, judge.py) or optimisers (optimisers.py).
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load, save_file
from torch import Tensor, distributed, nn

CHECKPOINT_PART_BYTES = 15 * 2**20
"""Largest checkpoint file: lent machines hand back files of 16 MiB at most."""


Start = Literal["fresh", "shipped", "shipped if it fits"]
"""From which weights a training begins that has no checkpoint."""


def check_shapes(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Raises: SystemExit when `state` is not that of a model of this shape."""
    own = model.state_dict()
    other = [name for name in own.keys() | state.keys() if name not in own or name not in state]
    other += [name for name in own.keys() & state.keys() if own[name].shape != state[name].shape]
    if other:
        raise SystemExit(
            f"the shipped weights are of another shape: {min(other)} and {len(other) - 1} others"
        )


def has_fast_bfloat16(device: str) -> bool:
    """Whether products in bfloat16 are several times as fast as in float32: GPUs, and CPUs with AMX tiles."""
    return device != "cpu" or torch.cpu._is_amx_tile_supported()


class Average:
    """Exponential moving average of a model's weights; the horizon grows with the run up to `horizon` steps.

    A horizon of 1 is no average: the last weights.
    """

    def __init__(self, model: nn.Module, horizon: int):
        self.horizon, self.step = horizon, 0
        self.weights = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        self.step += 1
        keep = 1 - 1 / min(self.horizon, 1 + self.step / 8)
        values = model.state_dict()
        floating = [name for name, value in values.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [self.weights[name] for name in floating], [values[name] for name in floating], 1 - keep
        )
        for name in values.keys() - floating:
            self.weights[name].copy_(values[name])

    def restore(self, weights: Mapping[str, Tensor], step: int) -> None:
        """Go on from the averages of `step` steps, wherever they lie."""
        for name, value in weights.items():
            self.weights[name].copy_(value)
        self.step = step


class Pace:
    """How far a training is, from 0 to 1, and how fast it learns there.

    It ends after its `steps` or its `minutes`, whichever comes first, over all its sittings; so the learning rate
    falls in time however fast the machine is. Where a validation figure is no longer better than the best of
    `patience` looks ago, the flat part is over, and the rate falls at once.
    """

    def __init__(self, steps: int, cooldown: float, minutes: float = math.inf, patience: int = 0):
        self.steps, self.cooldown, self.seconds, self.patience = steps, cooldown, 60 * minutes, patience
        self.began = time.monotonic()
        self.spent_s, self.skipped, self.best, self.looks = 0.0, 0.0, math.inf, 0

    def begin(self, state: Mapping[str, float] | None = None) -> None:
        """The clock starts now, after what `state` tells of earlier sittings."""
        if state:
            self.spent_s, self.skipped = state["spent_s"], state["skipped"]
            self.best, self.looks = state["best"], int(state["looks"])
        self.began = time.monotonic()

    def elapsed_s(self) -> float:
        """Of all sittings."""
        return self.spent_s + time.monotonic() - self.began

    def share(self, step: int) -> float:
        """How much of it is done."""
        return min(1.0, max(step / self.steps, self.elapsed_s() / self.seconds) + self.skipped)

    def factor(self, step: int) -> float:
        """Of the learning rate."""
        return trapezoid(self.share(step), 1.0, self.cooldown)

    def heed(self, figure: float, step: int) -> None:
        """Take note of a validation figure, of which less is better."""
        if figure < self.best * (1 - 1e-3 if self.best > 0 else 1 + 1e-3):
            self.best, self.looks = figure, 0
            return
        self.looks += 1
        flat = 1 - self.cooldown - self.share(step)
        if self.patience and self.looks >= self.patience and flat > 0:
            self.skipped += flat

    def state(self) -> dict[str, float]:
        return {
            "spent_s": self.elapsed_s(),
            "skipped": self.skipped,
            "best": self.best,
            "looks": self.looks,
        }


def warm_up(step: int, steps: int) -> float:
    """Learning-rate factor: up over an optimiser's first `steps` steps, then 1."""
    return min(1.0, (step + 1) / steps)


def trapezoid(step: float, total: float, cooldown: float = 0.25) -> float:
    """Learning-rate factor: flat, then down to 2 % over the last `cooldown` share."""
    left = (total - step) / max(1e-9, cooldown * total)
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
        parts: list[str] = []
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
        self, model: nn.Module, optimizer: torch.optim.Optimizer, average: Average, step: int, **facts: Any
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

    def resume(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: Average,
        pace: Pace | None = None,
    ) -> int:
        """Put the last checkpoint, where there is one, into all of them; the number of steps already done.

        One that holds nothing but averages (`results_of`) gives the weights, and the momentum warms up anew.
        """
        state = self.load()
        if state is None:
            return 0
        model.load_state_dict(state.get("model", state["average"]))
        if "groups" in state:
            moments = {int(index): moments for index, moments in state.get("moments", {}).items()}
            optimizer.load_state_dict({"state": moments, "param_groups": state["groups"]})
        average.restore(state["average"], state["step"])
        if pace is not None:
            pace.begin(state.get("pace"))
        return int(state["step"])


def results_of(state: Mapping[str, Any], precise: Iterable[str] = ()) -> dict[str, Any]:
    """Of a training's checkpoint, what is shipped: the averages, in half precision but for `precise` beginnings.

    A fifth of the whole; a training can go on from it, too.
    """
    kept = {name: value for name, value in state.items() if name not in ("model", "groups", "moments")}
    average = {
        name: value if not value.is_floating_point() or name.startswith(tuple(precise)) else value.half()
        for name, value in state["average"].items()
    }
    return kept | {"average": average}
