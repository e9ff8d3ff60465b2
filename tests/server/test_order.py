"""What is told of an order: every step that there is time for, and everything else at once."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from sealsmith.server.order import Order

PAUSE_S = 0.3


def order_of(num_pictures: int = 1) -> Order:
    wish: Any = SimpleNamespace(first=SimpleNamespace(seed=0), num_pictures=num_pictures)
    return Order("order", wish)


async def heard_of(order: Order, happens: list[tuple[float, str, int, int]]) -> list[tuple[str, Any, float]]:
    """Kind, step and seconds of what is told while this happens: after so long, a kind, of a picture, its step."""
    began, heard = time.monotonic(), []

    async def listen() -> None:
        async for event in order.events(0, PAUSE_S):
            heard.append((event.kind, event.data.get("step"), time.monotonic() - began))

    listening = asyncio.create_task(listen())
    for after_s, kind, index, step in happens:
        await asyncio.sleep(after_s)
        changes = {"state": "done"} if kind == "done" else {"state": "drawing", "step": step}
        order.tell(kind, index, {"step": step}, **changes)
    await asyncio.wait_for(listening, 5)
    return heard


def test_steps_come_one_after_a_pause_and_the_last_is_never_late() -> None:
    steps = [(0.0 if not step else 0.02, "step", 0, step) for step in range(10)]
    heard = asyncio.run(heard_of(order_of(), [*steps, (0.5, "step", 0, 10), (0.02, "done", 0, 11)]))
    kinds = [(kind, step) for kind, step, _ in heard]
    assert kinds == [("step", 0), ("step", 9), ("step", 10), ("done", 11), ("end", None)]
    assert heard[1][2] == pytest.approx(PAUSE_S, abs=0.15)
    assert heard[3][2] - heard[2][2] < PAUSE_S / 2
    assert heard[4][2] - heard[3][2] < 0.1


@pytest.mark.parametrize("kind", ["preview", "done"])
def test_what_is_no_step_is_told_at_once(kind: str) -> None:
    ends = [(0.02, "done", 0, 9), (0.0, "done", 1, 9)] if kind == "preview" else [(0.02, "done", 1, 9)]
    heard = asyncio.run(heard_of(order_of(2), [(0.0, "step", 0, 1), (0.02, kind, 0, 2), *ends]))
    assert [each[0] for each in heard][:2] == ["step", kind]
    assert heard[1][2] < PAUSE_S / 2
    assert heard[-1][0] == "end"


def test_who_does_not_ask_for_a_pause_hears_of_every_step() -> None:
    async def all_of() -> list[str]:
        order, heard = order_of(), []

        async def listen() -> None:
            heard.extend([event.kind async for event in order.events()])

        listening = asyncio.create_task(listen())
        for step in range(5):
            await asyncio.sleep(0)
            order.tell("step", 0, {"step": step}, state="drawing", step=step)
            await asyncio.sleep(0)
        order.tell("done", 0, {}, state="done")
        await listening
        return heard

    assert asyncio.run(all_of()) == ["step"] * 5 + ["done", "end"]
