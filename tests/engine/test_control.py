"""Who is drawn when, and what is said of it: quotas, weights, deadlines, back-pressure, cancel and previews."""

import dataclasses
import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import torch
from order_examples import play

from sealsmith.bases import Base
from sealsmith.engine.core import message_of
from sealsmith.engine.fitted import HeldSeals
from sealsmith.engine.loop import Engine
from sealsmith.engine.messages import Failed as FailedMessage
from sealsmith.engine.messages import Queued as QueuedMessage
from sealsmith.engine.messages import failure
from sealsmith.engine.queue import FairQueue, Share
from sealsmith.engine.request import Done, Failed, Order, Previewed, Queued, Stepped
from sealsmith.engine.settings import EngineSettings
from sealsmith.errors import BusyError, Cancelled, ConfigError, DeadlineError
from sealsmith.generate import Request

REQUEST = Request("a red wax seal", seed=1, num_steps=3, guidance=3.0)
PASS_S = 2.0


class Clocked:
    """An engine on a base whose every pass takes two seconds of a clock of its own."""

    def __init__(self, base: Base, queue: FairQueue | None = None, **settings: int):
        self.now = 0.0
        self.rows: list[int] = []
        """Of every pass."""
        self.engine = Engine(
            base, HeldSeals(base, {}), EngineSettings(**settings), queue, clock=lambda: self.now
        )

    def passing(self, module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self.now += PASS_S
        self.rows.append(len(inputs[0]))


@contextmanager
def clocked(base: Base, queue: FairQueue | None = None, **settings: int) -> Iterator[Clocked]:
    made = Clocked(base, queue, **settings)
    hook = base.denoiser.register_forward_pre_hook(made.passing)
    try:
        yield made
        made.engine.check_integrity()
    finally:
        hook.remove()
        made.engine.close()


def one_at_a_time(base: Base, queue: FairQueue | None = None) -> AbstractContextManager[Clocked]:
    return clocked(base, queue, max_rows=2, max_underway_rows=2)


def order(name: str, num_steps: int = 3, tenant: str = "a", **options: object) -> Order:
    request = dataclasses.replace(REQUEST, num_steps=num_steps)
    return Order(name, request, tenant=tenant, **options)  # type: ignore[arg-type]


def test_queued_says_how_many_came_before(tiny_base: Base) -> None:
    with one_at_a_time(tiny_base) as clock:
        for number in range(3):
            clock.engine.submit(order(f"{number}", tenant=f"{number % 2}"))
        clock.engine.step()  # the first is not waiting any more
        clock.engine.submit(order("3"))
        queued = [event for event in clock.engine.events() if isinstance(event, Queued)]
    assert [(event.order_id, event.num_ahead) for event in queued] == [("0", 0), ("1", 1), ("2", 2), ("3", 2)]
    assert message_of(queued[-1]) == QueuedMessage("3", 2)


def test_busy_says_when_there_will_be_room(tiny_base: Base) -> None:
    """Two seconds a step, one picture at a time: the one of six steps that waits has been drawn in 12 s."""
    queue = FairQueue(default_share=Share(max_queued=1))
    with one_at_a_time(tiny_base, queue) as clock:
        clock.engine.submit(order("first"))
        clock.engine.step()
        clock.engine.submit(order("second", num_steps=6))
        with pytest.raises(BusyError, match="1 of your requests are waiting") as caught:
            clock.engine.submit(order("third"))
        assert caught.value.retry_after_s == pytest.approx(12.0)
        assert FailedMessage("x", "busy", "", retry_after_s=12.0).error.retry_after_s == 12.0
        assert failure("x", caught.value).retry_after_s == pytest.approx(12.0)
        clock.engine.submit(order("another's", tenant="b"))
        ends = {event.order_id for event in play(clock.engine, []) if isinstance(event, Done)}
        assert ends == {"first", "second", "another's"}
        clock.engine.submit(order("third"))


def test_all_tenants_together_may_not_have_more_waiting_than_the_engine_takes(tiny_base: Base) -> None:
    with one_at_a_time(tiny_base, FairQueue(max_queued=2)) as clock:
        for number in range(2):
            clock.engine.submit(order(f"{number}", tenant=f"{number}"))
        with pytest.raises(BusyError, match="2 requests are waiting") as caught:
            clock.engine.submit(order("2", tenant="2"))
        assert caught.value.retry_after_s == 1.0  # nothing was drawn yet, so nothing is known


def test_a_deadline_that_has_passed_costs_no_step_and_says_when_to_come_again(tiny_base: Base) -> None:
    with one_at_a_time(tiny_base) as clock:
        clock.engine.submit(order("first", num_steps=4))
        clock.engine.submit(order("next", num_steps=5))
        clock.engine.submit(order("hasty", deadline_s=3.0))
        clock.engine.submit(order("patient", deadline_s=1000.0))
        events = play(clock.engine, [])
    hasty = [event for event in events if event.order_id == "hasty"]
    assert not any(isinstance(event, Stepped) for event in hasty)
    end = hasty[-1]
    assert isinstance(end, Failed)
    assert isinstance(end.error, DeadlineError)
    assert "within the 3 s" in str(end.error)
    assert end.error.is_retryable
    assert end.error.retry_after_s == pytest.approx(5 * PASS_S)
    assert {event.order_id for event in events if isinstance(event, Done)} == {"first", "next", "patient"}


def test_an_order_that_has_begun_is_not_ended_by_its_deadline(tiny_base: Base) -> None:
    with one_at_a_time(tiny_base) as clock:
        clock.engine.submit(order("a", num_steps=4, deadline_s=1.0))
        assert isinstance(play(clock.engine, [])[-1], Done)
        assert clock.now > 1.0


def test_tenants_are_drawn_by_their_weights(tiny_base: Base) -> None:
    shares = {"one": Share(1.0), "three": Share(3.0)}
    with one_at_a_time(tiny_base, FairQueue(shares)) as clock:
        for number in range(12):
            for tenant in shares:
                clock.engine.submit(order(f"{tenant} {number}", num_steps=1, tenant=tenant))
        for _ in range(12):
            clock.engine.step()
        done = [event.order_id.split()[0] for event in clock.engine.events() if isinstance(event, Done)]
    assert len(done) == 12
    assert abs(done.count("three") - 9) <= 1


def test_a_tenant_has_no_more_underway_than_its_quota(tiny_base: Base) -> None:
    shares = {"a": Share(max_in_flight=1)}
    with clocked(tiny_base, FairQueue(shares), max_rows=8, max_underway_rows=8) as clock:
        for number in range(3):
            clock.engine.submit(order(f"a{number}", tenant="a"))
            clock.engine.submit(order(f"b{number}", tenant="b"))
        clock.engine.step()
        stepped = sorted(event.order_id for event in clock.engine.events() if isinstance(event, Stepped))
        assert stepped == ["a0", "b0", "b1", "b2"]
        assert clock.rows == [8]
        assert len([event for event in play(clock.engine, []) if isinstance(event, Done)]) == 6


def test_a_cancelled_picture_is_in_no_further_pass(tiny_base: Base) -> None:
    with clocked(tiny_base, max_rows=8, max_underway_rows=8) as clock:
        for name in ("a", "b", "c"):
            clock.engine.submit(order(name))
        clock.engine.step()
        clock.engine.cancel("b")
        clock.engine.step()
        assert clock.rows == [6, 4]
        events = [*clock.engine.events(), *play(clock.engine, [])]
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.order_id == "b"
    assert isinstance(failed.error, Cancelled)
    assert not failed.error.is_retryable
    assert [event.step for event in events if isinstance(event, Stepped) and event.order_id == "b"] == [1]


def test_what_a_cancelled_picture_did_not_use_is_not_charged(tiny_base: Base) -> None:
    with one_at_a_time(tiny_base) as clock:
        clock.engine.submit(order("long", num_steps=100, tenant="a"))
        clock.engine.step()
        clock.engine.cancel("long")
        for number in range(4):
            clock.engine.submit(order(f"a{number}", num_steps=1, tenant="a"))
            clock.engine.submit(order(f"b{number}", num_steps=1, tenant="b"))
        done = [event.order_id[0] for event in play(clock.engine, []) if isinstance(event, Done)]
    assert sorted(done[:4]) == ["a", "a", "b", "b"]


@pytest.mark.parametrize(("every", "expected"), [(0, []), (1, [1, 2, 3, 4]), (2, [2, 4]), (3, [3]), (9, [])])
def test_previews_come_every_so_many_steps_and_not_with_the_picture(
    every: int, expected: list[int], tiny_base: Base
) -> None:
    with one_at_a_time(tiny_base) as clock:
        clock.engine.submit(order("a", num_steps=5, preview_every=every))
        previews = [event for event in play(clock.engine, []) if isinstance(event, Previewed)]
    assert [event.step for event in previews] == expected
    levels = [event.pixels.float() for event in previews]
    assert all((one - other).abs().max() > 0 for one, other in itertools.pairwise(levels))


def test_previews_less_often_than_never_are_refused(tiny_base: Base) -> None:
    with one_at_a_time(tiny_base) as clock, pytest.raises(ConfigError, match="every -1 steps"):
        clock.engine.submit(order("a", preview_every=-1))


def test_an_error_of_a_scheduler_is_its_own_picture_s(
    tiny_base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    """diffusers' schedulers have indices that some numbers of steps run over."""
    kind = type(tiny_base.scheduler)
    step = kind.step

    def faulty(
        self: object, output: torch.Tensor, t: torch.Tensor, *args: object, **options: object
    ) -> object:
        if len(self.timesteps) == 2:  # type: ignore[attr-defined]
            raise IndexError("index 3 is out of bounds")
        return step(self, output, t, *args, **options)

    monkeypatch.setattr(kind, "step", faulty)
    with clocked(tiny_base) as clock:
        clock.engine.submit(order("faulty", num_steps=2))
        clock.engine.submit(order("sound"))
        ends = {event.order_id: event for event in play(clock.engine, []) if isinstance(event, Done | Failed)}
    assert isinstance(ends["sound"], Done)
    assert isinstance(ends["faulty"], Failed)
    assert "cannot be gone on with: IndexError" in str(ends["faulty"].error)
