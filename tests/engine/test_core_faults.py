"""Faults around a real core: a store that misbehaves, seals that cannot be used, requests that mean nothing."""

import dataclasses
from pathlib import Path

from bad_store import bad_store
from core_examples import largest_difference, played_core, with_nan
from full_disk import files_of_at_most
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seal_examples import random_seal

from sealsmith.adapters import dump_seal
from sealsmith.bases import Base
from sealsmith.engine.messages import Done, Draw, Event, Failed, SealAt, is_last
from sealsmith.engine.store import path_of
from sealsmith.errors import ConfigError

FAULTS = {
    "silent": "store", "slow": "store", "truncates": "store", "error": "store", "damages": "seal-format",
    "lies": "seal-size", "gone": "seal-missing", "nan": "seal-format", "no seal": "seal-format",
    "another family's": "base-mismatch",
}  # fmt: skip
"""What goes wrong, and the code of the error its own request gets."""


def last_of(events: list[Event]) -> Event:
    assert [is_last(event) for event in events] == [False] * (len(events) - 1) + [True]
    return events[-1]


def test_whatever_is_wrong_with_a_seal_fails_its_own_request_with_its_own_error(
    tiny_base: Base, tiny_flux: Base, tiny_base_folder: Path, tmp_path: Path
) -> None:
    seal = random_seal(tiny_base, ("to_q",))
    seals = {
        name: dataclasses.replace(seal, header=dataclasses.replace(seal.header, title=name))
        for name in ("good", *FAULTS)
    }
    with bad_store() as store:
        files = {name: dump_seal(seal) for name, seal in seals.items()} | {
            "nan": with_nan(dump_seal(seal)),
            "no seal": b"\x10" + bytes(50),
            "another family's": dump_seal(random_seal(tiny_flux, ("to_q",))),
        }
        digests = {name: store.add(data, name) for name, data in files.items()}
        del store.files[path_of(digests["gone"])]
        draws = [
            Draw(name, "x", seed=5, seals=(SealAt(digest, "0.7"),), num_steps=2, tenant=name)
            for name, digest in digests.items()
        ]
        healed = ("silent", "slow", "truncates", "error", "damages", "lies", "gone")
        cache = str(tmp_path)
        with played_core(tiny_base_folder, store.url, cache_folder=cache) as played:
            played.play(
                [draw for draw in draws if draw.id == "good"]
            )  # now on the disk, however busy the machine
        with played_core(tiny_base_folder, store.url, cache_folder=cache, fetch_within_s=4.0) as played:
            ends = {name: last_of(events) for name, events in played.play(draws).items()}
            failures = {name: end for name, end in ends.items() if isinstance(end, Failed)}
            assert {name: failure.code for name, failure in failures.items()} == FAULTS
            assert {name for name, failure in failures.items() if failure.is_retryable} == {
                name for name, code in FAULTS.items() if code == "store"
            }
            assert all(failure.remedy for failure in failures.values())
        for name in healed:
            store.add(files[name])
        with played_core(tiny_base_folder, store.url) as played:
            again = played.play([draw for draw in draws if draw.id in healed])
    drawn = {"good": ends["good"]} | {name: last_of(again[name]) for name in healed}
    for name, end in drawn.items():
        draw = next(draw for draw in draws if draw.id == name)
        assert isinstance(end, Done), end
        assert largest_difference(tiny_base, draw, [seals[name]], end.picture) <= 1


def test_a_full_disk_costs_no_picture(tiny_base: Base, tiny_base_folder: Path, tmp_path: Path) -> None:
    seals = [random_seal(tiny_base, ("to_q",), seed=seed) for seed in range(3)]
    with bad_store() as store:
        draws = [
            Draw(str(number), "x", seals=(SealAt(store.add(dump_seal(seal))),), num_steps=1)
            for number, seal in enumerate(seals)
        ]
        with (
            played_core(tiny_base_folder, store.url, cache_folder=str(tmp_path)) as played,
            files_of_at_most(4000),
        ):
            ends = [last_of(events) for events in played.play(draws).values()]
        assert list(tmp_path.iterdir()) == []
    for draw, seal, end in zip(draws, seals, ends, strict=True):
        assert isinstance(end, Done)
        assert largest_difference(tiny_base, draw, [seal], end.picture) <= 1


def test_a_seal_larger_than_all_the_memory_is_refused_by_its_size(
    tiny_base: Base, tiny_base_folder: Path
) -> None:
    with bad_store() as store:
        draw = Draw("large", "x", seals=(SealAt(store.add(dump_seal(random_seal(tiny_base, ("to_q",))))),))
        with played_core(tiny_base_folder, store.url, memory_bytes=1000) as played:
            end = last_of(played.play([draw])["large"])
    assert isinstance(end, Failed)
    assert end.code == "seal-size"
    assert "expected at most 1000" in end.message, "it was not fetched"


ODD_NUMBERS = st.sampled_from([None, 0, -1, 1, 2, 7, 64, 2**31, 2**62, 2**63 - 1])
ODD_TEXTS = st.sampled_from(
    ["", "x", "\0", "a\n" * 400, "<lora:x:1>", "\u202e\U0001f600", "(((", "sks " * 90]
)
ODD_FLOATS = st.sampled_from([None, 0.0, -1.0, 1.0, 3.5, 1e30, float("inf"), float("nan")])
LONG_NUMBERS = ["9" * 400, "9" * 5000]
"""More than a float can hold, and more than Python makes a whole number of."""
ODD_STRENGTHS = st.sampled_from(
    ["1", "0", "-2", "1e30", "1e400", "nan", "", "loud", "1:stop=0.5", "1:dyn=2", "0.5@0,1@1"]
    + [form + digits for digits in LONG_NUMBERS for form in ("", "1:stop=", "1:dyn=", "0@0,1@", "1:step=1-")]
)
ODD_DRAWS = st.fixed_dictionaries(
    {},
    optional={
        "prompt": ODD_TEXTS, "negative": ODD_TEXTS, "tenant": ODD_TEXTS, "seed": ODD_NUMBERS.filter(bool),
        "num_steps": ODD_NUMBERS, "guidance": ODD_FLOATS, "width": ODD_NUMBERS, "height": ODD_NUMBERS,
        "sampler": st.sampled_from([None, "", "euler", "lcm", "dpm++-2m", "\0"]),
        "long_prompts": st.sampled_from(["cut", "chunks", "", "x"]),
        "preview_every": ODD_NUMBERS.filter(lambda number: number is not None),
        "begin_within_s": ODD_FLOATS, "strength": ODD_STRENGTHS, "num_seals": st.integers(0, 3),
    },
)  # fmt: skip


def test_no_request_however_odd_ends_the_engine_or_disturbs_another(
    tiny_base: Base, tiny_base_folder: Path
) -> None:
    """Refused with an error of ours, or taken and ended once. Whatever else came out would kill the process."""
    seal = random_seal(tiny_base, ("to_q",))
    good = Draw("good", "x", num_steps=1)
    with bad_store() as store:
        digest = store.add(dump_seal(seal))
        with played_core(tiny_base_folder, store.url) as played:
            expected = last_of(played.play([good])["good"])
            assert isinstance(expected, Done)

            @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
            @given(ODD_DRAWS)
            def ask(fields: dict[str, object]) -> None:
                fields = {"prompt": "x", "num_steps": 1} | fields
                strength, num_seals = fields.pop("strength", "1"), fields.pop("num_seals", 0)
                odd = Draw("odd", seals=(SealAt(digest, strength),) * num_seals, **fields)
                try:
                    ends = played.play([odd])
                except ConfigError:
                    return
                assert is_last(ends["odd"][-1])

            ask()
            again = last_of(played.play([good])["good"])
    assert isinstance(again, Done)
    assert again.picture == expected.picture
