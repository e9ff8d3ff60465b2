"""Seal files by the dozen or the thousand, random, for what measures how many can be served.

They are real files, written as trainings write theirs. Not for: quality, for no seal here was taught anything.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import torch
from torch import Tensor, nn

from ..adapters import Change, LowRank, Seal, SealHeader, atomic_write, dump_seal
from ..adapters.fit import adaptable, weight_shape
from ..bases import Base
from ..engine.store import digest_of, path_of
from ..errors import ConfigError

SIZE = 0.1
"""What a seal changes of a layer's output, as a share of a layer whose weights are 1 / sqrt(inputs) large."""


@dataclass(frozen=True)
class MadeSeal:
    """One of the files."""

    digest: str
    """SHA-256 of the file: its name in the store."""
    path: Path
    rank: int
    tensor_bytes: int
    """Of its matrices, in float32, without the header."""


def make_seals(
    base: Base,
    folder: Path,
    ranks: Sequence[int],
    count: int,
    targets: Sequence[str] = (),
    seed: int = 0,
    triggers: Sequence[str] = ("",),
) -> list[MadeSeal]:
    """Writes `count` seals as a store has them: `open_store(folder.as_uri())` finds each by its digest.

    Seal i has rank `ranks[i % len(ranks)]`, a trigger likewise, and changes every layer of the denoiser whose name
    ends in one of `targets`; none given: the attention layers. Every `seed` gives other files, the same one the
    same bytes.
    Raises: ConfigError when no layer is called so; OutputError.
    """
    targets = tuple(targets) or base.family.targets(("attention",))
    return [
        write_made(made_seal(base, rank, targets, seed * 1_000_003 + number, trigger), folder)
        for number, rank, trigger in zip(range(count), cycle(ranks), cycle(triggers), strict=False)
    ]


def made_seal(
    base: Base,
    rank: int,
    targets: Sequence[str],
    seed: int,
    trigger: str = "",
    dtype: torch.dtype = torch.float32,
) -> Seal:
    """A seal of random numbers for the denoiser's layers whose names end in one of `targets`; one for each seed.

    Raises: ConfigError when no layer is called so.
    """
    endings = tuple(f".{target}" for target in targets)
    draws = torch.Generator().manual_seed(seed)
    layers: dict[str, Change] = {}
    for path, module in adaptable(base.denoiser).items():
        if path.endswith(endings):
            down, up = _matrices(weight_shape(module), rank, draws)
            layers[f"{base.family.denoiser}.{path}"] = LowRank(down.to(dtype), up.to(dtype), float(rank))
    if not layers:
        raise ConfigError(f"{base.name} has no layers called {', '.join(targets)}", "name some that it has")
    return Seal(_header(base, rank, tuple(targets), trigger, seed), layers)


def write_made(seal: Seal, folder: Path) -> MadeSeal:
    """Writes it as a store has it. Raises: OutputError."""
    data = dump_seal(seal)
    digest = digest_of(data)
    path = folder / path_of(digest)
    atomic_write(path, data)
    low = [change for change in seal.layers.values() if isinstance(change, LowRank)]
    tensor_bytes = sum(4 * (change.down.numel() + change.up.numel()) for change in low)
    return MadeSeal(digest, path, seal.header.rank, tensor_bytes)


def _matrices(shape: tuple[int, ...], rank: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """down [R, I] or [R, I, kh, kw] and up [O, R] or [O, R, 1, 1], whose product is as large at any rank."""
    outputs, *inputs = shape
    down, up = torch.empty(rank, *inputs), torch.empty(outputs, rank, *(1,) * (len(inputs) - 1))
    nn.init.normal_(down, std=1 / math.sqrt(math.prod(inputs)), generator=draws)
    nn.init.normal_(up, std=SIZE / math.sqrt(rank), generator=draws)
    return down, up


def _header(base: Base, rank: int, targets: tuple[str, ...], trigger: str, number: int) -> SealHeader:
    """Without a trigger prompts stay as they are."""
    return SealHeader(
        trigger=trigger,
        class_noun=base.family.class_noun if trigger else "",
        base=base.name,
        base_digest=base.digest,
        family=base.family.name,
        rank=rank,
        alpha=float(rank),
        targets=targets,
        title=f"random {number}",
        created="",
        architecture=base.family.architecture,
        kohya_version=base.family.kohya_version,
        resolution_px=base.picture_px,
    )
