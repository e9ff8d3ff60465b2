"""Running two sides in turn, so that a slow minute of the machine hits both."""

import time
from collections.abc import Callable, Mapping
from functools import partial


def taking_turns(runs: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, tuple[float, ...]]:
    """What each run returns, by name. After a first one uncounted they take turns."""
    for run in runs.values():
        run()
    figures: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            figures[name].append(run())
    return {name: tuple(values) for name, values in figures.items()}


def alternate(runs: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, tuple[float, ...]]:
    """Seconds of each run, by name, taking turns."""
    return taking_turns({name: partial(timed, run) for name, run in runs.items()}, repeats)


def timed(run: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
