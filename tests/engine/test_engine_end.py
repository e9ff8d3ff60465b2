"""An engine that was meant to end is not mourned; one that was not is followed by another. What it counts."""

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from sealsmith.engine.client import EngineClient
from sealsmith.engine.messages import Draw
from sealsmith.engine.supervisor import Launch

HERE = Path(__file__).parent
NOISE = {"PYTHONPATH": os.pathsep.join([str(HERE.parents[1] / "src"), str(HERE)])}


def launch(**config: Any) -> Launch:
    return Launch("noise_core:open_core", config, NOISE)


async def ended(engine: EngineClient) -> None:
    async with asyncio.timeout(60):
        while engine._keeping is not None and not engine._keeping.done():
            await asyncio.sleep(0.01)


async def followed(engine: EngineClient) -> None:
    """Until there is another engine; the one that ends answers that it does."""
    async with asyncio.timeout(60):
        while engine.num_starts < 2:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_expected_end_is_silent_and_final(how: signal.Signals, caplog: pytest.LogCaptureFixture) -> None:
    async def use() -> int:
        async with EngineClient(launch()) as engine:
            engine.expect_end()
            assert engine.pid is not None
            os.kill(engine.pid, how)
            await ended(engine)
        return engine.num_starts

    with caplog.at_level(logging.INFO, "sealsmith.engine.client"):
        assert asyncio.run(use()) == 1
    assert caplog.records == []


def test_what_was_begun_is_finished_before_an_expected_end(caplog: pytest.LogCaptureFixture) -> None:
    async def use() -> bytes:
        async with EngineClient(launch(step_s=0.05)) as engine:
            drawing = asyncio.create_task(engine.picture(Draw("a", "x", num_steps=8)))
            await asyncio.sleep(0.1)
            engine.expect_end()
            assert engine.pid is not None
            os.kill(engine.pid, signal.SIGTERM)
            return (await drawing).picture.data

    with caplog.at_level(logging.INFO, "sealsmith.engine.client"):
        assert asyncio.run(use())
    assert caplog.records == []


def test_one_told_to_end_by_a_stranger_is_followed_by_another(caplog: pytest.LogCaptureFixture) -> None:
    async def use() -> int:
        async with EngineClient(launch()) as engine:
            assert engine.pid is not None
            os.kill(engine.pid, signal.SIGTERM)
            await followed(engine)
            assert (await engine.picture(Draw("a", "x"))).picture.data
        return engine.num_starts

    with caplog.at_level(logging.INFO, "sealsmith.engine.client"):
        assert asyncio.run(use()) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "the engine was told to end, by none of us; starting another"
    ]


def test_whoever_ends_our_group_does_not_reach_the_engine() -> None:
    async def use() -> None:
        async with EngineClient(launch()) as engine:
            assert engine.pid is not None
            assert os.getpgid(engine.pid) == engine.pid != os.getpgid(0)

    asyncio.run(use())


def test_what_the_engine_counts_is_asked_of_it_and_forgotten_with_it() -> None:
    async def use() -> None:
        async with EngineClient(launch()) as engine:
            assert await engine.gauges() == {"queued": 2.0}
        assert await engine.gauges() == {}

    asyncio.run(use())
