"""Every picture of the engine is the one that the plain path draws, whoever shares its passes."""

import dataclasses

import pytest
import torch
from engine_examples import engine_of, pictures_of, play, seals_of_every_kind, solo
from stock_pictures import largest_difference

from sealsmith.adapters.strength import parse_strength
from sealsmith.bases import Base
from sealsmith.engine.request import Order
from sealsmith.generate import Request

REQUEST = Request("a red wax seal on wood", "blue ink", seed=5, num_steps=3, guidance=3.5)


def orders_of_every_kind(base: Base) -> list[Order]:
    """Orders that differ in everything an order may differ in."""
    flows = base.family.objective == "flow"
    samplers = [None] * 3 if flows else [None, "EulerAncestralDiscrete", "UniPCMultistep"]
    wishes = [
        ((), {}),
        ((("rank 1", 1.0),), {"num_steps": 2}),
        ((("rank 4", 0.6), ("rank 1", -0.4)), {"guidance": 1.0}),
        ((("rank 7", parse_strength("0.9@0,0.1@1")),), {"sampler": samplers[1]}),
        ((("rank 4", parse_strength("1:stop=0.5")),), {"num_steps": 4, "sampler": samplers[2]}),
        ((("text", 0.7),), {"negative": ""}),
        ((("vectors", 1.0), ("rank 4", 0.3)), {"num_steps": 1}),
        ((("pivotal", 0.8),), {"prompt": "a blue ink stamp " * 30, "negative": ""}),
        ((("networks", 0.8), ("rank 7", 0.5)), {}),
        ((("loha", 0.8), ("lokr", 0.5)), {"guidance": 7.0}),
        ((("full", 0.8), ("rank 1", 0.5)), {}),
        ((("dora", 0.3),), {"num_steps": 2}),
        ((("full", parse_strength("0.9@0,0.1@1")),), {}),
        ((("rank 1", 1.0),), {"width": 96, "height": 64}),
    ]
    return [
        Order(
            f"order {number}",
            dataclasses.replace(REQUEST, seed=number, **changes),
            seals,
            f"tenant {number % 3}",
        )
        for number, (seals, changes) in enumerate(wishes)
    ]


@pytest.mark.parametrize("family", ["sealworld", "sd1", "sdxl", "flux"])
def test_every_picture_is_that_of_the_plain_path(family: str, request: pytest.FixtureRequest) -> None:
    base: Base = request.getfixturevalue("tiny_base" if family == "sealworld" else f"tiny_{family}")
    seals, orders = seals_of_every_kind(base), orders_of_every_kind(base)
    engine = engine_of(base, seals, max_rows=6, max_underway_rows=12, merged_turns=2)
    drawn = pictures_of(play(engine, [orders[:5], [], orders[5:9], orders[9:]]))
    engine.close()
    for order in orders:
        alone = solo(base, order, seals)
        assert largest_difference(drawn[order.id].pixels, alone.pixels) <= 1e-4, order
        assert drawn[order.id].recipe == alone.recipe
        assert drawn[order.id].warnings == alone.warnings
    assert torch.isfinite(torch.stack([drawn[order.id].pixels.mean() for order in orders])).all()
