"""A core that really runs in the engine's process and draws noise: small, torch-free, and rude on demand.

The picture is a function of the seed. A prompt may say how its request behaves: "dies at 3" kills the process in
that step, "breaks at 3" raises, "hangs at 3" never returns, "refused" is not taken, "puzzles" raises when it
should be, "prints" writes to standard output, "patient" is refused with the time that is left to it.

Its configuration may say how the process behaves: "broken" cannot be made, "ends" ends, "sleeps" is never ready,
"prints" writes to standard output before it is, "fails_once" names a file that it makes and then fails.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sealsmith.engine.messages import Done, Draw, Event, Preview, Queued, Rgb, Step, failure
from sealsmith.errors import BaseError, BusyError, Cancelled

SIDE_PX = 8


def picture_of(request: Draw) -> Rgb:
    width, height = request.width or SIDE_PX, request.height or SIDE_PX
    return Rgb(width, height, random.Random(request.seed).randbytes(width * height * 3))


class NoiseCore:
    def __init__(self, config: Mapping[str, Any], wake: Callable[[], None]):
        if config.get("broken"):
            raise BaseError("there is no such base", "name another")
        if config.get("ends"):
            os._exit(3)
        if config.get("sleeps"):
            time.sleep(3600)
        if config.get("prints"):
            print("something a library says" * 10_000)
        if (once := Path(config.get("fails_once", "/"))) and not once.exists():
            once.touch()
            raise BaseError("the base is being written", "wait")
        self.about = {"base": "noise"}
        self.gauges = {"queued": 2.0}
        self._step_s = float(config.get("step_s", 0.0))
        self._active: dict[str, tuple[Draw, int]] = {}
        self._events: list[Event] = []

    def submit(self, request: Draw) -> None:
        if request.prompt == "refused":
            raise BusyError("no more today", "come tomorrow", retry_after_s=60.0)
        if request.prompt == "patient":
            raise BusyError(f"{request.begin_within_s}")
        if request.prompt == "puzzles":
            raise OverflowError("a fault over the request's values")
        if request.prompt == "prints":
            print("something a library says")
        self._active[request.id] = (request, 0)
        self._events.append(Queued(request.id, len(self._active) - 1))

    def cancel(self, request_id: str) -> None:
        if self._active.pop(request_id, None):
            self._events.append(failure(request_id, Cancelled("cancelled")))

    def step(self) -> bool:
        if self._active:
            time.sleep(self._step_s)
        for key, (request, step) in list(self._active.items()):
            words = request.prompt.split()
            if words[1:] == ["at", str(step)]:
                self._misbehave(words[0])
            num_steps = request.num_steps or 4
            self._active[key] = (request, step + 1)
            self._events.append(Step(key, step + 1, num_steps))
            if request.preview_every and (step + 1) % request.preview_every == 0:
                self._events.append(Preview(key, step + 1, picture_of(request)))
            if step + 1 == num_steps:
                del self._active[key]
                self._events.append(Done(key, picture_of(request)))
        return bool(self._active)

    def events(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        pass

    def _misbehave(self, how: str) -> None:
        if how == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "breaks":
            raise ZeroDivisionError("a fault in the core")
        if how == "hangs":
            time.sleep(3600)


def open_core(config: Mapping[str, Any], wake: Callable[[], None]) -> NoiseCore:
    return NoiseCore(config, wake)
