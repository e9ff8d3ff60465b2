"""The engine on a device that is not the CPU, beside `generate` on the CPU.

    python -m tests.devices.drawing BASE

Prints the largest difference of any pixel.
"""

import hashlib
import sys
from concurrent.futures import Future

from sealsmith.adapters import Seal, dump_seal
from sealsmith.bases import Base, open_base
from sealsmith.bench.made_seals import made_seal
from sealsmith.engine.fitted import FittedSeal
from sealsmith.engine.loop import Engine
from sealsmith.engine.preparing import preparing
from sealsmith.engine.request import Done, Order
from sealsmith.engine.settings import EngineSettings
from sealsmith.generate import Picture, Request, generate

from .shadow import NAME, begin

RANKS = (4, 8, 16)
GROUPS = ("attention", "convolutions")


class Shelf:
    """Seals that are here."""

    is_short = False

    def __init__(self, base: Base, files: dict[str, bytes]):
        prepare = preparing(base)
        self._seals = {key: prepare(key, bytearray(data))[0] for key, data in files.items()}

    def acquire(self, key: str) -> "Future[FittedSeal]":
        future: Future[FittedSeal] = Future()
        future.set_result(self._seals[key])
        return future

    def release(self, key: str) -> None: ...


def drawn(
    base: Base, files: dict[str, bytes], orders: list[Order], deterministic: bool
) -> dict[str, Picture]:
    """By the engine, all that come at once."""
    engine = Engine(base, Shelf(base, files), EngineSettings(deterministic=deterministic))
    for order in orders:
        engine.submit(order)
    while not engine.is_idle:
        engine.step()
    return {event.order_id: event.picture for event in engine.events() if isinstance(event, Done)}


def main(word: str) -> float:
    here, there = open_base(word), open_base(word, NAME)
    seals: list[Seal] = [made_seal(here, rank, here.family.targets(GROUPS), rank) for rank in RANKS]
    files = {hashlib.sha256(dump_seal(seal)).hexdigest(): bytes(dump_seal(seal)) for seal in seals}
    requests = [Request("a red wax seal on wood", seed=rank, num_steps=2) for rank in RANKS]
    orders = [
        Order(key, request, ((key, 0.7),), preview_every=1)
        for key, request in zip(files, requests, strict=True)
    ]
    differences = []
    for deterministic in (False, True):
        found = drawn(there, files, orders, deterministic)
        for key, seal, request in zip(files, seals, requests, strict=True):
            (wanted,) = generate(here, request, [(seal, 0.7)])
            differences.append(float((found[key].pixels - wanted.pixels).abs().max()))
    return max(differences)


if __name__ == "__main__":
    begin()
    print(main(sys.argv[1]))
