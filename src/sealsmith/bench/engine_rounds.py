"""Rounds in which the engine suite's arms take turns: throughput of a burst, and waiting when requests come singly.

Not for: what the arms are (engine_arms.py), or how often (engine_bench.py).
"""

from collections.abc import Callable, Sequence

from .engine_arms import Arm, Bench
from .engine_figures import ArmFigures, Latencies
from .serving import Session
from .stock_servers import ONE_BY_ONE


def rounds(
    bench: Bench, repeats: int, share: int = 0, on_round: Callable[[int], None] | None = None
) -> dict[str, ArmFigures]:
    """Pictures a second of each arm in each round, after a turn each that is not counted.

    `share`: requests of a turn of the arms that draw one after another, which go on with their burst where they
    left it, by a clock that stands meanwhile; 0: the whole burst. `on_round` hears how many rounds are over.
    """
    turns = [_Turns(arm, bench, share if arm.name in ONE_BY_ONE else 0) for arm in bench.arms.values()]
    for turn in turns:
        turn.warm_up()
    for number in range(repeats):
        if on_round is not None:
            on_round(number)
        for turn in turns:
            turn.take()
    for turn in turns:
        turn.finish()
    return {turn.name: turn.figures for turn in turns}


def arriving(bench: Bench, arrivals: Sequence[float]) -> dict[str, Latencies]:
    """How long requests wait that come at these times, arm by arm."""
    found = {}
    for name, arm in bench.arms.items():
        session = arm.session(bench.asked, arrivals)
        session.advance(len(bench.asked))
        found[name] = Latencies(tuple(session.latencies.values()))
    return found


class _Turns:
    """One arm's turns."""

    def __init__(self, arm: Arm, bench: Bench, share: int):
        self._arm, self._asked = arm, bench.asked
        self._share = share or len(bench.asked)
        self._warm_up = bench.asked[: 1 if arm.name in ONE_BY_ONE else bench.terms.at_once]
        self._session: Session | None = None
        self._paces: list[float] = []
        self._latencies: list[float] = []

    @property
    def name(self) -> str:
        return self._arm.name

    @property
    def figures(self) -> ArmFigures:
        return ArmFigures(tuple(self._paces), Latencies(tuple(self._latencies)))

    def warm_up(self) -> None:
        """What need not be measured: first passes are slower, and fill what is kept."""
        self._arm.session(self._warm_up).advance(len(self._warm_up))

    def finish(self) -> None:
        """Draws the rest of the burst if no burst was finished: there must be latencies."""
        if self._session is not None and not self._latencies:
            self._session.advance(len(self._asked))
            self._latencies += self._session.latencies.values()

    def take(self) -> None:
        """One turn that counts."""
        if self._session is None:
            self._session = self._arm.session(self._asked)
        stretch = self._session.advance(self._share)
        self._paces.append(stretch.images_per_s)
        if self._session.is_over:
            self._latencies += self._session.latencies.values()
            self._session = None
