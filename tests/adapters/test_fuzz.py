"""A short run of the fuzzer; `make fuzz` is the long one."""

import itertools

import pytest
from file_examples import File
from fuzz import fuzz, good_files, is_read, mutant

from sealsmith.adapters import parse_seal


def test_random_damage_is_refused_or_read_rightly() -> None:
    read, refused = fuzz(seed=1, numbers=range(2000))
    assert read + refused == 2000
    assert min(read, refused) > 100, "neither may be the rule, or half of the reader is not tried"


def test_a_run_can_be_repeated() -> None:
    goods = good_files()
    assert [mutant(3, number, goods) for number in range(50)] == [
        mutant(3, number, goods) for number in range(50)
    ]


def test_the_fuzzer_starts_from_sound_files_of_every_kind() -> None:
    seals = [parse_seal(data) for data in good_files()]
    kinds = {change.kind for seal in seals for change in seal.layers.values()}
    assert kinds == {"lora", "loha", "lokr", "dora"}
    assert {seal.dialect for seal in seals} == {"diffusers", "diffusers-old", "kohya", "first"}
    assert not any(itertools.chain.from_iterable(seal.unknown for seal in seals))


def test_the_fuzzer_sees_what_is_not_refused_as_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(data: bytes, name: str) -> None:
        raise KeyError(data[0])

    monkeypatch.setattr("fuzz.parse_seal", careless)
    with pytest.raises(RuntimeError, match=r"run 7 of seed 1 ended in KeyError"):
        fuzz(seed=1, numbers=range(7, 9))
    monkeypatch.undo()
    assert not is_read(File("", {}, b"").with_text(b"{}"))
