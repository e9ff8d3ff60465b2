"""A core with a real base in this process, and seals in a store, for tests of what it says."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import safetensors.torch
from seal_examples import state

from sealsmith.adapters import Seal, parse_seal
from sealsmith.adapters.strength import parse_strength
from sealsmith.bases import Base
from sealsmith.engine.core import DrawingCore, open_core
from sealsmith.engine.messages import Draw, Event, Rgb, SealAt, is_last
from sealsmith.engine.store import SealStore, open_store
from sealsmith.generate import Request, generate


def stored(folder: Path, *files: bytes) -> list[SealAt]:
    store = SealStore(open_store(folder.as_uri()))
    return [SealAt(asyncio.run(store.put(data)), "0.8") for data in files]


def with_nan(data: bytes) -> bytes:
    tensors = {key: tensor.clone() for key, tensor in state(parse_seal(data)).items()}
    next(iter(tensors.values())).view(-1)[0] = float("nan")
    return safetensors.torch.save(tensors)


def largest_difference(base: Base, draw: Draw, seals: Sequence[Seal], rgb: Rgb) -> int:
    """In levels, from the picture that the plain path draws of the request with its seals."""
    request = Request(draw.prompt, draw.negative, draw.seed, num_steps=draw.num_steps, guidance=draw.guidance)
    weighted = [(seal, parse_strength(at.strength)) for seal, at in zip(seals, draw.seals, strict=True)]
    (picture,) = generate(base, request, weighted)
    drawn = np.frombuffer(rgb.data, np.uint8).reshape(rgb.height, rgb.width, 3)
    return int(np.abs(drawn.astype(int) - np.asarray(picture.image).astype(int)).max())


class PlayedCore:
    """A core that is asked as its process would, until every request has ended."""

    def __init__(self, config: dict[str, object]):
        self._woken = threading.Event()
        core = open_core(config, self._woken.set)
        assert isinstance(core, DrawingCore)
        self.core = core

    def play(self, draws: Sequence[Draw]) -> dict[str, list[Event]]:
        """Every request's events by its id."""
        for draw in draws:
            self.core.submit(draw)
        events: dict[str, list[Event]] = {draw.id: [] for draw in draws}
        while not all(each and is_last(each[-1]) for each in events.values()):
            self._woken.clear()
            has_more = self.core.step()
            for event in self.core.events():
                assert not any(is_last(each) for each in events[event.id]), "said after its end"
                events[event.id].append(event)
            if not has_more:
                self._woken.wait(0.1)
        return events


@contextmanager
def played_core(base: Path, store: str, **config: object) -> Iterator[PlayedCore]:
    """One that is closed, with nothing held, at the end."""
    played = PlayedCore({"base": str(base), "store": store, **config})
    try:
        yield played
        played.core._engine.check_integrity()
        played.core._exchange.check_integrity()
        assert played.core._exchange._ledger.pinned_bytes == 0
        assert not played.core._exchange._unreleased
    finally:
        played.core.close()
