"""The service under load: what HTTP costs, how soon it answers, how many may listen, whether its memory grows.

A whole service and the customers beside it, on one machine. Four parts, one after the other: pace, in turn with
the same engine asked without HTTP (same_engine.py); a soak, in which memory and `/healthz` are watched; streams, a
thousand of them held open while pictures are drawn; isolation (isolation.py), on a tiny base. Each ends by itself.
"""

import asyncio
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice, takewhile
from pathlib import Path

from ..bases import open_base
from ..errors import DrawingError
from ..server.limits import MAX_WAITING_PICTURES
from ..server.listening import allow_many_connections
from ..server.log import set_up_log
from .http_load import Orders, Wanted, Way, answered, keep_ordering, ordered, round_over_http
from .http_report import Pace, ServeReport, Soak
from .http_server import BothWays, Serving, serving, serving_both_ways, set_stage
from .http_streams import MARGIN, Audience, Listener, Streams
from .isolation import Isolation, Storm, isolation
from .machine import commit, machine
from .plans import check_counts
from .same_engine import Round
from .tiny_bases import write_sealworld

SAMPLE_S = 1.0
"""Between two looks at memory."""
LONG = {"steps": 50}
TINY_LONG = {"steps": 150, "width": 256, "height": 256}
"""Of pictures that a thousand people wait for; a tiny base would have drawn the first before the last is wanted."""


@dataclass(frozen=True)
class ServePlan:
    """What is done, and for how long. Raises: ConfigError for counts below one."""

    base: str | None = "sealworld"
    """A word that `open_base` knows; None: a tiny random one of sealworld's kind."""
    num_tenants: int = 8
    seals_each: int = 4
    num_steps: int | None = None
    """Of a picture, on average; None: as the base has it."""
    num_customers: int = 32
    """At once: who has a picture orders the next."""
    pictures_a_round: int = 96
    """Of the pace: so many that the moment in which all customers come at once, and only over HTTP each takes its
    turn, is a small part; so few that a machine does not change its speed within a turn of all sides."""
    repeats: int = 9
    """Turns of all sides after one that is not counted. Each side begins in its turn, and every other turn goes
    backwards, for machines that tire."""
    minutes: float = 10.0
    """Of the soak."""
    num_streams: int = 1000
    hold_s: float = 30.0
    """For which all streams are held."""
    storm: Storm = field(default_factory=Storm)

    def __post_init__(self) -> None:
        check_counts(
            self, "num_tenants", "seals_each", "num_steps", "num_customers", "pictures_a_round", "repeats",
            "num_streams",
        )  # fmt: skip

    @classmethod
    def quick(cls) -> "ServePlan":
        """Four minutes on two free cores."""
        return cls(
            num_customers=16,
            pictures_a_round=48,
            repeats=3,
            minutes=0.5,
            hold_s=10.0,
            storm=Storm(num_requests=100),
        )

    @property
    def num_listeners(self) -> int:
        return round(MARGIN * self.num_streams)

    @property
    def num_further(self) -> int:
        """Tenants beside the others, so that nobody has more pictures underway than one may."""
        return -(-self.num_listeners // MAX_WAITING_PICTURES)

    def with_requests(self, num_requests: int) -> "ServePlan":
        return replace(self, storm=replace(self.storm, num_requests=num_requests))


def measure_serving(plan: ServePlan, command: str, say: Callable[[str], None]) -> ServeReport:
    """Everything that is planned; `say` hears what is done.

    Raises: BaseError; EngineError when the server does not start; DrawingError for a picture that was not drawn.
    """
    began = time.monotonic()
    allow_many_connections()
    set_up_log(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="sealsmith-serve-") as name:
        folder = Path(name)
        tiny = write_sealworld(folder / "tiny")
        word = plan.base or str(tiny)
        base = open_base(word)
        say("the stage: tenants, keys, seals")
        stage = set_stage(folder / "stage", base, plan.num_tenants, plan.seals_each, plan.num_further)
        orders = Orders(stage, plan.num_steps or base.family.num_steps)
        pace, soak, streams, health = asyncio.run(_served(plan, orders, word, say))
        say(f"isolation: {plan.storm.num_requests} requests on a tiny base")
        apart = asyncio.run(isolation(folder / "isolation", str(tiny), plan.storm, say))
        return _report(plan, command, base.name, (pace, soak, streams, health, apart), began)


def _report(
    plan: ServePlan,
    command: str,
    base: str,
    found: tuple[Pace, Soak, Streams, list[float], Isolation],
    began: float,
) -> ServeReport:
    pace, soak, streams, health, apart = found
    return ServeReport(
        base=base if plan.base else "a tiny random base",
        has_goals=plan.base is not None,
        num_requests=plan.storm.num_requests,
        pace=pace,
        soak=soak,
        streams=streams,
        stream_health_ms=health,
        isolation=apart,
        seconds=time.monotonic() - began,
        machine=machine(),
        commit=commit(),
        command=command,
    )


async def _served(
    plan: ServePlan, orders: Orders, base: str, say: Callable[[str], None]
) -> tuple[Pace, Soak, Streams, list[float]]:
    say(
        f"pace: {plan.num_customers} customers, {plan.repeats} rounds of {plan.pictures_a_round} pictures "
        "by the engine alone, and in two ways over HTTP"
    )
    with serving_both_ways(orders.stage, base) as both:
        pace = await _pace(plan, orders, both)
    with serving(orders.stage, base) as server:
        say(f"soak: {plan.num_customers} customers for {plan.minutes:g} minutes")
        soak = await _soak(plan, orders, server)
        say(f"streams: {plan.num_streams} people wait for pictures")
        return pace, soak, *await _listened(plan, orders, server)


async def _pace(plan: ServePlan, orders: Orders, server: BothWays) -> Pace:
    """The ways to one engine in turn, the same pictures."""
    found = Pace(plan.num_customers, plan.pictures_a_round, orders.num_steps)

    async def over_http(way: Way, asked: Sequence[Wanted]) -> float:
        return await round_over_http(server.url, asked, plan.num_customers, way)

    async def alone(asked: Sequence[Wanted]) -> float:
        name = f"round {len(found.alone_s)}"
        draws = tuple(wanted.draw(f"{name}-{index}") for index, wanted in enumerate(asked))
        return await asyncio.to_thread(server.alone_s, Round(plan.num_customers, draws))

    sides: list[tuple[list[float], Callable[[Sequence[Wanted]], Awaitable[float]]]] = [
        (found.alone_s, alone),
        (found.answered_s, partial(over_http, answered)),
        (found.followed_s, partial(over_http, ordered)),
    ]
    for number in range(plan.repeats + 1):
        asked = [*islice(orders.starting(number * plan.pictures_a_round), plan.pictures_a_round)]
        for times_s, draw in sides[:: -1 if number % 2 else 1]:
            times_s.append(await draw(asked))
        sides = [*sides[1:], sides[0]]
    for times_s, _ in sides:
        del times_s[0]
    return found


async def _soak(plan: ServePlan, orders: Orders, server: Serving) -> Soak:
    """Customers who order again and again, while memory and health are watched."""
    found = Soak(plan.num_customers)

    async def watch() -> None:
        while True:
            api, others = await asyncio.to_thread(server.memory_mib)
            found.api_mib.append(api)
            found.engine_mib.append(others)
            await asyncio.sleep(SAMPLE_S)

    async with _probed(server.url, found.health_ms):
        watching, until = asyncio.create_task(watch()), time.monotonic() + 60 * plan.minutes
        try:
            coming = takewhile(lambda _: time.monotonic() < until, orders.starting())
            found.num_drawn = await keep_ordering(server.url, coming, plan.num_customers)
        finally:
            watching.cancel()
    return found


async def _listened(plan: ServePlan, orders: Orders, server: Serving) -> tuple[Streams, list[float]]:
    """So many people, each with an order of their own."""
    wanted = islice(orders.further.starting(), plan.num_listeners)
    long = LONG if plan.base else TINY_LONG
    listeners = [Listener(each.tenant, each.body | long) for each in wanted]
    audience, health = Audience(server.url, plan.num_streams), list[float]()
    return await audience.hold(listeners, plan.hold_s, _probed(server.url, health)), health


@asynccontextmanager
async def _probed(url: str, times_ms: list[float]) -> AsyncIterator[None]:
    """`/healthz` is asked by a process of its own within the context; the times come at its end."""
    command = [sys.executable, "-P", str(Path(__file__).with_name("health_probe.py")), url]
    probe = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert probe.stdout is not None
        await asyncio.to_thread(
            probe.stdout.readline
        )  # it takes a moment to start, in which nothing is measured
        yield
    finally:
        said, _ = await asyncio.to_thread(probe.communicate)
    if probe.returncode:
        raise DrawingError("`/healthz` did not answer", "see the server's log")
    times_ms.extend(json.loads(said))
