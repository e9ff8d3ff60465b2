"""The whole engine in its process: seals from a store, pictures over a socket, each the one of the plain path."""

import asyncio
import os
import random
import signal
from pathlib import Path

import msgspec
import pytest
from core_examples import largest_difference, stored, with_nan
from seal_examples import random_seal

from sealsmith.adapters import dump_seal
from sealsmith.bases import Base
from sealsmith.engine.client import EngineClient
from sealsmith.engine.core import open_core
from sealsmith.engine.messages import (
    Done,
    Draw,
    Event,
    Failed,
    Loading,
    Preview,
    Queued,
    SealAt,
    Step,
    is_last,
)
from sealsmith.engine.store import digest_of
from sealsmith.engine.supervisor import Launch
from sealsmith.errors import ConfigError
from sealsmith.generate.recipe import parse_json

ENVIRON = {"PYTHONPATH": str(Path(__file__).parents[2] / "src"), "OMP_NUM_THREADS": "1"}


KILLS = 2


@pytest.mark.timeout(900)  # three processes open a base, on a machine that may be busy
def test_drawn_in_another_process_that_is_killed_with_seals_from_a_store(
    tiny_base: Base, tiny_base_folder: Path, tmp_path: Path
) -> None:
    """Killed while it draws, and at a random moment: each request ends once, and sent again is the same bytes."""
    seal = random_seal(tiny_base, ("to_q", "to_v"))
    data, rng = dump_seal(seal), random.Random(0)
    good, nan = stored(tmp_path / "store", data, with_nan(data))
    config = {
        "base": str(tiny_base_folder),
        "store": (tmp_path / "store").as_uri(),
        "cache_folder": str(tmp_path / "cache"),
        "settings": {"deterministic": True, "max_rows": 4, "max_underway_rows": 4},
    }
    first = Draw("a", "a red wax seal", seals=(good,), seed=3, num_steps=3, guidance=3.0, preview_every=2)
    wrong = {"nan": nan, "none": SealAt("0" * 64), "odd": SealAt("0", "loud")}

    async def use() -> tuple[list[Event], list[str], dict[str, list[Event]]]:
        async with EngineClient(Launch("sealsmith.engine.core:open_core", config, ENVIRON)) as engine:
            assert engine.welcome is not None
            assert engine.welcome.about["base_digest"] == tiny_base.digest
            calm, *failures = await asyncio.gather(
                collected(engine, first),
                *(collected(engine, Draw(name, "x", seals=(at,), num_steps=3)) for name, at in wrong.items()),
            )
            killed = {}
            for kill in range(KILLS):
                draws = [
                    Draw(f"{kill} {n}", "a red wax seal", seals=(good,), seed=3, num_steps=3, guidance=3.0)
                    for n in range(5)
                ]
                drawing = asyncio.gather(*(collected(engine, draw) for draw in draws))
                await asyncio.sleep(rng.random() * 0.5 * kill)
                await die(engine, kill)
                killed |= dict(zip((draw.id for draw in draws), await drawing, strict=True))
            killed["last"] = await collected(
                engine, msgspec.structs.replace(first, id="last", preview_every=0)
            )
            assert engine.num_starts == 1 + KILLS
            codes = [each[-1].code for each in failures if isinstance(each[-1], Failed)]
            return calm, codes, killed

    async def die(engine: EngineClient, kill: int) -> None:
        while kill == 0 and not any(flight.has_begun for flight in engine._flights.values()):
            await asyncio.sleep(0.001)
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)

    async def collected(engine: EngineClient, request: Draw) -> list[Event]:
        return [event async for event in engine.draw(request)]

    calm, codes, killed = asyncio.run(use())
    assert codes == ["seal-format", "seal-missing", "config"]
    assert [type(event) for event in calm] == [Queued, Loading, Step, Step, Preview, Step, Done]
    done = calm[-1]
    assert isinstance(done, Done)
    assert largest_difference(tiny_base, first, [seal], done.picture) <= 1
    (use_,) = parse_json(done.recipe).seals
    assert (use_.file_hash, use_.strength) == (digest_of(data), 0.8)
    assert (tmp_path / "cache" / f"{digest_of(data)}.safetensors").exists()
    assert {type(events[-1]) for events in killed.values()} == {Done, Failed}
    for *before, last in killed.values():
        assert not any(is_last(event) for event in before)
        if isinstance(last, Done):
            assert last.picture == done.picture
        else:
            assert isinstance(last, Failed)
            assert (last.code, last.is_retryable) == ("engine", True)
            assert any(isinstance(event, Step) for event in before)


def test_a_late_seal_wakes_the_loop(tiny_base: Base, tiny_base_folder: Path, tmp_path: Path) -> None:
    (seal,) = stored(tmp_path, dump_seal(random_seal(tiny_base, ("to_q",))))
    woken: list[None] = []
    core = open_core({"base": str(tiny_base_folder), "store": tmp_path.as_uri()}, lambda: woken.append(None))
    core.submit(Draw("a", "x", seals=(seal,), num_steps=1))
    events: list[Event] = []
    while not (events and is_last(events[-1])):
        core.step()
        events += core.events()
    assert isinstance(events[-1], Done)
    assert woken
    core.close()


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({}, "store"),
        ({"store": "memory:///", "colour": "red"}, "colour"),
        ({"store": "memory:///", "settings": {"max_rows": 1}}, "max_rows"),
        ({"store": "memory:///", "shares": {"a": {"weight": -1}}}, "weight"),
    ],
)
def test_a_wrong_configuration_is_named(config: dict[str, object], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        open_core(config, lambda: None)
