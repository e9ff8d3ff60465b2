"""Laws of the fair queue, over random histories."""

import dataclasses
import itertools
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.engine.queue import FairQueue, Share, Waiting, expired_error
from sealsmith.errors import BusyError, ConfigError

TENANTS = "abcd"
WIDE = Share(max_in_flight=10**6, max_queued=10**6)

operations = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.sampled_from(TENANTS), st.integers(1, 20)),
        st.tuples(st.just("take"), st.just(""), st.just(0)),
        st.tuples(st.just("finish"), st.just(""), st.integers(0, 20)),
        st.tuples(st.just("cancel"), st.just(""), st.integers(0, 50)),
        st.tuples(st.just("expire"), st.just(""), st.integers(0, 100)),
    ),
    max_size=80,
)
weights = st.fixed_dictionaries({tenant: st.sampled_from([0.5, 1.0, 2.0, 3.0]) for tenant in TENANTS})


def queue_of(weights: dict[str, float], **limits: int) -> FairQueue:
    shares = {tenant: Share(weight, **limits) for tenant, weight in weights.items()}
    return FairQueue(shares, max_queued=10**6)


def in_flight(queue: FairQueue) -> list[str]:
    return [key for account in queue.accounts.values() for key in account.in_flight]


def play(queue: FairQueue, history: Sequence[tuple[str, str, int]]) -> list[FairQueue]:
    """Every queue that the history goes through; operations that are impossible there are left out."""
    states = [queue]
    for number, (what, tenant, value) in enumerate(history):
        if what == "push":
            deadline = number + value if value % 3 == 0 else 10.0**9
            with suppress(BusyError):
                queue = queue.push(Waiting(f"r{number}", tenant, value, number, deadline))
        elif what == "take":
            queue, _ = queue.take()
        elif what == "finish" and in_flight(queue):
            queue = queue.finish(in_flight(queue)[0], unspent=value)
        elif what == "cancel" and queue.num_queued:
            waiting = list(queue.waiting())
            queue = queue.cancel(waiting[value % len(waiting)].request_id)
        elif what == "expire":
            queue, expired = queue.expire(number)
            assert all(request.deadline_s <= number for request in expired)
            assert all(request.deadline_s > number for request in queue.waiting())
        states.append(queue)
    return states


@given(weights, operations)
def test_any_history_keeps_the_queue_whole_and_virtual_time_rising(
    weights: dict[str, float], history: list[tuple[str, str, int]]
) -> None:
    states = play(queue_of(weights, max_in_flight=3, max_queued=5), history)
    for before, after in itertools.pairwise(states):
        after.check_integrity()
        assert after.virtual_time >= before.virtual_time


@given(weights, operations, st.integers(0, 80), st.sampled_from(TENANTS), st.integers(1, 20), st.booleans())
def test_what_is_cancelled_leaves_no_trace(
    weights: dict[str, float],
    history: list[tuple[str, str, int]],
    place: int,
    tenant: str,
    cost: int,
    is_later: bool,
) -> None:
    """A request that comes, is never ready, and is cancelled after the history: the rest goes as it would have."""
    before = play(queue_of(weights), history)[-1]
    ghost = Waiting("ghost", tenant, cost, place)
    with_ghost, without = before.push(ghost), before
    if is_later:
        for _ in range(4):
            with_ghost, taken = with_ghost.take(lambda request: request.request_id != "ghost")
            without, expected = without.take()
            assert taken == expected
    assert with_ghost.cancel("ghost") == without._pruned()


@given(weights, st.lists(st.tuples(st.sampled_from(TENANTS), st.integers(1, 9)), min_size=30, max_size=120))
def test_shares_follow_weights_in_every_interval(
    weights: dict[str, float], requests: list[tuple[str, int]]
) -> None:
    """Goyal's theorem: of two who have work throughout, neither gets ahead by more than a request of each."""
    queue = FairQueue({t: dataclasses.replace(WIDE, weight=w) for t, w in weights.items()}, max_queued=10**6)
    most = dict.fromkeys(TENANTS, 0.0)
    for number, (tenant, cost) in enumerate(requests):
        queue = queue.push(Waiting(f"r{number}", tenant, cost, number))
        most[tenant] = max(most[tenant], cost)
    had = [dict.fromkeys(TENANTS, 0.0)]
    busy = {tenant for tenant in TENANTS if most[tenant]}
    while True:
        queue, taken = queue.take()
        assert taken is not None
        had.append({**had[-1], taken.tenant: had[-1][taken.tenant] + taken.cost})
        if any(not queue.accounts[tenant].waiting for tenant in busy if tenant in queue.accounts):
            break
    for one in busy:
        for other in busy:
            leads = [state[one] / weights[one] - state[other] / weights[other] for state in had]
            bound = most[one] / weights[one] + most[other] / weights[other]
            assert max(leads) - min(leads) <= bound + 1e-9


@given(weights, st.lists(st.integers(1, 9), min_size=1, max_size=30), st.integers(1, 30))
def test_who_comes_to_a_flood_waits_for_one_request_of_each_other(
    weights: dict[str, float], costs: list[int], served: int
) -> None:
    """However much "a" has queued: a newcomer is next but for those who, like it, are owed the present."""
    queue = queue_of(weights, max_in_flight=10**6, max_queued=10**6)
    for number in range(300):
        queue = queue.push(Waiting(f"a{number}", "a", costs[number % len(costs)], number))
    for _ in range(served):
        queue, _ = queue.take()
    queue = queue.push(Waiting("newcomer", "b", 5, 1000))
    queue, first = queue.take()
    queue, second = queue.take()
    assert first is not None
    assert second is not None
    assert "newcomer" in (first.request_id, second.request_id)


def waits(flood: int) -> list[float]:
    """Seconds each of b's requests waits, on a machine of pace 1 that draws one at a time; a's load is `flood`."""
    queue = FairQueue(default_share=Share(max_in_flight=1, max_queued=10**6), max_queued=10**6)
    arrivals = [(4.0 * i + j / 100, "a", 1.0) for i in range(100) for j in range(3 * flood)]
    arrivals += [(5.0 * i, tenant, 1.0) for i in range(80) for tenant in "bc"]
    arrivals.sort()
    now, place, waited = 0.0, 0, []
    while len(waited) < 80:
        while place < len(arrivals) and arrivals[place][0] <= now:
            at, tenant, cost = arrivals[place]
            queue = queue.push(Waiting(f"{place}", tenant, cost, at))
            place += 1
        queue, taken = queue.take()
        if taken is None:
            now = arrivals[place][0]
            continue
        if taken.tenant == "b":
            waited.append(now - taken.arrived_s)
        now += taken.cost
        queue = queue.finish(taken.request_id)
    return waited


def test_a_flood_moves_the_others_waiting_by_one_request_at_most() -> None:
    calm, flooded, deluge = sorted(waits(1)), sorted(waits(10)), sorted(waits(30))
    for before, after, later in zip(calm, flooded, deluge, strict=True):
        assert after <= before + 1.0
        assert later <= before + 1.0


@given(st.integers(1, 6), st.integers(1, 40))
def test_nobody_with_work_starves(num_others: int, rounds: int) -> None:
    """While others always have more work, a request waits for no more than its weight says."""
    shares = {f"t{i}": Share(5.0, 10**6, 10**6) for i in range(num_others)} | {"poor": Share(0.5)}
    queue = FairQueue(shares, max_queued=10**6)
    number = 0
    for tenant in shares:
        queue = queue.push(Waiting(f"{tenant}-0", tenant, 1.0, 0))
    since = 0
    for _ in range(rounds * 20):
        for tenant in shares:
            if not queue.accounts.get(tenant) or not queue.accounts[tenant].waiting:
                number += 1
                queue = queue.push(Waiting(f"{tenant}-{number}", tenant, 1.0, number))
        queue, taken = queue.take()
        assert taken is not None
        queue = queue.finish(taken.request_id)
        since = 0 if taken.tenant == "poor" else since + 1
        assert since <= num_others * (5.0 / 0.5 + 1)


def test_a_request_that_is_not_ready_holds_up_nobody_and_is_next_when_it_is() -> None:
    queue = FairQueue()
    for number, tenant in enumerate("aabb"):
        queue = queue.push(Waiting(f"{tenant}{number}", tenant, 1.0, number))
    for expected in ("a1", "b2", "b3"):
        queue, taken = queue.take(lambda request: request.request_id != "a0")
        assert taken is not None
        assert taken.request_id == expected
    queue = queue.push(Waiting("b9", "b", 1.0, 9))
    queue, taken = queue.take()
    assert taken is not None
    assert taken.request_id == "a0"


def test_no_more_in_flight_than_the_quota() -> None:
    queue = FairQueue(default_share=Share(max_in_flight=1))
    for number in range(3):
        queue = queue.push(Waiting(f"r{number}", "a", 1.0, number))
    queue, first = queue.take()
    assert queue.take() == (queue, None)
    assert first is not None
    queue, second = queue.finish(first.request_id).take()
    assert second is not None


def test_waiting_for_one_s_own_quota_earns_no_credit() -> None:
    queue = FairQueue({"a": Share(max_in_flight=1)})
    for number in range(20):
        queue = queue.push(Waiting(f"a{number}", "a", 1.0, number))
        queue = queue.push(Waiting(f"b{number}", "b", 1.0, number))
    queue, _ = queue.take()
    for _ in range(6):
        queue, taken = queue.take()
        assert taken is not None
        assert taken.tenant == "b"
        queue = queue.finish(taken.request_id)
    queue = queue.finish("a0")
    order = []
    for _ in range(6):
        queue, taken = queue.take()
        assert taken is not None
        queue = queue.finish(taken.request_id)
        order.append(taken.tenant)
    assert order.count("a") <= 4  # half, and one for the turn that was due


def test_what_was_not_used_is_given_back() -> None:
    queue = FairQueue().push(Waiting("x", "a", 10.0, 0)).push(Waiting("y", "a", 10.0, 1))
    queue, _ = queue.take()
    assert queue.start("a") == 10
    assert queue.finish("x", unspent=7.0).start("a") == 3
    assert queue.finish("x").start("a") == 10


def test_busy_says_when_to_come_again() -> None:
    queue = FairQueue(default_share=Share(max_queued=1)).push(Waiting("x", "a", 100.0))
    with pytest.raises(BusyError, match="1 of your requests") as caught:
        queue.push(Waiting("y", "a", 1.0), cost_per_s=10.0)
    assert caught.value.retry_after_s == 10
    assert caught.value.is_retryable
    queue.push(Waiting("y", "b", 1.0))
    crowded = dataclasses.replace(queue, max_queued=1)
    with pytest.raises(BusyError, match="1 requests are waiting"):
        crowded.push(Waiting("y", "b", 1.0))


@pytest.mark.parametrize("cost", [0.0, -1.0, float("nan"), float("inf")])
def test_a_cost_of_nothing_is_refused(cost: float) -> None:
    with pytest.raises(ConfigError, match="cost"):
        FairQueue().push(Waiting("x", "a", cost))


@pytest.mark.parametrize("wrong", [{"weight": 0.0}, {"weight": float("nan")}, {"max_in_flight": 0}])
def test_an_impossible_share_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="tenant"):
        Share(**wrong)  # type: ignore[arg-type]


def test_what_is_not_there_cannot_be_cancelled_or_finished() -> None:
    with pytest.raises(KeyError):
        FairQueue().cancel("x")
    with pytest.raises(KeyError):
        FairQueue().finish("x")


def test_an_expired_request_says_how_long_it_waited() -> None:
    queue = FairQueue().push(Waiting("x", "a", 1.0, arrived_s=10.0, deadline_s=12.5))
    assert queue.expire(12.4) == (queue, ())
    emptied, expired = queue.expire(12.5)
    assert emptied == FairQueue()
    assert "within the 2.5 s" in str(expired_error(expired[0]))
