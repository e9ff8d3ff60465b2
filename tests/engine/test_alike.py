"""Seals made ready by the pattern of another, and those that must not be."""

import dataclasses
import gc
import json
import weakref
from collections.abc import Callable

import pytest
import torch
from seal_examples import changed, random_seal

from sealsmith.adapters import LowRank, Seal, SealHeader, dump_seal, parse_seal
from sealsmith.adapters.changes import Full
from sealsmith.adapters.seal_file import own_words
from sealsmith.bases import Base
from sealsmith.engine.alike import MAX_KEPT, Alike
from sealsmith.engine.fitted import FittedSeal
from sealsmith.engine.preparing import preparing
from sealsmith.engine.store import digest_of
from sealsmith.errors import SealEffectError, SealError, SealFormatError

TARGETS = ("to_q", "to_out.0", "proj_in", "conv1")
TEXT = "text_encoder.encoder.layers.0.self_attn.q_proj"


def whole(base: Base, data: bytes | bytearray) -> tuple[FittedSeal, int]:
    """Made ready by nothing but its own file."""
    return preparing(base)(digest_of(data), bytearray(data))


def with_text(base: Base, seal: Seal, seed: int) -> Seal:
    generator = torch.Generator().manual_seed(seed)
    width = base.components["text_encoder"].config.hidden_size
    change = LowRank(
        torch.randn(4, width, generator=generator), torch.randn(width, 4, generator=generator), 6.0
    )
    return dataclasses.replace(seal, layers={TEXT: change, **seal.layers})


def example(base: Base, seed: int, **kwargs: object) -> bytes:
    seal = random_seal(base, TARGETS, seed=seed, trigger=f"word{seed}", **kwargs)  # type: ignore[arg-type]
    return dump_seal(with_text(base, seal, seed))


def assert_same(one: FittedSeal, other: FittedSeal) -> None:
    """Everything about them, numbers and places in memory included."""
    for name in ("key", "report", "use", "can_merge"):
        assert getattr(one, name) == getattr(other, name), name
    assert one.seal.header == other.seal.header
    assert one.seal.metadata == other.seal.metadata
    assert one.seal.dialect == other.seal.dialect
    pairs = [(one.seal.layers, other.seal.layers), (one.fit.changes, other.fit.changes)]
    for part in ("text", "denoiser"):
        mine, theirs = getattr(one, part), getattr(other, part)
        assert (mine is None) == (theirs is None)
        if mine is not None:
            pairs.append((mine.layers, theirs.layers))
            assert mine.header == theirs.header
    for mine, theirs in pairs:
        assert list(mine) == list(theirs)
        for path, change in mine.items():
            other_change = theirs[path]
            assert isinstance(change, LowRank)
            assert isinstance(other_change, LowRank)
            assert change.alpha == other_change.alpha
            assert torch.equal(change.down, other_change.down)
            assert torch.equal(change.up, other_change.up)
    assert dataclasses.replace(one.fit, changes={}, modules={}).verdict == other.fit.verdict
    assert {path: id(module) for path, module in one.fit.modules.items()} == {
        path: id(module) for path, module in other.fit.modules.items()
    }
    assert one.packed is not None
    assert other.packed is not None
    assert (one.packed.places, one.packed.checksum) == (other.packed.places, other.packed.checksum)
    assert torch.equal(one.packed.stream, other.packed.stream)
    first = next(iter(one.seal.layers.values()))
    assert isinstance(first, LowRank)
    assert one.packed.stream.untyped_storage().data_ptr() == first.down.untyped_storage().data_ptr()


class Watched:
    """Preparing that tells how often a seal was read the whole way."""

    def __init__(self, base: Base, monkeypatch: pytest.MonkeyPatch):
        self.num_read = 0
        self._prepare = preparing(base)

        def read(data: bytearray, name: str) -> Seal:
            self.num_read += 1
            return parse_seal(data, name)

        monkeypatch.setattr("sealsmith.engine.preparing.parse_seal", read)

    def __call__(self, data: bytes) -> FittedSeal:
        return self._prepare(digest_of(data), bytearray(data))[0]


def test_the_second_of_a_table_is_what_it_would_be_by_itself(
    tiny_base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = Watched(tiny_base, monkeypatch)
    prepare(example(tiny_base, 0))
    for seed in (1, 2, 3):
        data = example(tiny_base, seed, training={"num_steps": seed, "who": "Ω" * seed})
        ready = prepare(data)
        assert prepare.num_read == 1
        assert_same(ready, whole(tiny_base, data)[0])
        prepare.num_read = 1  # the line above read it, too


def test_it_takes_the_bytes_it_takes(tiny_base: Base) -> None:
    prepare = preparing(tiny_base)
    sizes = [prepare(digest_of(data), bytearray(data))[1] for data in map(example, [tiny_base] * 2, (0, 1))]
    assert sizes[0] == sizes[1] == whole(tiny_base, example(tiny_base, 1))[1]


def test_files_in_half_precision_have_a_pattern_too(tiny_base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    def halved(seed: int) -> bytes:
        seal = random_seal(tiny_base, TARGETS, seed=seed)
        layers = {
            path: dataclasses.replace(change, down=change.down.half(), up=change.up.half())
            for path, change in seal.layers.items()
            if isinstance(change, LowRank)
        }
        return dump_seal(dataclasses.replace(seal, layers=layers))

    prepare = Watched(tiny_base, monkeypatch)
    prepare(halved(0))
    ready = prepare(halved(1))
    assert prepare.num_read == 1
    assert_same(ready, whole(tiny_base, halved(1))[0])


def with_number(value: float) -> Callable[[Seal], Seal]:
    def change(seal: Seal) -> Seal:
        path, first = next(iter(seal.layers.items()))
        assert isinstance(first, LowRank)
        down = first.down.clone()
        down.view(-1)[0] = value
        return dataclasses.replace(seal, layers={**seal.layers, path: dataclasses.replace(first, down=down)})

    return change


def forged(base: Base, change: Callable[[Seal], Seal], monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A file that we would not write."""
    with monkeypatch.context() as patch:
        for name in ("check_finite", "check_layers"):
            patch.setattr(f"sealsmith.adapters.seal_file.{name}", lambda _: None)
        return dump_seal(change(random_seal(base, TARGETS, seed=5)))


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (with_number(float("nan")), SealFormatError, "NaN or infinity"),
        (with_number(float("inf")), SealFormatError, "NaN or infinity"),
        (lambda seal: changed(seal, up=0.0), SealEffectError, "does nothing"),
        (
            lambda seal: dataclasses.replace(seal, header=dataclasses.replace(seal.header, family="flux")),
            SealError,
            "was made for flux",
        ),
    ],
)
def test_what_is_wrong_with_one_is_said_as_ever(
    tiny_base: Base,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Seal], Seal],
    error: type[SealError],
    said: str,
) -> None:
    prepare = preparing(tiny_base)
    first = dump_seal(random_seal(tiny_base, TARGETS))
    prepare(digest_of(first), bytearray(first))
    data = forged(tiny_base, change, monkeypatch)
    with pytest.raises(error, match=said):
        prepare(digest_of(data), bytearray(data))


def test_damaged_bytes_are_found(tiny_base: Base) -> None:
    prepare = preparing(tiny_base)
    data = bytearray(example(tiny_base, 0))
    prepare(digest_of(data), bytearray(data))
    data[-3] ^= 1
    with pytest.raises(SealFormatError, match="do not have the hash"):
        prepare(digest_of(data), data)


def in_words(data: bytes, **words: str) -> bytes:
    """The file with other strings in its header."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] |= words
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


@pytest.mark.parametrize(
    "other",
    [
        lambda base: dump_seal(random_seal(base, TARGETS, seed=1, alpha=7.0)),
        lambda base: dump_seal(random_seal(base, TARGETS, seed=1, rank=3)),
        lambda base: dump_seal(random_seal(base, TARGETS[:2], seed=1)),
        lambda base: in_words(dump_seal(random_seal(base, TARGETS, seed=1)), lora_adapter_metadata="{}"),
        lambda base: in_words(dump_seal(random_seal(base, TARGETS, seed=1)), unet="Other"),
    ],
    ids=["alpha", "rank", "layers", "no-alpha", "words"],
)
def test_another_table_or_words_that_mean_something_are_read_the_whole_way(
    tiny_base: Base, monkeypatch: pytest.MonkeyPatch, other: Callable[[Base], bytes]
) -> None:
    prepare = Watched(tiny_base, monkeypatch)
    prepare(dump_seal(random_seal(tiny_base, TARGETS)))
    data = other(tiny_base)
    ready = prepare(data)
    assert prepare.num_read == 2
    assert_same(ready, whole(tiny_base, data)[0])


def test_one_trained_on_other_weights_says_so(tiny_base: Base) -> None:
    prepare = preparing(tiny_base)
    first = dump_seal(random_seal(tiny_base, TARGETS))
    prepare(digest_of(first), bytearray(first))
    seal = random_seal(tiny_base, TARGETS, seed=1)
    data = dump_seal(dataclasses.replace(seal, header=dataclasses.replace(seal.header, base_digest="0" * 64)))
    assert "other weights" in prepare(digest_of(data), bytearray(data))[0].report.other_base


def test_one_layer_without_effect_leaves_the_seal_to_the_whole_way(tiny_base: Base) -> None:
    def partly(seed: int) -> bytes:
        seal = random_seal(tiny_base, TARGETS, seed=seed)
        path, change = list(seal.layers.items())[3]
        assert isinstance(change, LowRank)
        return dump_seal(
            dataclasses.replace(
                seal, layers={**seal.layers, path: dataclasses.replace(change, up=0 * change.up)}
            )
        )

    prepare = preparing(tiny_base)
    first = dump_seal(random_seal(tiny_base, TARGETS))
    prepare(digest_of(first), bytearray(first))
    for data in (partly(1), partly(2)):
        ready, _ = prepare(digest_of(data), bytearray(data))
        assert len(ready.fit.changes) == len(ready.seal.layers) - 1


def test_seals_that_are_more_than_low_rank_have_no_pattern(tiny_base: Base) -> None:
    path = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    weight = tiny_base.denoiser.get_submodule(path.removeprefix("unet.")).weight
    seal = random_seal(tiny_base, ("to_v",))
    mixed = dataclasses.replace(seal, layers={**seal.layers, path: Full(torch.ones(weight.shape))})
    data = dump_seal(mixed, "kohya")
    file = bytearray(data)
    alike, words = Alike(tiny_base.dtype), own_words(file)
    assert words is not None
    alike.learn(words, parse_seal(file), *whole(tiny_base, data))
    assert alike.ready("0" * 64, words) is None


def proved_header(data: bytes) -> SealHeader | None:
    words = own_words(bytearray(data))
    return words and words.proved_header()


def test_another_s_file_has_no_words_of_ours(tiny_base: Base) -> None:
    data = example(tiny_base, 0)
    assert proved_header(data) is not None
    assert proved_header(data[:-4]) is None
    assert proved_header(b"") is None
    assert proved_header(data[:100]) is None
    assert proved_header(data.replace(b'"sealsmith":', b'"sealsmit_":')) is None


def test_a_pattern_keeps_none_of_the_first_seal_s_numbers(tiny_base: Base) -> None:
    prepare = preparing(tiny_base)
    data = example(tiny_base, 0)
    ready = prepare(digest_of(data), bytearray(data))[0]
    gone: list[weakref.ref[object]] = [weakref.ref(ready.seal), weakref.ref(ready.fit)]
    assert ready.packed is not None
    gone.append(weakref.ref(ready.packed))
    del ready
    gc.collect()
    assert [each() for each in gone] == [None, None, None]


def test_patterns_are_kept_within_bounds(tiny_base: Base) -> None:
    alike = Alike(tiny_base.dtype)
    data = bytearray(dump_seal(random_seal(tiny_base, ("to_q",))))
    words, ready, read = own_words(data), whole(tiny_base, data), parse_seal(data)
    assert words is not None
    asked = [
        dataclasses.replace(words, metadata={**words.metadata, "word": str(number)})
        for number in range(MAX_KEPT + 3)
    ]
    for each in asked:
        alike.learn(each, read, *ready)
    known = [alike.ready("0" * 64, each) is not None for each in asked]
    assert known == [False] * 3 + [True] * MAX_KEPT
