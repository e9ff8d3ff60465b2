"""When seals go into the weights for the sake of speed."""

import dataclasses

import pytest
import torch
from order_examples import pictures_of, play, seals_of_every_kind, solo
from stock_pictures import largest_difference

from sealsmith.bases import Base
from sealsmith.engine.cost import Costs, measure_costs
from sealsmith.engine.fitted import HeldSeals
from sealsmith.engine.loop import Engine
from sealsmith.engine.request import Event, Order, Path, Stepped
from sealsmith.engine.settings import EngineSettings
from sealsmith.generate import Request

REQUEST = Request("a red wax seal on wood", seed=5, num_steps=3, guidance=3.5)
CHEAP, DEAR = Costs(switch_s=0.0, beside_s=1.0), Costs(switch_s=1e9, beside_s=1.0)


def test_more_rows_or_passes_never_make_merging_less_worth() -> None:
    costs = Costs(switch_s=0.1, beside_s=0.002)
    assert not costs.is_merging_worth(1, 1)
    assert costs.is_merging_worth(8, 20)
    worth = [costs.is_merging_worth(rows, 10) for rows in range(1, 20)]
    assert worth == sorted(worth)


def test_costs_are_measured_and_the_base_is_left_as_it_was(tiny_base: Base) -> None:
    before = {name: value.clone() for name, value in tiny_base.denoiser.state_dict().items()}
    costs = measure_costs(tiny_base, num_rows=2)
    assert costs.switch_s > 0
    assert costs.beside_s >= 0
    assert all(torch.equal(value, before[name]) for name, value in tiny_base.denoiser.state_dict().items())


@pytest.mark.parametrize(
    ("costs", "deterministic", "expected"),
    [(CHEAP, False, Path.MERGED), (DEAR, False, None), (CHEAP, True, None), (None, False, None)],
)
def test_pictures_of_one_seal_are_merged_where_it_is_worth_it(
    tiny_base: Base, costs: Costs | None, deterministic: bool, expected: Path | None
) -> None:
    seals = seals_of_every_kind(tiny_base)
    orders = [
        Order(str(seed), dataclasses.replace(REQUEST, seed=seed), (("rank 4", 0.5),)) for seed in range(2)
    ]
    settings = EngineSettings(max_rows=4, max_underway_rows=4, deterministic=deterministic)
    engine = Engine(tiny_base, HeldSeals(tiny_base, seals), settings, costs=costs)
    events = play(engine, [orders])
    engine.close()
    own = paths(play(Engine(tiny_base, HeldSeals(tiny_base, seals)), [orders[:1]]))
    assert paths(events) == ({expected} if expected else own)
    for order in orders:
        alone = solo(tiny_base, order, seals)
        assert largest_difference(pictures_of(events)[order.id].pixels, alone.pixels) <= 1e-4


def test_pictures_of_different_seals_are_not_merged(tiny_base: Base) -> None:
    orders = [Order(key, REQUEST, ((key, 0.5),)) for key in ("rank 1", "rank 4")]
    engine = Engine(tiny_base, HeldSeals(tiny_base, seals_of_every_kind(tiny_base)), costs=CHEAP)
    assert Path.MERGED not in paths(play(engine, [orders]))


def paths(events: list[Event]) -> set[Path]:
    return {event.path for event in events if isinstance(event, Stepped)}
