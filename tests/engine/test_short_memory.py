"""Orders whose seals do not fit into memory together are drawn in turn; none waits for another for ever."""

import random
import time
from pathlib import Path

import pytest

from sealsmith.bases import Base
from sealsmith.bench.made_seals import make_seals
from sealsmith.engine.exchange import Exchange
from sealsmith.engine.fitted import FittedSeal
from sealsmith.engine.loop import Engine
from sealsmith.engine.preparing import OVERHEAD_BYTES, preparing
from sealsmith.engine.request import Done, Event, Failed, Loading, Order
from sealsmith.engine.settings import EngineSettings
from sealsmith.engine.store import SealStore, open_store
from sealsmith.generate import Request


@pytest.mark.timeout(300)
def test_orders_that_each_lack_a_seal_do_not_wait_for_each_other(tiny_base: Base, tmp_path: Path) -> None:
    made = make_seals(tiny_base, tmp_path, (4,), 12)
    room = 2 * max(seal.path.stat().st_size + OVERHEAD_BYTES for seal in made)
    store = SealStore(open_store(tmp_path.as_uri()))
    exchange: Exchange[FittedSeal] = Exchange(store, preparing(tiny_base), room, room_within_s=20)
    engine = Engine(tiny_base, exchange, EngineSettings(max_rows=8, max_underway_rows=8))
    rng, request = random.Random(1), Request("x", num_steps=1, guidance=1.0)
    orders = [
        Order(str(n), request, tuple((seal.digest, 0.5) for seal in rng.sample(made, 2)), f"tenant {n % 6}")
        for n in range(18)
    ]
    for order in orders:
        engine.submit(order)
    events: list[Event] = []
    while not engine.is_idle:
        if not engine.step():
            time.sleep(0.01)  # a seal is on its way, in another thread
        events += engine.events()
    assert [str(event.error) for event in events if isinstance(event, Failed)] == []
    assert sum(isinstance(event, Done) for event in events) == len(orders)
    assert sum(isinstance(event, Loading) for event in events) == len(orders)
    engine.check_integrity()
    exchange.check_integrity()
    assert exchange.pinned_bytes == 0
    engine.close()
    exchange.close()
