"""Whether the pictures our engine drew are the ones they should be: the plain path's, whoever shared the passes."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from ..adapters import read_seal
from ..bases import Base
from ..generate import Picture, generate
from .engine_arms import Bench
from .engine_figures import Exactness
from .engine_server import EngineServer
from .levels import levels_apart
from .serving import Session
from .workload import Wish, burst


def measure_exactness(base: Base, bench: Bench, asked: Sequence[Wish]) -> Exactness:
    """Of these requests, which our engine drew last, among others. No engine may be on the base meanwhile."""
    differences, levels = [], []
    for wish in asked:
        seal = read_seal(bench.shelf.path(wish.seal))
        (alone,) = generate(base, bench.terms.request(wish), [(seal, 1.0)])
        found = bench.engines.drawn[wish.id]
        differences.append(float((alone.pixels - found.pixels).abs().max()))
        levels.append(levels_apart(alone, found))
    together = _drawn_exactly(base, bench, asked)
    is_equal = all(
        torch.equal(_drawn_exactly(base, bench, [wish])[wish.id].pixels, together[wish.id].pixels)
        for wish in asked
    )
    return Exactness(len(asked), max(differences), max(levels), is_equal)


def _drawn_exactly(base: Base, bench: Bench, asked: Sequence[Wish]) -> dict[str, Picture]:
    """By an engine in its deterministic mode."""
    settings = replace(bench.terms.settings, deterministic=True)
    server = EngineServer(base, bench.source, settings, bench.terms.request, bench.shelf.keys_of)
    try:
        Session(server, asked, burst(len(asked))).advance(len(asked))
    finally:
        server.close()
    return server.drawn
