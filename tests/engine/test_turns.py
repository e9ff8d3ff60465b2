"""Who has the next pass: whoever has waited longest, so that nobody waits for those who come behind."""

import dataclasses
import itertools

import pytest
from order_examples import engine_of, seals_of_every_kind

from sealsmith.bases import Base
from sealsmith.engine.loop import Engine
from sealsmith.engine.request import Done, Order, Stepped
from sealsmith.generate import Request

REQUEST = Request("a red wax seal on wood", "blue ink", seed=5, num_steps=1, guidance=3.5)
NUM_STEPS = 8
MERGED_TURNS = 2
FULL, DORA = (("full", 0.8),), (("dora", 0.3),)

LONELY = {
    "another size": ({"width": 96}, (), ()),
    "a longer prompt": ({"prompt": "a red wax seal " * 30, "negative": ""}, (), ()),
    "merged": ({}, FULL, ()),
    "beside merged ones": ({}, (), FULL),
    "merged beside merged ones": ({}, DORA, FULL),
}
"""What keeps a picture out of the flood's passes: its request's own, its seals, and the flood's."""


@pytest.mark.parametrize("why", LONELY)
def test_a_picture_that_shares_no_pass_has_its_turn_beside_a_flood_of_short_ones(
    tiny_base: Base, why: str
) -> None:
    """Each of its steps waits for one pass of the others, or for as many as seals may stay in the weights."""
    changes, seals, flood = LONELY[why]
    engine = engine_of(
        tiny_base,
        seals_of_every_kind(tiny_base),
        max_rows=4,
        max_underway_rows=6,
        merged_turns=MERGED_TURNS,
    )
    lonely = dataclasses.replace(REQUEST, num_steps=NUM_STEPS, **changes)
    engine.submit(Order("lonely", lonely, seals, "ann"))
    passes = passes_until_done(engine, "lonely", flood)
    longest_wait = MERGED_TURNS + 2 if flood else 2
    assert passes.count(True) == NUM_STEPS
    assert len(passes) <= NUM_STEPS * longest_wait
    assert passes.count(False) >= NUM_STEPS // (MERGED_TURNS + 1), "the flood has its turns, too"
    engine.close()


def test_whoever_comes_waits_for_one_pass_of_those_who_are_here(tiny_base: Base) -> None:
    """Not before those who have waited longer, but not behind their last step either."""
    engine = engine_of(tiny_base, {})
    engine.submit(Order("here", dataclasses.replace(REQUEST, num_steps=NUM_STEPS)))
    for _ in range(3):
        engine.step()
    engine.events()
    engine.submit(Order("new", dataclasses.replace(REQUEST, width=96)))
    engine.step()
    engine.step()
    assert {event.order_id for event in engine.events() if isinstance(event, Stepped)} == {"here", "new"}
    engine.close()


def passes_until_done(engine: Engine, order_id: str, seals: tuple[tuple[str, float], ...]) -> list[bool]:
    """Whether it was in each pass, while somebody else always has pictures of one step waiting."""
    passes: list[bool] = []
    for number in itertools.count():
        for half in range(2):
            engine.submit(Order(f"{number}-{half}", dataclasses.replace(REQUEST, seed=number), seals, "bob"))
        assert engine.step()
        events = engine.events()
        passes.append(any(event.order_id == order_id for event in events if isinstance(event, Stepped)))
        if any(event.order_id == order_id for event in events if isinstance(event, Done)):
            return passes
        assert len(passes) < 100, "it does not come to its turn"
    raise AssertionError
