"""Whatever plan a base is held by, it draws what it draws without one: bare, with seals, with others, bare again."""

import dataclasses
from pathlib import Path

import pytest
import torch
from change_examples import mixed_seal
from stock_pictures import largest_difference
from torch import Tensor

from sealsmith.adapters import Seal
from sealsmith.adapters.attach import Weighted
from sealsmith.adapters.fit import adaptable
from sealsmith.bases import Base, Wanted, open_base
from sealsmith.generate import Request, generate, generate_batch

FAMILIES = ("base", "sd1", "sdxl", "flux")
THRIFTY = (
    Wanted("fp32", "none", vae_slicing=True),
    Wanted("fp32", "model-offload"),
    Wanted("fp32", "sequential-offload"),
)
REQUEST = Request("a red wax seal of sks emblem on wood", seed=5, num_steps=2, guidance=3.5)


@pytest.fixture(params=FAMILIES)
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(f"tiny_{request.param}_folder")
    return found


@pytest.fixture(params=THRIFTY, ids=lambda wanted: wanted.memory)
def wanted(request: pytest.FixtureRequest) -> Wanted:
    asked: Wanted = request.param
    return asked


def seals_of(base: Base) -> list[Seal]:
    """Two seals in all components: one beside the weights, and DoRA, which asks for them."""
    return [mixed_seal(base.components, seed, (kind,)) for seed, kind in enumerate(("lora", "dora"))]


def history(base: Base) -> list[Tensor]:
    """Pictures: bare, one seal, switched to another, both, fused both, bare again."""
    first, second = seals_of(base)
    uses: list[Weighted] = [(), [(first, 0.3)], [(second, 0.2)], [(first, 0.3), (second, -0.2)]]
    beside = [generate(base, REQUEST, use)[0].pixels for use in uses]
    inside = generate_batch(base, [REQUEST], uses[-1])[0].pixels
    return [*beside, inside, generate(base, REQUEST)[0].pixels]


def test_every_plan_draws_the_pictures_of_none(folder: Path, wanted: Wanted) -> None:
    whole, planned = history(open_base(str(folder))), history(open_base(str(folder), wanted=wanted))
    for picture, other in zip(whole, planned, strict=True):
        assert largest_difference(picture, other) <= 1e-5
    bare, *sealed, again = planned
    assert torch.equal(bare, again)
    assert all(largest_difference(bare, picture) > 1e-3 for picture in sealed)
