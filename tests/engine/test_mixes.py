"""Seals that take turns, are averaged or masked, in passes shared with any others: the plain path's pictures."""

import dataclasses
import random

import pytest
import torch
from order_examples import engine_of, pictures_of, play, seals_of_every_kind, solo
from stock_pictures import largest_difference

from sealsmith.adapters.strength import parse_strength
from sealsmith.bases import Base
from sealsmith.bench.levels import levels_apart
from sealsmith.engine.passes import fitting
from sealsmith.engine.request import Done, Event, Failed, Order, Previewed
from sealsmith.errors import Cancelled, ConfigError
from sealsmith.generate import Request
from sealsmith.generate.mixing import MIXES

PROMPT = "a red wax seal of sks emblem and a blue ink stamp of ohwx emblem on wood"
PAIR = Request(PROMPT, "blue ink", seed=5, num_steps=3, guidance=3.5)
BOTH = (("rank 1", 1.0), ("rank 4", 0.7))


def orders_of_every_mix(base: Base) -> list[Order]:
    """Each mix, of seals that go by the bank and of such that act picture by picture; some with previews."""
    changing = (("rank 1", parse_strength("0.9@0,0.1@1")), ("rank 7", parse_strength("1:stop=0.5")))
    wishes = [
        *((BOTH, {"mix": mix}) for mix in ("auto", *MIXES)),
        (BOTH, {"mix": "masked", "guidance": 1.0, "num_steps": 5}),
        ((*BOTH, ("rank 7", 0.4)), {"mix": "auto", "num_steps": 2}),
        (changing, {"mix": "masked", "sampler": "unipc", "num_steps": 4}),
        (changing, {"mix": "switch", "num_steps": 4}),
        ((("rank 4", 1.0), ("pivotal", 0.8)), {"mix": "masked"}),
        ((("text", 0.8), ("rank 7", 0.6)), {"mix": "auto", "prompt": "a wax seal " * 30}),
        ((("networks", 0.8), ("rank 4", 0.5)), {"mix": "masked"}),
        ((("full", 0.6), ("rank 4", 0.5)), {"mix": "composite"}),
        ((("rank 4", 0.5), ("loha", 0.6)), {"mix": "switch", "width": 96}),
        ((("rank 7", 0.8),), {"mix": "masked"}),
        ((), {"mix": "switch"}),
    ]
    return [
        Order(
            f"order {number}",
            dataclasses.replace(PAIR, seed=number, **changes),
            seals,
            f"tenant {number % 3}",
            preview_every=number % 3,
        )
        for number, (seals, changes) in enumerate(wishes)
    ]


def test_every_mix_in_one_company_is_that_of_the_plain_path(tiny_base: Base) -> None:
    seals, orders = seals_of_every_kind(tiny_base), orders_of_every_mix(tiny_base)
    engine = engine_of(tiny_base, seals, max_rows=10, max_underway_rows=20, merged_turns=2)
    events = play(engine, [orders[:7], [], orders[7:11], orders[11:]])
    engine.check_integrity()
    engine.close()
    drawn = pictures_of(events)
    for order in orders:
        alone = solo(tiny_base, order, seals)
        assert largest_difference(drawn[order.id].pixels, alone.pixels) <= 1e-4, order
        assert levels_apart(drawn[order.id], alone) <= 1
        assert drawn[order.id].recipe == alone.recipe
        assert drawn[order.id].warnings == alone.warnings
    assert drawn["order 0"].recipe.mix == "masked"
    previews = {event.order_id for event in events if isinstance(event, Previewed)}
    assert previews == {order.id for order in orders if order.preview_every and order.request.num_steps > 1}


@pytest.mark.parametrize("family", ["sd1", "sdxl", "flux"])
def test_other_families_mix_too(family: str, request: pytest.FixtureRequest) -> None:
    base: Base = request.getfixturevalue(f"tiny_{family}")
    mixes = [mix for mix in ("auto", *MIXES) if mix != "masked" or family != "flux"]
    seals = seals_of_every_kind(base)
    orders = [Order(mix, dataclasses.replace(PAIR, mix=mix, num_steps=2), BOTH) for mix in mixes]
    drawn = pictures_of(play(engine_of(base, seals, max_rows=8), [orders]))
    for order in orders:
        alone = solo(base, order, seals)
        assert largest_difference(drawn[order.id].pixels, alone.pixels) <= 1e-4, order
        assert drawn[order.id].recipe == alone.recipe
    assert drawn["auto"].recipe.mix == "sum"


@pytest.mark.parametrize("seed", range(3))
def test_random_mixes_and_cancels_change_no_picture(tiny_base: Base, seed: int) -> None:
    seals, rng = seals_of_every_kind(tiny_base), random.Random(seed)
    orders = [random_order(rng, number, [*seals]) for number in range(12)]
    gone = {order.id for order in rng.sample(orders, 3)}
    engine = engine_of(
        tiny_base,
        seals,
        max_rows=rng.choice([2, 5, 8]),
        max_underway_rows=rng.choice([4, 12]),
        merged_turns=2,
    )
    events: list[Event] = []
    for number, order in enumerate(orders):
        engine.submit(order)
        for _ in range(rng.choice([0, 1, 3])):
            engine.step()
        if number and orders[number - 1].id in gone:
            engine.cancel(orders[number - 1].id)
    events += [*play(engine, []), *engine.events()]
    engine.check_integrity()
    engine.close()
    drawn = {event.order_id: event.picture for event in events if isinstance(event, Done)}
    failed = {event.order_id: event.error for event in events if isinstance(event, Failed)}
    assert drawn.keys() | failed.keys() == {order.id for order in orders}
    assert all(isinstance(error, Cancelled) for error in failed.values())
    assert failed.keys() <= gone
    for order in orders:
        if order.id in drawn:
            alone = solo(tiny_base, order, seals)
            assert largest_difference(drawn[order.id].pixels, alone.pixels) <= 1e-4, order


def random_order(rng: random.Random, number: int, keys: list[str]) -> Order:
    called = [key for key in keys if key.startswith("rank")]
    mix = rng.choice(["auto", *MIXES])
    words = {"vectors", "pivotal"}  # both are vectors for one word, which cannot be in one prompt
    pool = called if mix == "masked" else [key for key in keys if key not in words]
    chosen = rng.sample(pool, rng.choice([1, 2, 2, 3]))
    seals = tuple((key, rng.choice([0.3, 0.8, parse_strength("0.7:start=0.5")])) for key in chosen)
    request = dataclasses.replace(
        PAIR,
        seed=rng.randrange(100),
        num_steps=rng.choice([1, 2, 4]),
        guidance=rng.choice([1.0, 4.0]),
        mix=mix,
    )
    return Order(f"order {number}", request, seals, f"{rng.randrange(3)}", preview_every=rng.choice([0, 2]))


def test_deterministic_mixes_are_the_same_bytes_in_any_company(tiny_base: Base) -> None:
    seals, orders = seals_of_every_kind(tiny_base), orders_of_every_mix(tiny_base)[:9]
    settings = {"max_rows": 4, "max_underway_rows": 12, "deterministic": True}
    together = pictures_of(play(engine_of(tiny_base, seals, **settings), [orders[:2], orders[2:], []]))
    for order in orders:
        alone = pictures_of(play(engine_of(tiny_base, seals, **settings), [[order]]))[order.id]
        assert torch.equal(together[order.id].pixels, alone.pixels), order


def test_passes_of_one_step_are_rows_of_one_pass(tiny_base: Base) -> None:
    widths: list[int] = []
    note = tiny_base.denoiser.register_forward_pre_hook(lambda module, args: widths.append(len(args[0])))
    masked = dataclasses.replace(PAIR, mix="masked")
    orders = [Order("masked", masked, BOTH), Order("plain", dataclasses.replace(PAIR, guidance=1.0))]
    play(engine_of(tiny_base, seals_of_every_kind(tiny_base)), [orders])
    note.remove()
    assert widths == [2 * 2 + 1] * PAIR.num_steps


def test_a_pass_out_of_memory_counts_no_attention_twice(tiny_base: Base) -> None:
    """The first pass fails behind its attention; a picture of more rows than fit is drawn in several passes."""
    seals, order = seals_of_every_kind(tiny_base), Order("x", dataclasses.replace(PAIR, mix="masked"), BOTH)
    engine = engine_of(tiny_base, seals)
    widths: list[int] = []

    def limited(module: torch.nn.Module, args: object, output: object) -> None:
        widths.append(len(args[0]))  # type: ignore[index]
        if len(args[0]) > 2:  # type: ignore[index]
            raise torch.OutOfMemoryError("no more than two rows fit")

    hook = tiny_base.denoiser.conv_norm_out.register_forward_hook(limited)
    drawn = pictures_of(play(engine, [[order]]))["x"]
    hook.remove()
    assert widths == [4, 2, 2] + [2, 2] * (PAIR.num_steps - 1)
    assert largest_difference(drawn.pixels, solo(tiny_base, order, seals).pixels) <= 1e-4


def test_seals_that_cannot_be_masked_fail_their_own_order(tiny_base: Base, tiny_flux: Base) -> None:
    masked = dataclasses.replace(PAIR, mix="masked", prompt="a wax seal", use_trigger=False)
    for base, why in ((tiny_base, "does not call 'seal of sks'"), (tiny_flux, "is a transformer")):
        orders = [Order("odd", masked, BOTH), Order("good", dataclasses.replace(PAIR, mix="switch"), BOTH)]
        events = play(engine_of(base, seals_of_every_kind(base)), [orders])
        (failed,) = [event for event in events if isinstance(event, Failed)]
        assert failed.order_id == "odd"
        assert isinstance(failed.error, ConfigError)
        assert why in str(failed.error)
        assert [event.order_id for event in events if isinstance(event, Done)] == ["good"]


@pytest.mark.parametrize(
    ("seals", "mix", "num_pairs"),
    [(BOTH, "masked", 2), (BOTH, "sum", 3), ((("rank 1", 1.0), ("loha", 0.5)), "auto", 3)],
)
def test_a_tenant_is_charged_for_rows_and_not_for_what_auto_did_not_need(
    tiny_base: Base, seals: tuple[tuple[str, float], ...], mix: str, num_pairs: int
) -> None:
    """Of one who wants pairs and one who wants single seals each gets as many rows, however many pictures."""
    engine = engine_of(tiny_base, seals_of_every_kind(tiny_base), max_rows=4, max_underway_rows=4)
    for number in range(6):
        request = dataclasses.replace(PAIR, seed=number, num_steps=1)
        engine.submit(Order(f"pair {number}", dataclasses.replace(request, mix=mix), seals, "pairs"))
        engine.submit(Order(f"one {number}", request, seals[:1], "singles"))
    done: list[str] = []
    while len(done) < 6:
        engine.step()
        done += [event.order_id for event in engine.events() if isinstance(event, Done)]
    engine.close()
    assert sum(name.startswith("pair") for name in done[:6]) == num_pairs


class Sized:
    def __init__(self, num_rows: int):
        self.num_rows = num_rows


@pytest.mark.parametrize(
    ("sizes", "limit", "groups"),
    [([2, 2, 1], 5, [[2, 2, 1]]), ([2, 2, 1], 4, [[2, 2], [1]]), ([2, 2], 1, [[2], [2]]), ([], 4, [])],
)
def test_passes_are_cut_where_no_more_fit(sizes: list[int], limit: int, groups: list[list[int]]) -> None:
    cut = fitting([Sized(size) for size in sizes], limit)  # type: ignore[list-item]
    assert [[each.num_rows for each in group] for group in cut] == groups
