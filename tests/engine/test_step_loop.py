"""Every picture of the engine is the one that the plain path draws, whoever shares its passes."""

import dataclasses
import random
from concurrent.futures import Future

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from order_examples import ATTENTION, engine_of, pictures_of, play, seals_of_every_kind, solo
from seal_examples import random_seal
from stock_pictures import largest_difference

from sealsmith.adapters import Fusion, Seal, is_fused
from sealsmith.adapters.changes import tensors
from sealsmith.adapters.strength import parse_strength
from sealsmith.bases import Base
from sealsmith.bench.levels import levels_apart
from sealsmith.engine.cost import Costs
from sealsmith.engine.fitted import FittedSeal, HeldSeals, fitted
from sealsmith.engine.loop import Engine
from sealsmith.engine.passes import seated
from sealsmith.engine.request import Done, Event, Failed, Order, Path, Previewed, Stepped, orders_of
from sealsmith.engine.settings import EngineSettings
from sealsmith.errors import Cancelled, ConfigError, DrawingError, SealMissingError, SealSizeError
from sealsmith.generate import Request, generate

REQUEST = Request("a red wax seal on wood", "blue ink", seed=5, num_steps=3, guidance=3.5)


FIRST_SEED = 20
"""With seed 1 this random base stands at an edge: a last bit moves its picture 30 times as far as others."""


def orders_of_every_kind(base: Base) -> list[Order]:
    """Orders that differ in everything an order may differ in."""
    flows = base.family.objective == "flow"
    samplers = [None] * 3 if flows else [None, "euler-a", "unipc"]
    wishes = [
        ((), {}),
        ((("rank 1", 1.0),), {"num_steps": 2}),
        ((("rank 4", 0.6), ("rank 1", -0.4)), {"guidance": 1.0}),
        ((("rank 7", parse_strength("0.9@0,0.1@1")),), {"sampler": samplers[1]}),
        ((("rank 4", parse_strength("1:stop=0.5")),), {"num_steps": 4, "sampler": samplers[2]}),
        ((("text", 0.7),), {"negative": ""}),
        ((("vectors", 1.0), ("rank 4", 0.3)), {"num_steps": 1}),
        ((("pivotal", 0.8),), {"prompt": "a blue ink stamp " * 30, "negative": ""}),
        ((("networks", 0.8), ("rank 7", 0.5)), {}),
        ((("loha", 0.8), ("lokr", 0.5)), {"guidance": 7.0}),
        ((("full", 0.8), ("rank 1", 0.5)), {}),
        ((("dora", 0.3),), {"num_steps": 2}),
        ((("full", parse_strength("0.9@0,0.1@1")),), {}),
        ((("rank 1", 1.0),), {"width": 96, "height": 64}),
        ((("rank 4", 0.6), ("rank 7", 0.9)), {"mix": "composite"}),
        ((("networks", 0.8), ("full", 0.5), ("rank 4", 0.5)), {"mix": "switch"}),
    ]
    return [
        Order(
            f"order {number}",
            dataclasses.replace(REQUEST, seed=FIRST_SEED + number, **changes),
            seals,
            f"tenant {number % 3}",
        )
        for number, (seals, changes) in enumerate(wishes)
    ]


PATHS_OF_EVERY_KIND = [
    "plain", "bank", "bank", "bank", "bank", "bank", "bank", "bank", "beside", "merged", "merged", "merged",
    "beside", "bank", "bank", "beside",
]  # fmt: skip


@pytest.mark.parametrize("family", ["sealworld", "sd1", "sdxl", "flux"])
def test_every_picture_is_that_of_the_plain_path(family: str, request: pytest.FixtureRequest) -> None:
    base: Base = request.getfixturevalue("tiny_base" if family == "sealworld" else f"tiny_{family}")
    seals, orders = seals_of_every_kind(base), orders_of_every_kind(base)
    engine = engine_of(base, seals, max_rows=6, max_underway_rows=12, merged_turns=2)
    events = play(engine, [orders[:5], [], orders[5:9], orders[9:]])
    engine.close()
    paths = {event.order_id: event.path.value for event in events if isinstance(event, Stepped)}
    assert [paths[order.id] for order in orders] == PATHS_OF_EVERY_KIND
    drawn = pictures_of(events)
    for order in orders:
        alone = solo(base, order, seals)
        assert largest_difference(drawn[order.id].pixels, alone.pixels) <= 1e-4, order
        assert drawn[order.id].recipe == alone.recipe
        assert drawn[order.id].warnings == alone.warnings
    assert torch.isfinite(torch.stack([drawn[order.id].pixels.mean() for order in orders])).all()


@pytest.mark.parametrize("seed", range(2))
def test_random_histories_change_no_picture(tiny_base: Base, seed: int) -> None:
    seals, rng = seals_of_every_kind(tiny_base), random.Random(seed)
    orders = [random_order(rng, number, [*seals]) for number in range(14)]
    gone = {order.id for order in rng.sample(orders, 4)}
    engine = engine_of(tiny_base, seals, max_rows=rng.choice([4, 6]), max_underway_rows=8, merged_turns=2)
    events: list[Event] = []
    for number, order in enumerate(orders):
        engine.submit(order)
        for _ in range(rng.choice([0, 1, 3])):
            engine.step()
        if number and orders[number - 1].id in gone:
            engine.cancel(orders[number - 1].id)
    events += play(engine, [])
    drawn = {event.order_id: event.picture for event in events if isinstance(event, Done)}
    ends = [event.order_id for event in events if isinstance(event, Done | Failed)]
    assert sorted(ends) == sorted(order.id for order in orders)
    for event in events:
        if isinstance(event, Failed):
            assert isinstance(event.error, Cancelled)
            assert event.order_id in gone
    engine.close()
    assert not is_fused(tiny_base)
    for order in orders:
        if order.id in drawn:
            alone = solo(tiny_base, order, seals)
            assert largest_difference(drawn[order.id].pixels, alone.pixels) <= 1e-4, order
            assert levels_apart(drawn[order.id], alone) <= 1


def random_order(rng: random.Random, number: int, keys: list[str]) -> Order:
    words = {"vectors", "pivotal"}  # both are vectors for one word, which cannot be in one prompt
    chosen = [key for key in rng.sample(keys, rng.choice([0, 1, 1, 2])) if key not in words]
    seals = tuple((key, rng.choice([0.3, 0.8, parse_strength("0.7:start=0.5")])) for key in chosen)
    request = dataclasses.replace(
        REQUEST,
        prompt=rng.choice(["a gold coin on sand", "a red wax seal on wood"]),
        seed=rng.randrange(100),
        num_steps=rng.choice([1, 2, 4]),
        guidance=rng.choice([1.0, 4.0]),
        sampler=rng.choice([None, "dpm++-2m", "ddpm"]),
        mix=rng.choice(["auto", "sum", "switch", "composite"]),
    )
    return Order(f"order {number}", request, seals, f"{rng.randrange(3)}")


@pytest.mark.parametrize("family", ["sealworld", "sdxl", "flux"])
def test_deterministic_pictures_are_the_same_bytes_in_any_company(
    family: str, request: pytest.FixtureRequest
) -> None:
    base: Base = request.getfixturevalue("tiny_base" if family == "sealworld" else f"tiny_{family}")
    seals, orders = seals_of_every_kind(base), orders_of_every_kind(base)[:6]
    settings = {"max_rows": 6, "max_underway_rows": 8, "deterministic": True}
    together = pictures_of(play(engine_of(base, seals, **settings), [orders[:2], orders[2:], []]))
    for order in orders:
        alone = pictures_of(play(engine_of(base, seals, **settings), [[order]]))[order.id]
        assert torch.equal(together[order.id].pixels, alone.pixels), order


def test_a_pass_out_of_memory_is_halved_until_it_fits(tiny_base: Base) -> None:
    orders = [Order(str(seed), dataclasses.replace(REQUEST, seed=seed)) for seed in range(3)]
    engine = engine_of(tiny_base, {}, max_rows=8)
    widths: list[int] = []

    def limited(module: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        widths.append(len(args[0]))
        if len(args[0]) > 2:
            raise torch.OutOfMemoryError("no more than two rows fit")

    hook = tiny_base.denoiser.register_forward_pre_hook(limited)
    drawn = pictures_of(play(engine, [orders]))
    hook.remove()
    assert widths[:4] == [6, 4, 2, 2]
    assert max(widths[5:]) == 2  # it has learnt its limit
    for order in orders:
        assert largest_difference(drawn[order.id].pixels, solo(tiny_base, order, {}).pixels) <= 1e-4


def test_deterministic_passes_are_one_picture_s_which_is_finished_before_the_next(tiny_base: Base) -> None:
    orders = [Order(str(seed), dataclasses.replace(REQUEST, seed=seed)) for seed in range(3)]
    widths: list[int] = []
    note = tiny_base.denoiser.register_forward_pre_hook(lambda module, args: widths.append(len(args[0])))
    events = play(engine_of(tiny_base, {}, max_rows=8, deterministic=True), [orders])
    note.remove()
    steps = [event.order_id for event in events if isinstance(event, Stepped)]
    assert steps == [order.id for order in orders for _ in range(len(steps) // 3)]
    assert widths == [2] * len(steps)


def test_a_deterministic_pass_out_of_memory_fails_its_own_picture(tiny_base: Base) -> None:
    orders = [Order(str(seed), dataclasses.replace(REQUEST, seed=seed)) for seed in range(3)]
    num_passes = 0

    def limited(module: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        nonlocal num_passes
        num_passes += 1
        if num_passes == 2:
            raise torch.OutOfMemoryError("no room for this one")

    hook = tiny_base.denoiser.register_forward_pre_hook(limited)
    events = play(engine_of(tiny_base, {}, max_rows=8, deterministic=True), [orders])
    hook.remove()
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.order_id == "0"
    assert "not enough memory" in str(failed.error)
    assert [event.order_id for event in events if isinstance(event, Done)] == ["1", "2"]


def test_seals_that_cannot_go_into_the_weights_leave_no_others_there(
    tiny_base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    seals = seals_of_every_kind(tiny_base)
    engine = engine_of(tiny_base, seals)
    play(engine, [[Order("before", REQUEST, (("full", 0.8),))]])

    def refused(*_: object) -> None:
        raise ConfigError("the base is quantised")

    with monkeypatch.context() as patch:
        patch.setattr(Fusion, "switch", refused)
        events = play(engine, [[Order("refused", REQUEST, (("dora", 0.5),))]])
    assert [event.order_id for event in events if isinstance(event, Failed)] == ["refused"]
    plain = Order("plain", REQUEST)
    drawn = pictures_of(play(engine, [[plain]]))["plain"]
    engine.close()
    assert largest_difference(drawn.pixels, solo(tiny_base, plain, seals).pixels) <= 1e-4


def test_no_costs_are_measured_that_a_deterministic_engine_does_not_heed(
    tiny_base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Base] = []

    def measured(base: Base, **_: object) -> Costs:
        calls.append(base)
        return Costs(1.0, 1.0)

    monkeypatch.setattr("sealsmith.engine.loop.measure_costs", measured)
    for deterministic in (True, False):
        engine_of(tiny_base, {}, merge_for_speed=True, deterministic=deterministic).close()
    assert calls == [tiny_base]


def test_only_what_cannot_run_alone_fails_for_want_of_memory(tiny_base: Base) -> None:
    small = Order("small", dataclasses.replace(REQUEST, guidance=1.0))
    engine = engine_of(tiny_base, {})

    def limited(module: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        if len(args[0]) > 1:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"
            )

    hook = tiny_base.denoiser.register_forward_pre_hook(limited)
    events = play(engine, [[Order("large", REQUEST), small]])
    hook.remove()
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert (failed.order_id, isinstance(failed.error, DrawingError)) == ("large", True)
    assert "not enough memory" in str(failed.error)
    assert [event.order_id for event in events if isinstance(event, Done)] == ["small"]


def test_numbers_that_are_not_finite_fail_their_own_picture(tiny_base: Base) -> None:
    seals = seals_of_every_kind(tiny_base)
    orders = [Order("loud", REQUEST, (("rank 4", 1e30),)), Order("quiet", REQUEST, (("rank 4", 0.5),))]
    events = play(engine_of(tiny_base, seals), [orders])
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.order_id == "loud"
    assert "not finite" in str(failed.error)
    (done,) = [event for event in events if isinstance(event, Done)]
    assert largest_difference(done.picture.pixels, solo(tiny_base, orders[1], seals).pixels) <= 1e-4


def test_events_tell_a_pictures_life(tiny_base: Base) -> None:
    engine = engine_of(tiny_base, seals_of_every_kind(tiny_base))
    order = Order("one", REQUEST, (("full", 0.5),), preview_every=2)
    events = play(engine, [[order]])
    assert [event.name for event in events] == [
        "queued",
        "loading",
        "step",
        "step",
        "preview",
        "step",
        "done",
    ]
    assert all(event.path is Path.MERGED for event in events if isinstance(event, Stepped))
    (preview,) = [event for event in events if isinstance(event, Previewed)]
    assert (preview.step, preview.pixels.shape, preview.pixels.dtype) == (2, (8, 8, 3), torch.uint8)


def test_a_seal_that_is_not_there_or_late_fails_or_delays_its_own_order_alone(tiny_base: Base) -> None:
    seals = seals_of_every_kind(tiny_base)
    late: Future[FittedSeal] = Future()

    class OneLate(HeldSeals):
        def acquire(self, key: str) -> "Future[FittedSeal]":
            return late if key == "late" else super().acquire(key)

    engine = Engine(tiny_base, OneLate(tiny_base, seals), EngineSettings(fetch_ahead=1))
    for key in ("late", "nowhere", "rank 1"):
        engine.submit(Order(key, REQUEST, ((key, 0.5),), tenant=key))
    events: list[Event] = []
    while engine.step():
        events += engine.events()
    events += engine.events()
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert (failed.order_id, isinstance(failed.error, SealMissingError)) == ("nowhere", True)
    assert [event.order_id for event in events if isinstance(event, Done)] == ["rank 1"]
    late.set_result(fitted(tiny_base, "late", seals["rank 7"]))
    drawn = pictures_of(play(engine, []))
    alone = solo(tiny_base, Order("", REQUEST, (("rank 7", 0.5),)), seals)
    assert largest_difference(drawn["late"].pixels, alone.pixels) <= 1e-4


def test_after_a_shortage_seals_are_sent_for_though_the_favoured_order_s_is_late(tiny_base: Base) -> None:
    """One order is favoured while there is no room; another, whose seal came meanwhile, is drawn."""
    seals, slow = seals_of_every_kind(tiny_base), {"late": Future[FittedSeal](), "soon": Future[FittedSeal]()}

    class Short(HeldSeals):
        def acquire(self, key: str) -> "Future[FittedSeal]":
            asked.append(key)
            return slow[key] if key in slow else super().acquire(key)

    asked: list[str] = []
    source = Short(tiny_base, seals)
    engine = Engine(tiny_base, source, EngineSettings())
    for key in ("late", "soon"):
        engine.submit(Order(key, REQUEST, ((key, 0.5),), tenant=key))
    assert not engine.step()
    slow["soon"].set_result(fitted(tiny_base, "soon", seals["rank 7"]))
    source.is_short = True
    assert engine.step()
    engine.submit(Order("next", REQUEST, (("rank 1", 0.5),), tenant="next"))
    engine.step()
    assert "rank 1" not in asked
    source.is_short = False
    engine.step()
    assert "rank 1" in asked
    assert not slow["late"].done()
    engine.close()


def test_cancelling_ends_an_order_at_once_wherever_it_is(tiny_base: Base) -> None:
    engine = engine_of(tiny_base, {}, max_rows=2, max_underway_rows=2)
    for name in ("drawn", "waiting", "next"):
        engine.submit(Order(name, REQUEST))
    engine.step()
    engine.cancel("drawn")
    engine.cancel("waiting")
    engine.cancel("unknown")
    events = [*engine.events(), *play(engine, [])]
    ends = {event.order_id: event for event in events if isinstance(event, Done | Failed)}
    assert {name: type(event) for name, event in ends.items()} == {
        "drawn": Failed, "waiting": Failed, "next": Done,
    }  # fmt: skip
    assert not any(event.order_id == "drawn" for event in events[events.index(ends["drawn"]) + 1 :])


def test_an_order_not_begun_by_its_deadline_fails_without_a_step(tiny_base: Base) -> None:
    now = 0.0
    engine = Engine(tiny_base, HeldSeals(tiny_base, {}), clock=lambda: now)
    engine.submit(Order("late", REQUEST, deadline_s=5.0))
    now = 6.0
    assert not engine.step()
    assert [event.name for event in engine.events()] == ["queued", "failed"]


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (Order("x", dataclasses.replace(REQUEST, num_steps=0)), "the number of steps is 0"),
        (Order("x", dataclasses.replace(REQUEST, num_pictures=2)), "an order is for one picture"),
        (Order("x", REQUEST, (("rank 1", float("nan")),)), "the strength of 'rank 1' is nan"),
        (
            Order("x", dataclasses.replace(REQUEST, mix="stir"), (("rank 1", 1.0), ("rank 2", 1.0))),
            "mixed by 'stir'",
        ),
        (Order("here", REQUEST), "there is an order 'here' already"),
    ],
)
def test_orders_that_mean_nothing_are_refused(tiny_base: Base, order: Order, message: str) -> None:
    engine = engine_of(tiny_base, {})
    engine.submit(Order("here", REQUEST))
    with pytest.raises(ConfigError, match=message):
        engine.submit(order)


def test_a_request_for_several_pictures_becomes_orders_for_one_each(tiny_base: Base) -> None:
    orders = [*orders_of(Order("set", dataclasses.replace(REQUEST, num_pictures=2)))]
    drawn = pictures_of(play(engine_of(tiny_base, {}), [orders]))
    plain = generate(tiny_base, dataclasses.replace(REQUEST, num_pictures=2))
    for order, picture in zip(orders, plain, strict=True):
        assert largest_difference(drawn[order.id].pixels, picture.pixels) <= 1e-4
    assert [order.id for order in orders] == ["set", "set-2"]


def test_prompts_are_read_once_for_the_same_words_and_seals(tiny_base: Base) -> None:
    seals = seals_of_every_kind(tiny_base)
    calls: list[int] = []
    hook = tiny_base.text_encoder.register_forward_hook(lambda *_: calls.append(1))
    engine = engine_of(tiny_base, seals)
    play(engine, [[Order("a", REQUEST, (("rank 1", 0.5),))]])
    num_first = len(calls)
    play(engine, [[Order("b", dataclasses.replace(REQUEST, seed=9), (("rank 1", 0.9),))]])
    assert len(calls) == num_first > 0  # another strength of a seal that leaves text encoders alone
    play(engine, [[Order("c", REQUEST, (("text", 0.5),))]])
    play(engine, [[Order("d", REQUEST, (("text", 0.9),))]])
    assert len(calls) == 3 * num_first
    play(engine, [[Order("e", dataclasses.replace(REQUEST, prompt="a coin"), (("rank 4", 0.5),))]])
    hook.remove()
    assert len(calls) == 3 * num_first + 1  # the negative prompt was read with "a"


@pytest.mark.usefixtures("mkl")
@pytest.mark.parametrize("deterministic", [False, True])
def test_keys_and_values_of_a_prompt_are_computed_once_a_picture(
    tiny_base: Base, deterministic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the layers, in the weights, and of pictures that join later; but not where strengths change.

    Those that begin together have theirs computed together, or each by itself where no byte may depend on others.
    """
    paths = tiny_base.family.workings.text_layers(tiny_base)
    layers = {tiny_base.denoiser.get_submodule(path) for path in paths}
    assert len(layers) == 2 * sum(path.endswith("attn2.to_k") for path in paths) > 0
    calls: list[int] = []
    forward = torch.nn.Linear.forward

    def noted(module: torch.nn.Linear, x: torch.Tensor) -> torch.Tensor:
        if module in layers:
            calls.append(len(x))
        return forward(module, x)

    monkeypatch.setattr(torch.nn.Linear, "forward", noted)
    seals = seals_of_every_kind(tiny_base)
    orders = [
        Order("plain", dataclasses.replace(REQUEST, guidance=1.0)),
        Order("beside", dataclasses.replace(REQUEST, mix="sum"), (("rank 4", 0.5), ("rank 1", 0.5))),
        Order("late", dataclasses.replace(REQUEST, seed=1), (("rank 7", 0.5),)),
        Order("merged", REQUEST, (("full", 0.5),)),
    ]
    engine = engine_of(tiny_base, seals, max_rows=8, max_underway_rows=8, deterministic=deterministic)
    play(engine, [orders[:2], orders[2:]])
    assert sum(calls) == (1 + 3 * 2) * len(layers)
    assert (len(calls) == 4 * len(layers)) if deterministic else (len(calls) < 4 * len(layers))
    calls.clear()
    play(engine, [[Order("changing", REQUEST, (("rank 7", parse_strength("0.9@0,0.1@1")),))]])
    assert calls.count(2) == REQUEST.num_steps * len(layers)
    engine.close()


@given(st.lists(st.sets(st.integers(0, 12)).map(sorted), max_size=6))
def test_pictures_keep_their_place_in_the_pass_while_they_can(passes: list[list[int]]) -> None:
    seats: list[int] = []
    for chosen in passes:
        before, seats = seats, seated(chosen, seats)
        assert sorted(seats) == chosen
        for place, picture in enumerate(before[: len(seats)]):
            assert picture not in chosen or seats[place] == picture


def test_seals_the_pool_has_no_room_for_act_beside(tiny_base: Base) -> None:
    seals = seals_of_every_kind(tiny_base)
    orders = [Order(key, REQUEST, ((key, 0.5),)) for key in ("rank 1", "rank 4")]
    sizes = {key: num_bytes(seals[key]) for key in ("rank 1", "rank 4")}
    assert sizes["rank 1"] < sizes["rank 4"]
    engine = engine_of(tiny_base, seals, pool_bytes=sizes["rank 4"] // 2)
    events = play(engine, [orders])
    engine.check_integrity()
    paths = {event.order_id: event.path for event in events if isinstance(event, Stepped)}
    assert paths == {"rank 1": Path.BANK, "rank 4": Path.BESIDE}
    for order in orders:
        alone = solo(tiny_base, order, seals)
        assert largest_difference(pictures_of(events)[order.id].pixels, alone.pixels) <= 1e-4


def test_deterministic_pictures_do_not_go_another_way_for_want_of_room(tiny_base: Base) -> None:
    seals = seals_of_every_kind(tiny_base)
    engine = engine_of(tiny_base, seals, deterministic=True, pool_bytes=num_bytes(seals["rank 4"]) // 2)
    events = play(engine, [[Order("large", REQUEST, (("rank 4", 0.5),))]])
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert isinstance(failed.error, SealSizeError)


def test_more_seals_than_the_pool_holds_take_turns_in_it(tiny_base: Base) -> None:
    seals = {str(seed): random_seal(tiny_base, ATTENTION, 2, seed=seed) for seed in range(6)}
    orders = [Order(key, dataclasses.replace(REQUEST, num_steps=1), ((key, 0.5),)) for key in seals]
    engine = engine_of(
        tiny_base, seals, max_rows=4, max_underway_rows=4, pool_bytes=3 * num_bytes(seals["0"]) + 3 * 8192
    )
    events = play(engine, [orders])
    engine.check_integrity()
    assert {event.path for event in events if isinstance(event, Stepped)} == {Path.BANK}
    assert len(pictures_of(events)) == len(seals)


def num_bytes(seal: Seal) -> int:
    return sum(each.nbytes for change in seal.layers.values() for each in tensors(change).values())
