"""All arms draw the pictures that they are asked for: none is fast because it does something else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sealsmith.adapters import Seal, read_seal
from sealsmith.bases import Base, open_base
from sealsmith.bench.engine_arms import ARMS, Bench, Terms, benched
from sealsmith.bench.engine_figures import CEILING, DETERMINISTIC
from sealsmith.bench.exactness import measure_exactness
from sealsmith.bench.made_seals import made_seal
from sealsmith.bench.stock_servers import ONE_BY_ONE
from sealsmith.bench.workload import DISTINCT, TRIGGER, UNIFORM, Wish, Workload, wishes
from sealsmith.engine.settings import EngineSettings
from sealsmith.generate import generate

TERMS = Terms(2, 3.0, EngineSettings(max_rows=6, max_underway_rows=6))


@pytest.fixture
def open_tiny(tiny_base_folder: Path) -> Callable[[], Base]:
    return lambda: open_base(str(tiny_base_folder))


def plain(base: Base, bench: Bench, seal_of: Callable[[Wish], Seal | None]) -> dict[str, Image.Image]:
    """The plain path's pictures, of each wish with that seal."""
    found = {}
    for wish in bench.asked:
        acting = [(seal, 1.0)] if (seal := seal_of(wish)) else []
        found[wish.id] = generate(base, bench.terms.request(wish), acting)[0].image
    return found


def levels_apart(one: dict[str, Image.Image], other: dict[str, Image.Image]) -> int:
    assert one.keys() == other.keys()
    arrays = [(np.asarray(one[id], int), np.asarray(other[id], int)) for id in one]
    return max(int(abs(mine - its).max()) for mine, its in arrays)


@pytest.mark.parametrize(("popularity", "ranks"), [(DISTINCT, (2, 5)), (UNIFORM, (3,))])
def test_every_arm_draws_what_the_plain_path_draws(
    open_tiny: Callable[[], Base], tmp_path: Path, popularity: str, ranks: tuple[int, ...]
) -> None:
    ours, ceiling = open_tiny(), open_tiny()
    workload = Workload(popularity, 4, 4, ranks, ours.family.default_targets)
    with benched(workload, TERMS, ours, ceiling, tmp_path, (*ARMS, DETERMINISTIC)) as bench:
        drawn = {}
        for name, arm in bench.arms.items():
            session = arm.session(bench.asked)
            session.advance(len(bench.asked))
            drawn[name] = session.pictures
        bench.engines.close()
        first = made_seal(ours, ranks[0], ours.family.targets(workload.groups), seed=0, trigger=TRIGGER)
        own = plain(ours, bench, lambda wish: read_seal(bench.shelf.path(wish.seal)))
        bare = plain(ours, bench, lambda _: None)
        assert levels_apart(bare, own) > 10, "the seals must be seen"
        assert levels_apart(drawn.pop("base"), bare) <= 1
        assert levels_apart(drawn.pop(CEILING), plain(ours, bench, lambda _: first)) <= 1
        for name, pictures in drawn.items():
            assert levels_apart(pictures, own) <= 1, name


def test_arms_draw_together_what_they_can(open_tiny: Callable[[], Base], tmp_path: Path) -> None:
    """Requests for one seal share a batch everywhere; for two seals, where the arm knows how to."""
    ours = open_tiny()
    workload = Workload(UNIFORM, 2, 6, (2,), ("attention",))
    assert len({wish.seal for wish in wishes(workload)}) == 2
    with benched(
        workload,
        Terms(1, 3.0, EngineSettings(max_rows=12)),
        ours,
        ours,
        tmp_path,
        ("base", "loop", *ONE_BY_ONE),
    ) as bench:
        for name, arm in bench.arms.items():
            server = arm.serve()
            for wish in bench.asked:
                server.submit(wish)
            turns = 0
            while not server.is_idle:
                server.turn()
                turns += 1
            assert turns == (2 if name in ONE_BY_ONE else 1), name


def test_exactness_sees_a_picture_that_is_another(open_tiny: Callable[[], Base], tmp_path: Path) -> None:
    ours = open_tiny()
    workload = Workload(DISTINCT, 2, 2, (2,), ours.family.default_targets)
    with benched(workload, TERMS, ours, ours, tmp_path, ("ours",)) as bench:
        bench.arms["ours"].session(bench.asked).advance(2)
        bench.engines.close()
        found = measure_exactness(ours, bench, bench.asked)
        assert (found.requests, found.byte_equal) == (2, True)
        assert found.max_abs_diff <= 1e-4
        assert found.max_levels <= 1
        bench.engines.drawn["0"].pixels[0, 3, 4] += 0.5
        found = measure_exactness(ours, bench, bench.asked)
        assert found.max_abs_diff > 0.4
        assert found.max_levels > 100
