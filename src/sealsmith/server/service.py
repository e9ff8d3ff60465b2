"""What every route works with, in one value, and how a route gets hold of it and of who asks."""

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Annotated, Final, Literal

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from pydantic import SecretStr

from ..engine.client import EngineClient
from ..engine.messages import Welcome
from ..errors import AuthError, BusyError, EngineError, SealsmithError
from .answers import request_id_of
from .inspector import Inspector
from .library import Caller, Library, Scope
from .metrics import Metrics
from .on_base import OnBase
from .order import Order
from .orders import OrderBook
from .people import People
from .rates import RateLimits, Rates
from .studies import Studies
from .tracing import NO_TRACING, Tracing
from .trainings import Trainings
from .watching import Watch
from .whole_files import WholeFiles
from .wishes import Wish
from .workers import Worker

ASK_AGAIN_S: Final = 2.0
"""Between two questions whether the keys of streams are still good."""
SCHEMES: Final = {
    "HTTPBearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer KEY`."},
    "HTTPBasic": {
        "type": "http",
        "scheme": "basic",
        "description": "The key as the password, for clients that know no other way.",
    },
}
"""How a key may be sent, as OpenAPI says it; `_key` reads both."""


@dataclass(frozen=True)
class Service:
    """A running service."""

    engine: EngineClient
    library: Library
    inspector: Inspector
    orders: OrderBook
    metrics: Metrics
    on_base: OnBase
    trainings: Trainings | None = None
    """None: it trains nothing."""
    people: People | None = None
    """None: there is one person only."""
    studies: Studies | None = None
    """None: it studies nothing."""
    rates: Rates = field(default_factory=lambda: Rates(RateLimits()))
    whole_files: WholeFiles = field(default_factory=WholeFiles)
    tracing: Tracing = NO_TRACING
    crew: Sequence[Worker] = ()
    """The workers beside this server."""

    @property
    def welcome(self) -> Welcome:
        """What the engine says of itself. Raises: EngineError while there is none."""
        if self.engine.welcome is None:
            raise EngineError("the engine is not there yet", "try again in a moment")
        return self.engine.welcome

    @cached_property
    def callers(self) -> Watch[Caller, Caller]:
        """Looks after those who listen to streams: who may not ask any more is gone."""
        return Watch(partial(_still, self.library), ASK_AGAIN_S)

    async def place(self, wish: Wish, request_id: str) -> Order:
        """An order that is being drawn, its pictures counted; those that are not drawn are given back.

        Raises: QuotaError, BusyError.
        """
        give_back = partial(self.library.give_back_pictures, wish.tenant)
        await self.library.take_pictures(wish.tenant, wish.num_pictures)
        try:
            return self.orders.place(wish, request_id, give_back)
        except BusyError:
            await give_back(wish.num_pictures)
            raise


async def _still(library: Library, callers: Collection[Caller]) -> Mapping[Caller, Caller]:
    """None where that cannot be said, either: a library that doesn't answer is no reason to go on."""
    try:
        return {caller: caller for caller in await library.still(callers)}
    except SealsmithError:
        return {}


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


@dataclass(frozen=True)
class CallerOf:
    """A dependency of a `KeyedRoute`: who asks, if their key is for this; None: for anything."""

    scope: Scope | None

    async def admit(self, request: Request) -> None:
        """Finds out who asks, once a request and before its body is read.

        Raises: AuthError, RateError, ForbiddenError.
        """
        service = service_of(request)
        try:
            caller = await service.library.caller(_key(request))
        except AuthError:
            service.rates.take_stranger("" if request.client is None else request.client.host)
            raise
        request.scope["key"] = caller.key  # for the log
        service.rates.take(caller)
        if self.scope is not None:
            caller.check_scope(self.scope)
        request.scope["caller"] = caller

    async def __call__(self, request: Request) -> Caller:
        caller: Caller = request.scope["caller"]
        return caller


def gate_of(dependant: Dependant) -> CallerOf | None:
    """What lets callers into a route; None: it asks for no key."""
    if isinstance(dependant.call, CallerOf):
        return dependant.call
    return next((gate for each in dependant.dependencies if (gate := gate_of(each))), None)


def scope_of(dependant: Dependant) -> Scope | Literal["any"] | None:
    """What a route's key must be for; None: it asks for no key."""
    gate = gate_of(dependant)
    return None if gate is None else gate.scope or "any"


def _key(request: Request) -> SecretStr | None:
    """The key in a request's header. Raises: AuthError for a header that cannot be read."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    kind, _, value = header.strip().partition(" ")
    if kind.lower() == "bearer" and value.strip():
        return SecretStr(value.strip())
    if kind.lower() == "basic":
        try:
            return SecretStr(base64.b64decode(value.strip(), validate=True).decode().partition(":")[2])
        except (binascii.Error, UnicodeDecodeError) as error:
            raise AuthError(
                "the authorization header is no valid Basic one", "send `Authorization: Bearer KEY`"
            ) from error
    raise AuthError(f"the authorization header begins with {kind[:20]!r}", "send `Authorization: Bearer KEY`")


async def _service(request: Request) -> Service:
    """For routes; FastAPI asks what is not async in another thread, on every request."""
    return service_of(request)


async def _request_id(request: Request) -> str:
    return request_id_of(request)


ServiceOf = Annotated[Service, Depends(_service)]
RequestId = Annotated[str, Depends(_request_id)]
Anybody = Annotated[Caller, Depends(CallerOf(None))]
"""Who has a key at all."""
Drawer = Annotated[Caller, Depends(CallerOf("generate"))]
"""Who may draw, and see their own seals."""
Keeper = Annotated[Caller, Depends(CallerOf("train"))]
"""Who may bring, change, share and remove seals."""
Admin = Annotated[Caller, Depends(CallerOf("admin"))]
"""Who may see to other people's affairs."""
