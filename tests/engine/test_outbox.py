"""Events that wait for a reader."""

from hypothesis import given
from hypothesis import strategies as st

from sealsmith.engine.messages import Event, Failed, Queued, Step, is_last
from sealsmith.engine.outbox import Outbox


@given(
    st.integers(0, 5),
    st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 3), st.booleans())), max_size=60),
)
def test_answers_are_kept_in_order_and_the_rest_is_bounded(
    limit: int, history: list[tuple[int, bool] | None]
) -> None:
    """None stands for the reader, who takes one."""
    outbox, put, read = Outbox(limit), list[Event](), list[Event]()
    for number, what in enumerate(history):
        if what is None:
            first = outbox.first()
            if first is not None:
                assert outbox.pop() is first
                read.append(first)
        else:
            name, ends = str(what[0]), what[1]
            event: Event = Failed(name, "busy", str(number)) if ends else Step(name, number, 100)
            put.append(event)
            outbox.put(event)
        assert len(outbox) - outbox.num_last <= limit
    while outbox.first() is not None:
        read.append(outbox.pop())
    assert [event for event in read if is_last(event)] == [event for event in put if is_last(event)]
    places = [next(i for i, each in enumerate(put) if each is event) for event in read]
    assert places == sorted(places)
    assert len(read) + outbox.num_dropped == len(put)


def test_the_oldest_goes_first() -> None:
    outbox = Outbox(2)
    for event in (Queued("a"), Failed("b", "busy", "no"), Step("a", 1, 4), Step("a", 2, 4)):
        outbox.put(event)
    assert [outbox.pop() for _ in range(3)] == [Failed("b", "busy", "no"), Step("a", 1, 4), Step("a", 2, 4)]
    assert outbox.num_dropped == 1
