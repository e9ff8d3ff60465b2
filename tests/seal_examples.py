"""Seals with random weights for whatever layers a denoiser has, for tests."""

import dataclasses
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from sealsmith.adapters import Change, LowRank, Seal, SealHeader
from sealsmith.adapters.formats import write_layers
from sealsmith.bases import Base


def random_seal(
    base: Base,
    targets: tuple[str, ...],
    rank: int = 4,
    alpha: float = 6.0,
    trigger: str = "sks",
    seed: int = 0,
    training: dict[str, Any] | None = None,
) -> Seal:
    """A seal that changes every layer of `base` whose name ends in one of `targets`, and visibly so."""
    generator = torch.Generator().manual_seed(seed)
    layers: dict[str, Change] = {}
    for path, module in base.denoiser.named_modules():
        if not path.endswith(tuple(f".{target}" for target in targets)):
            continue
        assert isinstance(module, nn.Linear | nn.Conv2d)
        weight = module.weight
        up_shape = (weight.shape[0], rank) + (1, 1) * (weight.ndim == 4)
        layers[f"{base.family.denoiser}.{path}"] = LowRank(
            torch.randn((rank, *weight.shape[1:]), generator=generator) * 0.2,
            torch.randn(up_shape, generator=generator) * 0.2,
            alpha,
        )
    header = SealHeader(
        trigger=trigger,
        class_noun="emblem",
        base=base.name,
        base_digest=base.digest,
        family=base.family.name,
        rank=rank,
        alpha=alpha,
        targets=targets,
        title=f"seal of {trigger}",
        created="2026-01-02T03:04:05+00:00",
        training=training or {"num_steps": 3},
        architecture=base.family.architecture,
        kohya_version=base.family.kohya_version,
        resolution_px=base.picture_px,
    )
    return Seal(header, layers)


def state(seal: Seal) -> dict[str, torch.Tensor]:
    """The seal's tensors as its file holds them."""
    return write_layers(seal.layers, "diffusers", seal.header.family)[0]


def write_foreign(path: Path, seal: Seal, **metadata: str) -> Path:
    """The seal's layers as kohya's trainer writes them, with nothing in the header but `metadata`."""
    tensors = write_layers(seal.layers, "kohya", seal.header.family)[0]
    safetensors.torch.save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata
    )
    return path


def changed(seal: Seal, down: float = 1.0, up: float = 1.0) -> Seal:
    """The seal with all its `down` and all its `up` multiplied."""
    layers: dict[str, Change] = {}
    for path, change in seal.layers.items():
        assert isinstance(change, LowRank)
        layers[path] = dataclasses.replace(change, down=change.down * down, up=change.up * up)
    return dataclasses.replace(seal, layers=layers)


def equal_layers(one: Seal, other: Seal) -> bool:
    """Whether two seals have the same tensors and alphas under the same paths, bit for bit."""
    alphas = [{path: change.alpha for path, change in seal.layers.items()} for seal in (one, other)]
    mine, theirs = state(one), state(other)
    return (
        alphas[0] == alphas[1]
        and mine.keys() == theirs.keys()
        and all(torch.equal(mine[key], theirs[key]) for key in mine)
    )
