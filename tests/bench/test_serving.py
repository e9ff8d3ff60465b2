"""Requests come to a server at their times, by a clock that runs only while the server works."""

import pytest

from sealsmith.bench import serving
from sealsmith.bench.serving import Finished, Session
from sealsmith.bench.workload import Wish


class FakeTime:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Slow:
    """Draws one wish a turn, in two seconds, the oldest first."""

    def __init__(self, time: FakeTime):
        self._time = time
        self.waiting: list[Wish] = []

    def submit(self, wish: Wish) -> None:
        self.waiting.append(wish)

    @property
    def is_idle(self) -> bool:
        return not self.waiting

    def turn(self) -> list[Finished]:
        self._time.now += 2.0
        return [(self.waiting.pop(0).id, None)]  # type: ignore[list-item]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr(serving, "time", fake)
    return fake


def asked(number: int) -> list[Wish]:
    return [Wish(str(index), "x", index, 0) for index in range(number)]


def test_a_burst_s_requests_wait_for_each_other(clock: FakeTime) -> None:
    session = Session(Slow(clock), asked(3), (0.0,) * 3)
    assert session.advance(3).images_per_s == 0.5
    assert session.latencies == {"0": 2.0, "1": 4.0, "2": 6.0}
    assert session.is_over


def test_where_nothing_is_to_be_done_nobody_waits_and_nothing_is_counted(clock: FakeTime) -> None:
    session = Session(Slow(clock), asked(3), (0.0, 1.0, 100.0))
    stretch = session.advance(3)
    assert (stretch.num_pictures, stretch.seconds) == (3, 6.0)
    assert session.latencies == {"0": 2.0, "1": 3.0, "2": 2.0}
    assert clock.now == 6.0


def test_a_session_s_clock_stands_while_others_have_their_turns(clock: FakeTime) -> None:
    session = Session(Slow(clock), asked(3), (0.0,) * 3)
    assert session.advance(2).num_pictures == 2
    clock.now += 1000
    assert not session.is_over
    assert session.advance(2).num_pictures == 1
    assert session.latencies == {"0": 2.0, "1": 4.0, "2": 6.0}
