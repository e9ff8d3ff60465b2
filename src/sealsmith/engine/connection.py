"""The connection to one running engine: greeted, spoken to, and listened to until it has ended.

Not for: its process (supervisor.py), or whom its messages are for and what follows its end (client.py).
"""

import asyncio
import logging
from collections.abc import Callable, Iterator

import zmq
import zmq.asyncio

from ..errors import EngineError
from .messages import (
    Drained,
    Hello,
    Message,
    Ping,
    Refused,
    Welcome,
    check_protocol,
    dump_message,
    parse_from_engine,
)
from .process import HIGH_WATER
from .supervisor import EngineProcess

MAX_AT_ONCE = 64
"""Messages heard before others have their turn."""
LAST_WORDS_S = 0.1
"""How long after its death an engine's messages may still be on their way."""

log = logging.getLogger(__name__)


class Connection:
    """A socket to an engine that has welcomed us."""

    def __init__(
        self, process: EngineProcess, socket: zmq.asyncio.Socket, max_silence_s: float, welcome: Welcome
    ):
        self._process, self._socket, self._max_silence_s = process, socket, max_silence_s
        self.welcome = welcome
        """What the engine said of itself."""

    @classmethod
    async def open(
        cls, context: zmq.asyncio.Context, process: EngineProcess, max_silence_s: float
    ) -> "Connection":
        """`max_silence_s`: an engine that says nothing for so long hangs.

        Raises: EngineError when it does not welcome us, speaks another protocol, or there is no socket for it.
        """
        try:
            socket = context.socket(zmq.DEALER)
        except zmq.ZMQError as error:  # no open file more
            raise EngineError(
                f"there is no socket for the engine: {error}", "see that there are enough open files"
            ) from error
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.connect(process.endpoint)
        try:
            socket.send(dump_message(Hello(process.token)))
            welcome = await _greeting(socket, process, max_silence_s)
            check_protocol(welcome.protocol, welcome.version, "engine")
        except BaseException:
            socket.close()
            raise
        return cls(process, socket, max_silence_s, welcome)

    def tell(self, message: Message) -> None:
        """Sends, without waiting. What an engine that has died was told is lost."""
        self._socket.send(dump_message(message), zmq.DONTWAIT)

    async def listen(self, hear: Callable[[Message], None]) -> bool:
        """Hands on what the engine says until it has ended; whether it ended because it was told to."""
        process = self._process
        clock = asyncio.get_running_loop().time
        dying = asyncio.create_task(process.wait())
        receiving = asyncio.ensure_future(self._socket.recv())
        heard_at = clock()
        try:
            while True:
                is_dead = dying.done()
                waits_for = [receiving] if is_dead else [receiving, dying]
                patience_s = LAST_WORDS_S if is_dead else self._max_silence_s / 4
                await asyncio.wait(waits_for, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
                if receiving.done():
                    heard_at = clock()
                    for data in (receiving.result(), *self._waiting()):
                        try:
                            message = _understood(data)
                        except EngineError as error:
                            log.error("the engine is killed, for nobody knows what it is drawing: %s", error)
                            await process.kill()
                        else:
                            hear(message)
                            if isinstance(message, Drained):
                                return True
                    receiving = asyncio.ensure_future(self._socket.recv())
                elif is_dead:
                    return False
                elif clock() - heard_at > self._max_silence_s:
                    log.error("the engine said nothing for %g s and is killed", self._max_silence_s)
                    await process.kill()
                elif not dying.done():
                    self.tell(Ping())
        finally:
            receiving.cancel()
            dying.cancel()

    def _waiting(self) -> Iterator[bytes]:
        """What has come already: a pass says something of each of its pictures, which is heard in one turn."""
        for _ in range(MAX_AT_ONCE):
            try:
                yield asyncio.ensure_future(self._socket.recv(zmq.DONTWAIT)).result()
            except zmq.Again:
                return

    def close(self) -> None:
        self._socket.close()


async def _greeting(socket: zmq.asyncio.Socket, process: EngineProcess, max_silence_s: float) -> Welcome:
    """The engine's answer to Hello."""
    receiving = asyncio.ensure_future(socket.recv())
    dying = asyncio.create_task(process.wait())
    try:
        await asyncio.wait([receiving, dying], timeout=max_silence_s, return_when=asyncio.FIRST_COMPLETED)
        if not receiving.done():
            what = f"ended with status {dying.result()}" if dying.done() else "said nothing"
            raise EngineError(f"the engine {what} when it was greeted", "see its log")
        reply = parse_from_engine(receiving.result())
    finally:
        receiving.cancel()
        dying.cancel()
    if isinstance(reply, Welcome):
        return reply
    reason, remedy = (reply.reason, reply.remedy) if isinstance(reply, Refused) else (str(reply), "")
    raise EngineError(f"the engine refuses us: {reason}", remedy)


def _understood(data: bytes) -> Message:
    """One message of the engine.

    Raises: EngineError when it, or one of ours that it answers, was not understood: a request may be lost.
    """
    message = parse_from_engine(data)
    if isinstance(message, Refused):
        raise EngineError(f"it refuses a message: {message.reason}", message.remedy)
    return message
