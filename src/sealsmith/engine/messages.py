"""What a client and an engine's process say to each other, as typed values, and their bytes.

MessagePack, one message a frame, every message tagged with its kind. Fields may be added with defaults; whatever
else changes raises PROTOCOL. Pictures travel as 8-bit RGB. Imports no torch: the server and its tests need none.
Not for: how messages travel (process.py, connection.py).
"""

import math
import secrets
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from .. import __version__
from ..errors import ConfigError, EngineError, SealsmithError

T = TypeVar("T")

PROTOCOL = 1
MAX_REQUEST_BYTES = 8 << 20
"""Of a message to the engine, which hears no more of who sends a larger one."""


class Message(msgspec.Struct, frozen=True, tag_field="kind", tag=str.lower):
    """Any message."""


class SealAt(msgspec.Struct, frozen=True):
    """One seal of a request."""

    digest: str
    """SHA-256 of its file, 64 hex digits: the one thing it is known by here."""
    strength: str = "1"
    """As `adapters.strength.parse_strength` reads it."""


class Draw(Message, frozen=True):
    """One picture is wanted. What is None, the engine's base decides."""

    id: str
    """The client's own, never used twice."""
    prompt: str
    tenant: str = ""
    """Who pays for it. That this tenant may use these seals has been decided before."""
    negative: str = ""
    seals: tuple[SealAt, ...] = ()
    seed: int = 0
    num_steps: int | None = None
    guidance: float | None = None
    sampler: str | None = None
    width: int | None = None
    height: int | None = None
    use_trigger: bool = True
    long_prompts: str = "chunks"
    mix: str = "auto"
    """How several seals act together: one of `generate.mixing.MIXES`, or "auto"."""
    preview_every: int = 0
    """Steps; 0: no previews."""
    step_pause_s: float = 0.0
    """For how long after a Step no further one is told but the last; 0: all are. All else is told at once."""
    begin_within_s: float | None = None
    """Seconds after which it fails if it was not begun; None: it waits."""


class Hello(Message, frozen=True):
    """A client's first word."""

    token: str
    """The one the engine was started with."""
    protocol: int = PROTOCOL
    version: str = __version__


class Cancel(Message, frozen=True):
    """The picture is no longer wanted."""

    id: str


class Drain(Message, frozen=True):
    """Take nothing more, finish what was begun, and end."""


class Ping(Message, frozen=True):
    """Are you there? Answered by Pong, between two steps."""


class Pong(Message, frozen=True):
    """The answer to Ping."""

    gauges: dict[str, float] = {}
    """What the engine counts, by its own names (core.py)."""


class Welcome(Message, frozen=True):
    """The engine's answer to Hello: it is ready."""

    incarnation: str
    """Another one for every start of the process."""
    pid: int
    about: dict[str, str] = {}
    """Its base and settings, for people."""
    protocol: int = PROTOCOL
    version: str = __version__


class Refused(Message, frozen=True):
    """The engine's answer to a Hello it cannot work with."""

    reason: str
    remedy: str = ""


class Drained(Message, frozen=True):
    """All is finished; the process ends."""


class Event(Message, frozen=True):
    """Something that happened to the picture `id`."""

    id: str


class Queued(Event, frozen=True):
    """It waits for its turn."""

    num_ahead: int | None = None
    """How many of all tenants waited when it came; the fair queue may let it overtake them. None: not known."""


class Loading(Event, frozen=True):
    """Its seals are being fetched."""


class Step(Event, frozen=True):
    """`step` of `num_steps` steps are done."""

    step: int
    num_steps: int
    path: str = ""
    """How the seals reach the denoiser: one of request.py's `Path`."""


class Rgb(msgspec.Struct, frozen=True):
    """A picture: `height` rows of `width` pixels of 3 bytes."""

    width: int
    height: int
    data: bytes


class Preview(Event, frozen=True):
    """What the picture looks like after `step` steps, roughly and small."""

    step: int
    picture: Rgb


class Done(Event, frozen=True):
    """The picture is finished. Nothing more is said of it."""

    picture: Rgb
    recipe: str = ""
    """JSON, as it stands in picture files."""
    warnings: tuple[str, ...] = ()


class Failed(Event, frozen=True):
    """There will be no picture. Nothing more is said of it."""

    code: str
    """Of an error of our tree."""
    message: str
    remedy: str = ""
    is_retryable: bool = False
    """Whether the same request may succeed later, with nothing changed."""
    retry_after_s: float | None = None
    """How long to wait before that: always said with `busy` and `deadline`. None: not known."""

    @property
    def error(self) -> SealsmithError:
        """The error as the tree has it."""
        kind = _KINDS.get(self.code, EngineError)
        error = kind(self.message, self.remedy)
        error.is_retryable, error.retry_after_s = self.is_retryable, self.retry_after_s
        return error


class Start(msgspec.Struct, frozen=True):
    """What a process is told on its standard input, in one line of JSON: what to run, and where to listen."""

    core: str
    """`module:function`, which returns an EngineCore (process.py)."""
    config: dict[str, Any]
    endpoint: str
    """ZeroMQ's, to be bound; a port may be `*`."""
    token: str


class Report(msgspec.Struct, frozen=True):
    """What a process answers on its standard output, in one line of JSON, once."""

    endpoint: str = ""
    """Where it listens."""
    failed: Failed | None = None
    """Why it does not."""


ToEngine = Hello | Draw | Cancel | Drain | Ping
FromEngine = Welcome | Refused | Drained | Pong | Queued | Loading | Step | Preview | Done | Failed

_ENCODER = msgspec.msgpack.Encoder()
_TO_ENGINE = msgspec.msgpack.Decoder[ToEngine](ToEngine)
_FROM_ENGINE = msgspec.msgpack.Decoder[FromEngine](FromEngine)


def dump_message(message: Message) -> bytes:
    return _ENCODER.encode(message)


def check_draw(request: Draw) -> None:
    """Refuses what an engine could not read, and would drop. Raises: ConfigError naming it."""
    try:
        data = dump_message(request)
        _TO_ENGINE.decode(data)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"the request cannot be sent: {error}", "give every field a value of its type"
        ) from error
    if len(data) > MAX_REQUEST_BYTES:
        raise ConfigError(
            f"the request is {len(data)} bytes large, expected at most {MAX_REQUEST_BYTES}",
            "shorten its prompt",
        )
    patience = request.begin_within_s
    if patience is not None and not math.isfinite(patience):
        raise ConfigError(f"the request is to begin within {patience} s", "give a number, or None to wait")
    if not 0 <= request.step_pause_s < math.inf:
        raise ConfigError(f"the request is to hear of steps every {request.step_pause_s} s", "give 0 or more")


def parse_to_engine(data: bytes) -> ToEngine:
    """Raises: EngineError."""
    return _parsed(_TO_ENGINE, data)


def parse_from_engine(data: bytes) -> FromEngine:
    """Raises: EngineError."""
    return _parsed(_FROM_ENGINE, data)


def failure(request_id: str, error: SealsmithError) -> Failed:
    """The event that says this error."""
    return Failed(request_id, error.code, str(error), error.remedy, error.is_retryable, error.retry_after_s)


def is_last(event: Event) -> bool:
    """Whether nothing more is said of its picture."""
    return isinstance(event, Done | Failed)


def new_token() -> str:
    """A word nobody can guess, 256 bits."""
    return secrets.token_hex(32)


def check_protocol(protocol: int, version: str, who: str) -> None:
    """Raises: EngineError when `who` speaks another protocol than we do."""
    if protocol != PROTOCOL:
        raise EngineError(
            f"the {who} speaks protocol {protocol} (sealsmith {version}), "
            f"expected {PROTOCOL} (sealsmith {__version__})",
            "install the same version on both sides, and start both anew",
        )


def _parsed(decoder: "msgspec.msgpack.Decoder[T]", data: bytes) -> T:
    try:
        return decoder.decode(data)
    except msgspec.DecodeError as error:
        raise EngineError(
            f"a message of {len(data)} bytes means nothing here: {error}",
            "install the same version on both sides, and start both anew",
        ) from error


def _tree(kind: type[SealsmithError]) -> Iterator[type[SealsmithError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


_KINDS = {kind.code: kind for kind in _tree(SealsmithError)}
