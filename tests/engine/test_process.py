"""The engine in a process of its own: a real process, real sockets, a small core. Nothing is lost."""

import asyncio
import dataclasses
import errno
import itertools
import os
import random
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq
import zmq.asyncio
from noise_core import picture_of

from sealsmith.engine.client import FIRST_PAUSE_S, LONGEST_PAUSE_S, EngineClient, pauses_s
from sealsmith.engine.messages import (
    MAX_REQUEST_BYTES,
    Cancel,
    Done,
    Drain,
    Drained,
    Draw,
    Event,
    Failed,
    Hello,
    Message,
    Preview,
    Queued,
    Refused,
    Step,
    Welcome,
    dump_message,
    is_last,
    parse_from_engine,
)
from sealsmith.engine.process import HIGH_WATER, MAX_UNREAD, Steps
from sealsmith.engine.supervisor import EngineProcess, Launch
from sealsmith.errors import (
    BaseError,
    BusyError,
    Cancelled,
    ConfigError,
    DeadlineError,
    DrawingError,
    EngineError,
)

ROOT = Path(__file__).parents[2]
ENVIRON = {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(Path(__file__).parent)])}
LONG = 10**6
"""Steps that no test waits for."""
MAX_SILENCE_S = 5.0
"""So long that a start or an answer on a busy machine is no silence."""


def launch(**config: Any) -> Launch:
    return Launch("noise_core:open_core", config, ENVIRON, start_within_s=60.0)


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(**fixtures: Any) -> None:
        asyncio.run(asyncio.wait_for(test(**fixtures), 280))

    return run


async def killed(engine: EngineClient) -> None:
    """Kills the engine's process, and waits until the client knows that it is gone."""
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    while engine.pid is not None:
        await asyncio.sleep(0.001)


async def events_of(engine: EngineClient, request: Draw) -> list[Event]:
    return [event async for event in engine.draw(request)]


def names(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


@in_a_loop
async def test_a_request_s_life_from_another_process() -> None:
    async with EngineClient(launch()) as engine:
        events = await events_of(engine, Draw("a", "x", seed=7, num_steps=4, preview_every=2))
        assert names(events) == ["Queued", "Step", "Step", "Preview", "Step", "Step", "Preview", "Done"]
        assert [event.step for event in events if isinstance(event, Step)] == [1, 2, 3, 4]
        assert events[-1] == Done("a", picture_of(Draw("a", "x", seed=7)))
        assert engine.welcome is not None
        assert engine.welcome.pid == engine.pid != os.getpid()
        assert engine.welcome.about == {"base": "noise"}


@in_a_loop
async def test_steps_are_told_as_often_as_is_asked_and_the_last_and_all_else_at_once() -> None:
    async with EngineClient(launch()) as engine:
        slow = Draw("a", "x", seed=7, num_steps=6, preview_every=2, step_pause_s=3600)
        events = await events_of(engine, slow)
    assert names(events) == ["Queued", "Step", "Preview", "Preview", "Step", "Preview", "Done"]
    assert [event.step for event in events if isinstance(event, Step)] == [1, 6]
    steps, times_s = Steps(pause_s=0.25), (7, 7.1, 7.25, 7.3, 7.6, 7.8, 7.9, 7.95)
    told = [now_s for number, now_s in enumerate(times_s, 1) if steps.is_due(Step("a", number, 8), now_s)]
    assert told == [7, 7.25, 7.6, 7.9, 7.95]


@in_a_loop
async def test_many_at_once_get_each_their_own_picture() -> None:
    async with EngineClient(launch()) as engine:
        requests = [Draw(f"r{seed}", "x", seed=seed, num_steps=1 + seed % 5) for seed in range(60)]
        pictures = await asyncio.gather(*(engine.picture(request) for request in requests))
    assert [done.picture for done in pictures] == [picture_of(request) for request in requests]


@in_a_loop
async def test_killed_at_fifty_random_moments_nothing_is_lost() -> None:
    """Every request ends once, in its own picture or in an error that says to send it again, and is seen once."""
    rng = random.Random(0)
    num_kills, answered, retried, run_again = 0, 0, 0, 0
    async with EngineClient(launch(step_s=0.001)) as engine:

        async def customer(number: int) -> None:
            nonlocal answered, retried, run_again
            turn = 0
            while num_kills < 50:
                turn += 1
                request = Draw(f"{number}-{turn}", "x", seed=number * 1000 + turn, num_steps=turn % 7 + 1)
                started = engine.num_starts
                events = await events_of(engine, request)
                *before, last = events
                assert not any(is_last(event) for event in before)
                steps = [event.step for event in before if isinstance(event, Step)]
                assert steps == [*range(1, len(steps) + 1)]
                if isinstance(last, Failed):
                    assert last.code == "engine"
                    assert last.is_retryable
                    retried += 1
                    await asyncio.sleep(0.002)
                else:
                    assert last == Done(request.id, picture_of(request))
                    assert len(steps) == request.num_steps
                    answered += 1
                    run_again += engine.num_starts > started

        async def killer() -> None:
            nonlocal num_kills
            while num_kills < 50:
                await asyncio.sleep(rng.choice([0.0, 0.001, 0.01, 0.05]) * rng.random())
                if engine.pid is not None:
                    os.kill(engine.pid, signal.SIGKILL)
                    num_kills += 1
                    pid = engine.pid
                    while engine.pid in (pid, None):
                        await asyncio.sleep(0.002)

        await asyncio.gather(killer(), *(customer(number) for number in range(6)))
        assert (await engine.picture(Draw("after", "x", seed=1))).picture == picture_of(Draw("", "", seed=1))
        assert not engine._flights
        assert engine.num_starts == 51
    assert min(answered, retried, run_again) > 0


@in_a_loop
async def test_what_had_not_begun_is_run_again_and_what_had_fails_retryably() -> None:
    async with EngineClient(launch()) as engine:
        killer = asyncio.create_task(events_of(engine, Draw("killer", "dies at 2")))
        before = await killer
        # what an engine had said when it was killed may be lost with it: then the picture had not begun
        assert re.fullmatch("Queued (Queued )?(Step ){0,2}Failed", " ".join(names(before))), names(before)
        last = before[-1]
        assert isinstance(last, Failed)
        assert last.is_retryable
        assert engine.num_starts >= 1
        poison = await events_of(engine, Draw("poison", "dies at 0"))
        assert isinstance(poison[-1], Failed)
        assert "2 times" in poison[-1].message
        assert (await engine.picture(Draw("well", "x"))).id == "well"


@in_a_loop
async def test_a_request_sent_while_the_engine_is_dead_is_drawn_by_the_next() -> None:
    async with EngineClient(launch()) as engine:
        await killed(engine)
        done = await engine.picture(Draw("a", "x", seed=3))
        assert done.picture == picture_of(Draw("a", "x", seed=3))
        assert engine.num_starts == 2


@in_a_loop
async def test_an_error_the_core_lets_through_ends_the_process_not_the_service() -> None:
    async with EngineClient(launch()) as engine:
        with pytest.raises(EngineError, match="died while it drew"):
            await engine.picture(Draw("a", "breaks at 2", num_steps=5))
        assert (await engine.picture(Draw("b", "x"))).id == "b"


@in_a_loop
async def test_an_engine_that_hangs_is_killed_and_another_started() -> None:
    async with EngineClient(launch(), max_silence_s=MAX_SILENCE_S) as engine:
        with pytest.raises(EngineError, match="died while it drew"):
            await engine.picture(Draw("a", "hangs at 1", num_steps=5))
        assert (await engine.picture(Draw("b", "x"))).id == "b"


@in_a_loop
async def test_silence_alone_is_no_death() -> None:
    async with EngineClient(launch(), max_silence_s=MAX_SILENCE_S) as engine:
        pid = engine.pid
        await asyncio.sleep(1.5 * MAX_SILENCE_S)
        assert (await engine.picture(Draw("a", "x"))).id == "a"
        assert engine.pid == pid


@in_a_loop
async def test_a_refusal_reaches_the_caller_as_the_error_it_was() -> None:
    async with EngineClient(launch()) as engine:
        with pytest.raises(BusyError, match="no more today") as caught:
            await engine.picture(Draw("a", "refused"))
        assert caught.value.retry_after_s == 60
        assert caught.value.remedy == "come tomorrow"


@in_a_loop
async def test_a_request_the_core_stumbles_over_fails_alone() -> None:
    async with EngineClient(launch(step_s=0.001)) as engine:
        other = asyncio.create_task(engine.picture(Draw("other", "x", num_steps=30)))
        with pytest.raises(DrawingError, match="cannot be taken: OverflowError"):
            await engine.picture(Draw("a", "puzzles"))
        assert (await other).id == "other"
        assert (await engine.picture(Draw("a", "x"))).id == "a"
        assert engine.num_starts == 1


IMPOSSIBLE = {
    "type": Draw("a", 5),  # type: ignore[arg-type]
    "text": Draw("a", "\ud800"),
    "whole number": Draw("a", "x", seed=1 << 70),
    "size": Draw("a", "x" * (MAX_REQUEST_BYTES + 1)),
    "patience": Draw("a", "x", begin_within_s=float("nan")),
    "pause": Draw("a", "x", step_pause_s=float("nan")),
    "negative pause": Draw("a", "x", step_pause_s=-1.0),
}


@in_a_loop
async def test_what_cannot_be_sent_is_refused_at_once_and_the_others_go_on() -> None:
    async with EngineClient(launch(step_s=0.001)) as engine:
        other = asyncio.create_task(engine.picture(Draw("other", "x", num_steps=30)))
        for request in IMPOSSIBLE.values():
            with pytest.raises(ConfigError, match="the request"):
                await engine.picture(request)
        assert (await other).id == "other"
        with pytest.raises(ConfigError, match="expected at most"):
            await engine.picture(IMPOSSIBLE["size"])
        almost = Draw("a", "x" * (MAX_REQUEST_BYTES - 1000), num_steps=1)
        assert (await engine.picture(almost)).id == "a"
        assert engine.num_starts == 1


async def first_step(drawing: AsyncIterator[Event]) -> None:
    """Reads on until the picture has begun."""
    while not isinstance(await anext(drawing), Step):
        pass


@in_a_loop
async def test_an_engine_that_does_not_understand_us_is_killed_and_nobody_waits_in_vain() -> None:
    async with EngineClient(launch(step_s=0.001)) as engine:
        drawing = engine.draw(Draw("a", "x", num_steps=LONG))
        await first_step(drawing)
        assert engine._connection is not None
        await engine._connection._socket.send(b"\xc1 not a message")
        last = [event async for event in drawing][-1]
        assert isinstance(last, Failed)
        assert "died" in last.message
        assert (await engine.picture(Draw("b", "x"))).id == "b"


@in_a_loop
async def test_told_to_end_by_somebody_else_it_finishes_and_another_starts() -> None:
    async with EngineClient(launch(step_s=0.001)) as engine:
        drawing = engine.draw(Draw("a", "x", num_steps=100))
        await first_step(drawing)
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGTERM)
        assert isinstance([event async for event in drawing][-1], Done)
        while engine.num_starts < 2:
            await asyncio.sleep(0.002)
        assert (await engine.picture(Draw("b", "x"))).id == "b"


@in_a_loop
async def test_ctrl_c_is_the_parents_matter() -> None:
    async with EngineClient(launch(step_s=0.001)) as engine:
        drawing = engine.draw(Draw("a", "x", num_steps=30))
        await first_step(drawing)
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGINT)
        assert isinstance([event async for event in drawing][-1], Done)
        assert engine.num_starts == 1


@in_a_loop
async def test_an_engine_that_dies_while_it_drains_keeps_nobody_waiting() -> None:
    engine = EngineClient(launch())
    await engine.start()
    drawings = [
        asyncio.create_task(engine.picture(Draw(name, prompt, num_steps=5)))
        for name, prompt in {"begun": "dies at 3", "waiting": "x"}.items()
    ]
    while len(engine._flights) < 2:
        await asyncio.sleep(0)
    await engine.close(drain_within_s=200)
    for drawing in drawings:
        with pytest.raises(EngineError, match=r"died|was ended") as caught:
            await drawing
        assert caught.value.is_retryable
    assert engine.num_starts == 1


@in_a_loop
async def test_a_start_that_fails_once_is_tried_again_and_who_waits_is_drawn(tmp_path: Path) -> None:
    engine = EngineClient(launch())
    await engine.start()
    assert engine.pid is not None
    engine._launch = launch(fails_once=str(tmp_path / "tried"))
    await killed(engine)
    assert (await engine.picture(Draw("a", "x"))).id == "a"
    assert (tmp_path / "tried").exists()
    await engine.close()


WITHOUT: dict[str, tuple[Any, str, Exception]] = {
    "room": (tempfile, "mkdtemp", OSError(errno.ENOSPC, "no room")),
    "memory": (asyncio, "create_subprocess_exec", OSError(errno.ENOMEM, "no memory")),
    "socket": (zmq.asyncio.Context, "socket", zmq.ZMQError(errno.EMFILE)),
}
"""What fails where a system has none, and how."""


@pytest.mark.parametrize("missing", WITHOUT)
@in_a_loop
async def test_a_system_without_room_for_an_engine_is_asked_again(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, error = WITHOUT[missing]
    usual, num_asked = getattr(owner, name), 0

    def stingy(*args: Any, **options: Any) -> Any:
        nonlocal num_asked
        num_asked += 1
        if num_asked <= 2:
            raise error
        return usual(*args, **options)

    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        async with EngineClient(launch()) as engine:
            assert engine.pid is not None
            monkeypatch.setattr(owner, name, stingy)
            await killed(engine)
            assert (await engine.picture(Draw("a", "x"))).id == "a"
        assert num_asked == 3
        assert list(Path(folder).iterdir()) == []


def test_attempts_to_start_become_ever_more_seldom() -> None:
    pauses = list(itertools.islice(pauses_s(), 20))
    assert pauses[0] == FIRST_PAUSE_S
    assert all(after == min(2 * before, LONGEST_PAUSE_S) for before, after in itertools.pairwise(pauses))
    assert pauses[-1] == LONGEST_PAUSE_S


@in_a_loop
async def test_an_engine_that_is_never_ready_is_ended() -> None:
    slow = dataclasses.replace(launch(sleeps=True), start_within_s=1.0)
    with pytest.raises(EngineError, match="not ready within 1 s"):
        await EngineClient(slow).start()
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    assert not any("engine.process" in Path(f"/proc/{pid}/cmdline").read_text() for pid in children)


@in_a_loop
async def test_what_time_a_request_has_left_goes_along() -> None:
    async with EngineClient(launch()) as engine:
        await killed(engine)
        with pytest.raises(BusyError) as caught:
            await engine.picture(Draw("a", "patient", begin_within_s=1000.0))
        assert 900 < float(str(caught.value)) < 1000


@in_a_loop
async def test_a_cancelled_request_ends_and_the_others_go_on() -> None:
    async with EngineClient(launch(step_s=0.001)) as engine:
        other = asyncio.create_task(engine.picture(Draw("other", "x", num_steps=30)))
        events = []
        async for event in engine.draw(Draw("a", "x", num_steps=LONG)):
            events.append(event)
            if isinstance(event, Step) and event.step == 3:
                engine.cancel("a")
        assert isinstance(events[-1], Failed)
        assert isinstance(events[-1].error, Cancelled)
        assert (await other).id == "other"


@in_a_loop
async def test_cancelled_while_no_engine_is_there_a_request_ends_at_once() -> None:
    async with EngineClient(launch()) as engine:
        await killed(engine)
        drawing = asyncio.create_task(engine.picture(Draw("a", "x")))
        while "a" not in engine._flights:
            await asyncio.sleep(0)
        engine.cancel("a")
        engine.cancel("a")
        assert not engine._flights
        with pytest.raises(Cancelled, match="was cancelled"):
            await drawing


@in_a_loop
async def test_cancelled_by_an_engine_that_dies_before_it_hears_so_a_request_is_not_run_again() -> None:
    async with EngineClient(launch()) as engine:
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGSTOP)
        drawings = [asyncio.create_task(engine.picture(Draw(name, "x"))) for name in ("a", "b")]
        while len(engine._flights) < 2:
            await asyncio.sleep(0)
        engine.cancel("a")
        os.kill(engine.pid, signal.SIGKILL)
        with pytest.raises(Cancelled, match="was cancelled"):
            await drawings[0]
        assert (await drawings[1]).id == "b"


@in_a_loop
async def test_leaving_the_loop_cancels() -> None:
    async with EngineClient(launch(step_s=0.001)) as engine:
        async with aclosing(engine.draw(Draw("a", "x", num_steps=LONG))) as events:
            async for event in events:
                if isinstance(event, Step):
                    break
        queued = await anext(aiter(engine.draw(Draw("b", "x", num_steps=1))))
        assert queued == Queued("b", 0)
        assert not engine._left, "the one that was left is forgotten once it has ended"


@in_a_loop
async def test_an_id_is_free_as_soon_as_its_request_was_left() -> None:
    async with EngineClient(launch(step_s=0.001)) as engine:
        for seed in range(5):
            async with aclosing(engine.draw(Draw("a", "x", num_steps=LONG))) as events:
                await anext(events)
            again = Draw("a", "x", seed=seed, num_steps=2)
            events_again = await events_of(engine, again)
            assert names(events_again) == ["Queued", "Step", "Step", "Done"]
            assert events_again[-1] == Done("a", picture_of(again))
        assert not engine._left


@in_a_loop
async def test_a_request_that_has_ended_waits_for_no_deadline() -> None:
    async with EngineClient(launch(step_s=0.001)) as engine:
        async with aclosing(engine.draw(Draw("left", "x", num_steps=LONG, begin_within_s=3600))) as events:
            await anext(events)
            left = engine._flights["left"].expiring
        drawing = asyncio.create_task(engine.picture(Draw("drawn", "x", begin_within_s=3600)))
        while "drawn" not in engine._flights:
            await asyncio.sleep(0)
        drawn = engine._flights["drawn"].expiring
        await drawing
        assert left is not None
        assert drawn is not None
        assert left.cancelled()
        assert drawn.cancelled()


@in_a_loop
async def test_drained_it_finishes_what_it_has_and_takes_no_more() -> None:
    engine = EngineClient(launch(step_s=0.001))
    await engine.start()
    pid = engine.pid
    assert pid is not None
    drawing = asyncio.create_task(engine.picture(Draw("a", "x", num_steps=50)))
    await asyncio.sleep(0)
    closing = asyncio.create_task(engine.close(drain_within_s=60))
    await asyncio.sleep(0)
    with pytest.raises(EngineError, match="about to end"):
        await engine.picture(Draw("late", "x"))
    assert (await drawing).id == "a"
    await closing
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@in_a_loop
async def test_closed_it_says_so_to_whoever_waits() -> None:
    engine = EngineClient(launch(step_s=0.001))
    await engine.start()
    drawing = asyncio.create_task(engine.picture(Draw("a", "x", num_steps=LONG)))
    await asyncio.sleep(0.05)
    await engine.close()
    with pytest.raises(EngineError, match="was ended"):
        await drawing


@in_a_loop
async def test_a_core_that_cannot_be_made_says_why() -> None:
    with pytest.raises(BaseError, match="no such base") as caught:
        await EngineClient(launch(broken=True)).start()
    assert caught.value.remedy == "name another"
    with pytest.raises(EngineError, match="before it was ready, with status 3"):
        await EngineClient(launch(ends=True)).start()


@in_a_loop
async def test_an_engine_that_no_longer_starts_fails_what_waits() -> None:
    engine = EngineClient(launch())
    await engine.start()
    engine._launch = launch(broken=True)
    with pytest.raises(EngineError, match=r"does not start: there is no such base|died"):
        await engine.picture(Draw("a", "dies at 0"))
    while engine._down is None:
        await asyncio.sleep(0.01)
    with pytest.raises(EngineError, match="does not start: there is no such base"):
        await engine.picture(Draw("b", "x"))
    engine._launch = launch()
    while engine._down is not None:
        await asyncio.sleep(0.01)
    assert (await engine.picture(Draw("c", "x"))).id == "c"
    await engine.close()


@in_a_loop
async def test_a_deadline_is_kept_without_an_engine() -> None:
    async with EngineClient(launch()) as engine:
        await killed(engine)
        with pytest.raises(DeadlineError, match="not there in time"):
            await engine.picture(Draw("a", "x", begin_within_s=0.001))


@in_a_loop
async def test_what_a_library_prints_is_no_message() -> None:
    async with EngineClient(launch(prints=True)) as engine:
        assert (await engine.picture(Draw("a", "prints"))).id == "a"


@asynccontextmanager
async def raw_client(process: EngineProcess) -> AsyncIterator[zmq.asyncio.Socket]:
    context = zmq.asyncio.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
    socket.connect(process.endpoint)
    try:
        yield socket
    finally:
        socket.close()
        context.term()


async def said(socket: zmq.asyncio.Socket, *messages: Message) -> Message:
    """What comes first after saying these."""
    for message in messages:
        await socket.send(dump_message(message))
    return parse_from_engine(await socket.recv())


@in_a_loop
async def test_who_does_not_know_the_token_or_the_protocol_is_not_heard() -> None:
    process = await EngineProcess.start(launch())
    try:
        async with raw_client(process) as socket:
            assert "before Hello" in str(await said(socket, Draw("a", "x")))
            assert "token" in str(await said(socket, Hello("guess")))
            reply = await said(socket, Hello(process.token, protocol=99, version="9.9"))
            assert isinstance(reply, Refused)
            assert "protocol 99 (sealsmith 9.9), expected 1" in reply.reason
            await socket.send(b"\xc1 not a message")
            assert isinstance(parse_from_engine(await socket.recv()), Refused)
            assert isinstance(await said(socket, Hello(process.token)), Welcome)
    finally:
        await process.kill()


@in_a_loop
async def test_a_client_that_stops_reading_holds_nobody_up_and_still_gets_its_answers() -> None:
    side = 256  # pictures of 192 KiB, so that the sockets' buffers are soon full
    process = await EngineProcess.start(launch())
    try:
        async with raw_client(process) as deaf, raw_client(process) as other:
            assert isinstance(await said(deaf, Hello(process.token)), Welcome)
            assert isinstance(await said(other, Hello(process.token)), Welcome)
            for number in range(3):
                request = Draw(f"deaf{number}", "x", num_steps=300, preview_every=1, width=side, height=side)
                await deaf.send(dump_message(request))
            for number in range(20):
                await other.send(dump_message(Draw(f"other{number}", "x", seed=number, num_steps=20)))
            answers = 0
            while answers < 20:
                answers += isinstance(parse_from_engine(await other.recv()), Done)
            await other.send(dump_message(Draw("late", "x", num_steps=400)))
            while not isinstance(parse_from_engine(await other.recv()), Done):
                pass
            heard = []
            while sum(isinstance(event, Done) for event in heard) < 3:
                heard.append(parse_from_engine(await deaf.recv()))
            previews = [event for event in heard if isinstance(event, Preview)]
            assert len(previews) < 900
            for number in range(3):
                steps = [e.step for e in heard if isinstance(e, Step) and e.id == f"deaf{number}"]
                assert steps == sorted(set(steps))
    finally:
        await process.kill()


@in_a_loop
async def test_who_leaves_too_much_unread_is_given_no_more_work() -> None:
    side = 256
    process = await EngineProcess.start(launch())
    try:
        async with raw_client(process) as deaf:
            assert isinstance(await said(deaf, Hello(process.token)), Welcome)
            total = MAX_UNREAD + 100
            for number in range(total):
                request = Draw(f"{number}", "x", num_steps=1, width=side, height=side)
                await deaf.send(dump_message(request))
                await asyncio.sleep(0.001)
            answers = []
            while len(answers) < total:
                event = parse_from_engine(await deaf.recv())
                answers += [event] if isinstance(event, Done | Failed) else []
            refused = [event for event in answers if isinstance(event, Failed)]
            assert refused
            assert len(answers) - len(refused) >= MAX_UNREAD
            assert {event.code for event in refused} == {"busy"}
            assert all("not read yet" in event.message and event.retry_after_s for event in refused)
            assert len({event.id for event in answers}) == total
    finally:
        await process.kill()


@pytest.mark.parametrize("num_requests", range(40, 44))
@in_a_loop
async def test_drained_it_says_everything_to_who_reads_late_and_takes_nothing_new(num_requests: int) -> None:
    """Of several numbers of answers, one fills the way to the client to the last place."""
    process = await EngineProcess.start(launch())
    try:
        async with raw_client(process) as socket:
            assert isinstance(await said(socket, Hello(process.token)), Welcome)
            for number in range(num_requests):
                request = Draw(f"{number}", "x", num_steps=3, width=256, height=256)
                await socket.send(dump_message(request))
            await socket.send(dump_message(Drain()))
            await socket.send(dump_message(Draw("late", "x")))
            await asyncio.sleep(0.5)
            assert process.is_running
            heard = []
            while not isinstance(message := parse_from_engine(await socket.recv()), Drained):
                heard.append(message)
        done = {event.id for event in heard if isinstance(event, Done)}
        assert done == {f"{number}" for number in range(num_requests)}
        (late,) = [event for event in heard if isinstance(event, Failed)]
        assert (late.id, late.code, late.is_retryable) == ("late", "busy", True)
        assert late.retry_after_s
        assert await process.wait() == 0
    finally:
        await process.kill()


@in_a_loop
async def test_the_requests_of_a_client_that_is_gone_are_cancelled() -> None:
    process = await EngineProcess.start(launch(step_s=0.001))
    try:
        async with raw_client(process) as gone:
            assert isinstance(await said(gone, Hello(process.token)), Welcome)
            assert await said(gone, Draw("a", "x", num_steps=LONG)) == Queued("a", 0)
        async with raw_client(process) as other:
            assert isinstance(await said(other, Hello(process.token)), Welcome)
            ahead: int | None = 1
            number = 0
            while ahead:
                number += 1
                reply = await said(other, Draw(f"b{number}", "x", num_steps=1))
                while not isinstance(reply, Queued):
                    reply = parse_from_engine(await other.recv())
                ahead = reply.num_ahead
    finally:
        await process.kill()


@in_a_loop
async def test_only_its_owner_can_cancel_a_request() -> None:
    process = await EngineProcess.start(launch(step_s=0.001))
    try:
        async with raw_client(process) as owner, raw_client(process) as stranger:
            assert isinstance(await said(stranger, Hello(process.token)), Welcome)
            assert isinstance(await said(owner, Hello(process.token)), Welcome)
            await stranger.send(dump_message(Cancel("a")))
            await owner.send(dump_message(Draw("a", "x", num_steps=60)))
            for _ in range(5):
                await stranger.send(dump_message(Cancel("a")))
                await asyncio.sleep(0.01)
            event = parse_from_engine(await owner.recv())
            while not isinstance(event, Done | Failed):
                event = parse_from_engine(await owner.recv())
            assert isinstance(event, Done)
    finally:
        await process.kill()


@in_a_loop
async def test_two_clients_requests_of_one_name_are_not_taken_for_one() -> None:
    process = await EngineProcess.start(launch(step_s=0.001))
    try:
        async with raw_client(process) as owner, raw_client(process) as stranger:
            assert isinstance(await said(owner, Hello(process.token)), Welcome)
            assert isinstance(await said(stranger, Hello(process.token)), Welcome)
            assert isinstance(await said(owner, Draw("a", "x", num_steps=LONG)), Queued)
            reply = await said(stranger, Draw("a", "x"))
            assert isinstance(reply, Failed)
            assert reply.code == "config"
            event = parse_from_engine(await owner.recv())
            assert isinstance(event, Step), "the owner's is drawn as if nothing had been"
            await owner.send(dump_message(Cancel("a")))
            while isinstance(event, Step):
                event = parse_from_engine(await owner.recv())
            assert isinstance(event, Failed)
            assert isinstance(event.error, Cancelled)
    finally:
        await process.kill()


@in_a_loop
async def test_a_request_said_twice_is_drawn_once() -> None:
    process = await EngineProcess.start(launch(step_s=0.001))
    try:
        async with raw_client(process) as owner:
            assert isinstance(await said(owner, Hello(process.token)), Welcome)
            request = Draw("a", "x", num_steps=LONG)
            assert isinstance(await said(owner, request, request), Queued)
            await owner.send(dump_message(Cancel("a")))
            await owner.send(dump_message(Draw("b", "x", num_steps=30)))
            heard = [parse_from_engine(await owner.recv())]
            while not isinstance(heard[-1], Done):
                heard.append(parse_from_engine(await owner.recv()))
        said_of_a = [event for event in heard if isinstance(event, Failed | Queued) and event.id == "a"]
        assert [type(event) for event in said_of_a] == [Failed]
        assert isinstance(said_of_a[0], Failed)
        assert isinstance(said_of_a[0].error, Cancelled)
    finally:
        await process.kill()


@in_a_loop
async def test_nobody_else_on_this_machine_reaches_the_engine() -> None:
    process = await EngineProcess.start(launch())
    try:
        folder = Path(process.endpoint.removeprefix("ipc://")).parent
        assert folder.stat().st_mode & 0o077 == 0
        assert process.token not in Path(f"/proc/{process.pid}/cmdline").read_text()
        assert process.token not in Path(f"/proc/{process.pid}/environ").read_text()
    finally:
        await process.kill()
    assert not folder.exists()


PARENT = """
import asyncio, sys
from sealsmith.engine.client import EngineClient
from sealsmith.engine.supervisor import Launch

async def main():
    engine = EngineClient(Launch("noise_core:open_core"))
    await engine.start()
    print(engine.pid, flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@in_a_loop
async def test_an_engine_does_not_outlive_who_started_it() -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT), stdout=asyncio.subprocess.PIPE, env={**os.environ, **ENVIRON}
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    os.kill(pid, 0)
    parent.kill()
    await parent.wait()
    while Path(f"/proc/{pid}").exists():
        await asyncio.sleep(0.01)


def test_the_process_imports_no_torch() -> None:
    import subprocess

    program = (
        "import sys, sealsmith.engine.process, sealsmith.engine.client; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, **ENVIRON})


def test_every_message_comes_back_as_it_was() -> None:
    events: list[Message] = [
        Queued("a", 3), Step("a", 1, 4, "bank"), Preview("a", 2, picture_of(Draw("a", "x"))),
        Done("a", picture_of(Draw("a", "x")), "{}", ("w",)), Failed("a", "busy", "m", "r", True, 2.5),
    ]  # fmt: skip
    assert [parse_from_engine(dump_message(event)) for event in events] == events
    assert msgspec.msgpack.decode(dump_message(events[1]))["kind"] == "step"
