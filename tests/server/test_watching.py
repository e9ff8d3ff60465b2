"""However many listen, what they listen to is asked for once a while; and who listens misses nothing."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import Headers, Shared, prefix_of
from sqlalchemy import event, select

from sealsmith.catalog import Catalog, open_catalog
from sealsmith.errors import DatabaseError
from sealsmith.jobs import TRAIN, EventKind, Queue
from sealsmith.jobs import queue as jobs_queue
from sealsmith.jobs.rows import end, say
from sealsmith.jobs.tables import JobRow
from sealsmith.jobs.values import JobState
from sealsmith.server import long_work
from sealsmith.server.long_work import job_watch
from sealsmith.server.trainings import Trainings
from sealsmith.server.watching import Watch, Watched

NUM_LISTENERS = 120
NUM_JOBS = 6
NUM_KEYS = 4


def told(catalog: Catalog, job: str, *, is_last: bool = False) -> None:
    """Something happens to a job, as if a worker had said it."""
    with catalog.database.writing() as session:
        row = session.scalars(select(JobRow).filter_by(id=job)).one()
        if is_last:
            end(row, JobState.DONE, catalog.clock())
        say(session, row, EventKind.DONE if is_last else EventKind.NOTE, catalog.clock(), {})


@contextmanager
def counted(catalog: Catalog) -> Iterator[list[str]]:
    """What the database is asked within the context."""
    asked: list[str] = []
    engine = catalog.database._engine

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


class Heard:
    """Numbers of the events that one listener was told, over HTTP."""

    def __init__(self, http: httpx2.AsyncClient, url: str, key: Headers):
        self.numbers: list[int] = []
        self._news = asyncio.Event()
        self.ended = asyncio.create_task(self._listen(http, url, key))

    async def until(self, number: int) -> None:
        while number not in self.numbers:
            self._news.clear()
            await self._news.wait()

    async def _listen(self, http: httpx2.AsyncClient, url: str, key: Headers) -> None:
        async with http.stream("GET", url, headers=key) as response:
            assert response.status_code == 200
            async for line in response.aiter_lines():
                if line.startswith("id: "):
                    self.numbers.append(int(line.removeprefix("id: ")))
                    self._news.set()


@asynccontextmanager
async def listeners(shared: Shared, jobs: list[str], keys: list[Headers]) -> AsyncIterator[list[Heard]]:
    limits = httpx2.Limits(max_connections=None)
    async with httpx2.AsyncClient(base_url=shared.running.url, timeout=120, limits=limits) as http:
        urls = [f"/v1/trainings/{jobs[index % NUM_JOBS]}/events" for index in range(NUM_LISTENERS)]
        heard = [Heard(http, url, keys[index % NUM_KEYS]) for index, url in enumerate(urls)]
        await asyncio.gather(*(each.until(1) for each in heard))
        yield heard
        await asyncio.gather(*(each.ended for each in heard))


def test_many_listeners_cost_few_questions(shared: Shared) -> None:
    """Five turns of the watch in which one job of six moves: as long as the old way took 1,800 questions."""
    tenant = shared.tenant("overheard", trainings_at_once=NUM_JOBS)
    keys = [shared.key("overheard") for _ in range(NUM_KEYS)]
    jobs = [Queue(shared.catalog).submit(tenant, TRAIN, {}).id for _ in range(NUM_JOBS)]

    async def listen() -> tuple[list[str], list[Heard]]:
        async with listeners(shared, jobs, keys) as heard:
            await all_have_looked(shared.catalog)
            with counted(shared.catalog) as asked:
                for number in range(2, 7):
                    told(shared.catalog, jobs[0])
                    await asyncio.gather(*(each.until(number) for each in heard[::NUM_JOBS]))
                in_five_turns = [each for each in asked if each.startswith("SELECT")]
            shared.catalog.keys.revoke(prefix_of(keys[0]))
            await asyncio.gather(*(each.ended for each in heard[::NUM_KEYS]))
            assert not any(each.ended.done() for each in heard[1::NUM_KEYS])
            for job in jobs:
                told(shared.catalog, job, is_last=True)
        return in_five_turns, heard

    asked, heard = asyncio.run(listen())
    assert len(asked) < NUM_LISTENERS / 2, asked
    for index, each in enumerate(heard):
        others = [1] if index % NUM_JOBS else [1, 2, 3, 4, 5, 6]
        was_revoked = index % NUM_KEYS == 0
        assert each.numbers == (others if was_revoked else [*others, len(others) + 1])
    service = shared.running.service
    assert service.trainings is not None
    shared.running.run(nobody_is_left(service.trainings._watch))
    shared.running.run(nobody_is_left(service.callers))


async def all_have_looked(catalog: Catalog) -> None:
    """Returns when nobody asks any more but the watches, if that comes: a listener's first look is its own."""
    for _ in range(20):
        with counted(catalog) as asked:
            await asyncio.sleep(2 * long_work.LOOK_S)
        if len(asked) < NUM_LISTENERS / 4:
            return


async def nobody_is_left(watch: Watch[Any, Any]) -> None:
    """Returns when a watch asks for nothing any more."""
    while watch.is_on:
        await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    folder = tmp_path_factory.mktemp("watched")
    with open_catalog(f"sqlite:///{folder / 'catalog.db'}", (folder / "store").as_uri()) as catalog:
        yield catalog


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from(["note", "note", "notes", "listen", "late", "turn"]), max_size=20),
    st.integers(1, 3),
)
def test_whoever_comes_whenever_hears_every_event_once_and_in_order(
    catalog: Catalog, happening: list[str], most_told: int
) -> None:
    """With stories that remember next to nothing, and are read in small parts."""
    tenant = catalog.tenants.create(f"t{len(catalog.tenants.page(None, 200).items)}").id
    job = Queue(catalog).submit(tenant, TRAIN, {}).id

    async def happens() -> None:
        watch = job_watch(catalog)
        trainings = Trainings(catalog, "", watch)
        listening: list[tuple[int, asyncio.Task[list[int]]]] = []
        num_events = 1
        for each in [*happening, "listen"]:
            match each:
                case "note" | "notes":
                    for _ in range(1 if each == "note" else 5):
                        told(catalog, job)
                        num_events += 1
                case "turn":
                    await asyncio.sleep(0.002)
                case _:
                    after = num_events if each == "late" else 0
                    listening.append((after, asyncio.create_task(numbers(trainings, tenant, job, after))))
                    await asyncio.sleep(0)
        told(catalog, job, is_last=True)
        for after, task in listening:
            assert await task == [*range(after + 1, num_events + 2)]
        assert not watch.is_on

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_work, "LOOK_S", 0.001)
        patch.setattr(jobs_queue, "MAX_TOLD", most_told)
        patch.setattr(jobs_queue, "MAX_EVENTS", 4)
        asyncio.run(happens())


async def numbers(trainings: Trainings, tenant: str, job: str, after: int) -> list[int]:
    return [event.number async for event in trainings.events(tenant, job, after)]


def test_stories_are_asked_for_in_parts_and_leave_out_what_is_gone(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_queue, "MAX_ASKED", 2)
    queue, tenant = Queue(catalog), catalog.tenants.create("parted").id
    jobs = [queue.submit(tenant, "study", {}).id for _ in range(5)]
    known = queue.stories(dict.fromkeys([*jobs, "0" * 32]))
    assert known.keys() == set(jobs)
    told(catalog, jobs[3])
    queue.cancel(tenant, jobs[4])
    queue.delete(tenant, jobs[4])
    with counted(catalog) as asked:
        now = queue.stories(known)
    assert len([each for each in asked if each.startswith("SELECT")]) == 4, "three parts, one with news"
    assert now.keys() == set(jobs[:4])
    assert [now[job] == known[job] for job in jobs[:4]] == [True, True, True, False]
    assert [event.number for event in now[jobs[3]].events] == [2]


def test_a_database_that_is_gone_for_a_while_costs_no_event(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = catalog.tenants.create("patient").id
    job, real, is_gone = Queue(catalog).submit(tenant, TRAIN, {}).id, Queue.stories, True
    asked = threading.Event()

    def stories(queue: Queue, known: Mapping[str, Any]) -> Any:
        if is_gone:
            asked.set()
            raise DatabaseError("it is gone")
        return real(queue, known)

    async def listen() -> list[int]:
        nonlocal is_gone
        task = asyncio.create_task(numbers(Trainings(catalog, "", job_watch(catalog)), tenant, job, 0))
        await asyncio.to_thread(asked.wait)
        told(catalog, job, is_last=True)
        is_gone = False
        return await task

    monkeypatch.setattr(long_work, "LOOK_S", 0.01)
    monkeypatch.setattr(Queue, "stories", stories)
    assert asyncio.run(listen()) == [1, 2]


def test_a_look_that_breaks_ends_what_is_listened_to() -> None:
    """Else a key that is revoked would be listened to for good."""

    async def look(known: Mapping[str, None]) -> Mapping[str, None]:
        raise ValueError("unexpected")

    async def listen() -> None:
        watch: Watch[str, None] = Watch(look, 60)
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        with watch.of("x") as watched:
            assert await watched.unless_gone(asyncio.Event().wait()) is None
        assert not watch.is_on

    asyncio.run(listen())


def watched() -> Watched[str]:
    return Watched("here")


def test_what_comes_before_a_thing_is_gone_is_given() -> None:
    async def wait() -> None:
        thing = watched()
        assert await thing.unless_gone(asyncio.sleep(0, "news")) == "news"
        thing.tell(None)
        assert await thing.unless_gone(asyncio.sleep(0, "news")) is None

    asyncio.run(wait())


def test_whatever_is_awaited_ends_when_the_thing_is_gone() -> None:
    """All who wait for it, each in their own task, which goes on."""

    async def waits(thing: Watched[str], ended: list[str]) -> str:
        async def forever() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cancelled")

        assert await thing.unless_gone(forever()) is None
        await asyncio.sleep(0)
        return "goes on"

    async def wait() -> None:
        thing, ended = watched(), list[str]()
        waiting = [asyncio.create_task(waits(thing, ended)) for _ in range(3)]
        await asyncio.sleep(0)
        thing.tell(None)
        assert await asyncio.gather(*waiting) == ["goes on"] * 3
        assert ended == ["cancelled"] * 3

    asyncio.run(wait())


def test_what_goes_wrong_meanwhile_is_not_taken_for_the_thing_s_end() -> None:
    async def late() -> None:
        raise TimeoutError("its own")

    async def wait() -> None:
        thing = watched()
        with pytest.raises(TimeoutError, match="its own"):
            await thing.unless_gone(late())
        waiting = asyncio.create_task(thing.unless_gone(asyncio.Event().wait()))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        thing.tell(None)

    asyncio.run(wait())
