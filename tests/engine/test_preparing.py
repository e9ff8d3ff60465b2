"""What becomes of a seal's file in the engine's memory."""

import dataclasses

import pytest
import safetensors.torch
import torch
from order_examples import on_convolutions
from seal_examples import equal_layers, random_seal, state

from sealsmith.adapters import LowRank, Seal, dump_seal, parse_seal
from sealsmith.adapters.changes import Full, tensors
from sealsmith.bases import Base
from sealsmith.engine.preparing import OVERHEAD_BYTES, in_precision, preparing
from sealsmith.engine.store import digest_of
from sealsmith.errors import BaseMismatchError, SealError, SealFormatError


def halved(seal: Seal) -> Seal:
    layers = {
        path: dataclasses.replace(change, down=change.down.half(), up=change.up.half())
        for path, change in seal.layers.items()
        if isinstance(change, LowRank)
    }
    return dataclasses.replace(seal, layers=layers)


def num_bytes(seal: Seal) -> int:
    return sum(each.nbytes for change in seal.layers.values() for each in tensors(change).values())


def test_a_seal_lies_in_memory_once_as_the_pool_wants_it(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ("to_q", "to_v"))
    data = bytearray(dump_seal(seal))
    ready, size = preparing(tiny_base)(digest_of(data), data)
    assert equal_layers(ready.seal, seal)
    assert ready.packed is not None
    begin, stop = span(ready.packed.stream)
    for change in ready.seal.layers.values():
        for each in tensors(change).values():
            first, last = span(each)
            assert begin <= first < last <= stop
    assert size == num_bytes(seal) + OVERHEAD_BYTES
    data.extend(b"x")  # nothing is a view of these bytes
    assert ready.key == ready.use.file_hash == digest_of(dump_seal(seal))
    assert ready.use.trigger == "sks"


def span(tensor: torch.Tensor) -> tuple[int, int]:
    """Its first byte in memory, and the one behind its last."""
    return tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes


def test_a_seal_with_nothing_of_low_rank_is_used_as_its_file_lies(tiny_base: Base) -> None:
    path = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    weight = tiny_base.denoiser.get_submodule(path.removeprefix("unet.")).weight
    change = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    whole = dataclasses.replace(random_seal(tiny_base, ("to_q",)), layers={path: Full(change.half())})
    file_bytes = num_bytes(whole) + 7
    assert in_precision(whole, torch.float32, file_bytes) == (whole, file_bytes)
    assert in_precision(whole, torch.float32, 7) == (whole, num_bytes(whole)), "what the reader made larger"


@pytest.mark.parametrize("kind", ["loha", "lokr", "lokr-whole"])
@pytest.mark.parametrize("has_low_rank", [False, True])
def test_a_seal_is_counted_at_no_less_than_it_takes(tiny_base: Base, kind: str, has_low_rank: bool) -> None:
    """Its convolutions are laid out anew, as low rank or in full, beside the file's own and the pool's stream."""
    plain = random_seal(tiny_base, ("to_q",))
    seal = on_convolutions(tiny_base, plain, kind)
    if has_low_rank:
        seal = dataclasses.replace(seal, layers={**seal.layers, **plain.layers})
    data = bytearray(dump_seal(seal, "kohya"))
    ready, size = preparing(tiny_base)("0" * 64, data)
    kept = [change for part in (ready.seal.layers, ready.fit.changes) for change in part.values()]
    matrices = [each for change in kept for each in tensors(change).values()]
    if kind != "lokr-whole":
        assert ready.packed is not None
        assert all(isinstance(change, LowRank) for change in ready.fit.changes.values())
        matrices.append(ready.packed.stream)
    places = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in matrices}
    assert sum(places.values()) <= size


def test_a_file_in_half_precision_is_converted_once_and_its_bytes_are_let_go(tiny_base: Base) -> None:
    seal = halved(random_seal(tiny_base, ("to_q", "to_v")))
    data = bytearray(dump_seal(seal))
    ready, size = preparing(tiny_base)("0" * 64, data)
    assert {each.dtype for change in ready.seal.layers.values() for each in tensors(change).values()} == {
        torch.float32
    }
    assert size == num_bytes(ready.seal) + OVERHEAD_BYTES == 2 * num_bytes(seal) + OVERHEAD_BYTES
    data.extend(b"x")
    for path, change in seal.layers.items():
        for name, tensor in tensors(change).items():
            assert torch.equal(tensors(ready.seal.layers[path])[name], tensor.float())


def test_in_half_precision_both_ways(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ("to_q",))
    data = bytearray(dump_seal(seal))
    half, size = in_precision(parse_seal(data), torch.float16, len(data))
    assert size == num_bytes(seal) // 2
    again, same = in_precision(half, torch.float16, 7)
    assert same == size
    assert equal_layers(again, half)


def test_values_that_are_not_finite_are_the_seal_s_own_error(tiny_base: Base) -> None:
    tensors = {key: tensor.clone() for key, tensor in state(random_seal(tiny_base, ("to_q",))).items()}
    next(iter(tensors.values())).view(-1)[0] = float("nan")
    data = bytearray(safetensors.torch.save(tensors))
    with pytest.raises(SealFormatError, match=r"seal 000000000000.*NaN or infinity"):
        preparing(tiny_base)("0" * 64, data)


def test_a_seal_for_another_base_is_refused_when_it_is_prepared(tiny_base: Base, tiny_flux: Base) -> None:
    data = bytearray(dump_seal(random_seal(tiny_flux, ("to_q",))))
    with pytest.raises(SealError) as caught:
        preparing(tiny_base)("0" * 64, data)
    assert isinstance(caught.value, BaseMismatchError)
