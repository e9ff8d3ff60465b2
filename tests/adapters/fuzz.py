"""Random damage to good seal files: whatever comes, the reader refuses it with a SealError or reads it rightly.

`python tests/adapters/fuzz.py --runs 100000`, or `make fuzz`. Every run depends on the seed and its number alone,
so that a failure can be repeated: `--seed S --first N --runs 1`.
"""

import argparse
import itertools
import json
import math
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import safetensors.torch
import torch
from file_examples import DIALECTS, File, good_file, make_file, numbers, ones

from sealsmith.adapters import Seal, parse_seal
from sealsmith.adapters.changes import tensors
from sealsmith.adapters.tensor_file import parse_tensor_file
from sealsmith.errors import SealError

LAYER = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_k"


def good_files() -> list[bytes]:
    """One small file of every kind that is read."""
    alpha = ("F16", (), numbers("F16", 1))
    loha = {f"{LAYER}.hada_{part}": ones("F16", *shape) for part, shape in _LOHA.items()}
    lokr = {f"{LAYER}.lokr_{part}": ones("BF16", *shape) for part, shape in _LOKR.items()}
    dora = {
        f"{LAYER}.lora_down.weight": ones("F32", 2, 6),
        f"{LAYER}.lora_up.weight": ones("F32", 4, 2),
        f"{LAYER}.dora_scale": ones("F32", 4, 1),
    }
    tucker = {
        f"{LAYER}.lora_down.weight": ones("F16", 2, 6, 1, 1),
        f"{LAYER}.lora_mid.weight": ones("F16", 2, 2, 3, 3),
        f"{LAYER}.lora_up.weight": ones("F16", 4, 2, 1, 1),
    }
    first = {"unet:0:up": ones("F32", 320, 1), "unet:0:down": ones("F32", 1, 320)}
    config = json.dumps({"unet.r": 2, "unet.lora_alpha": 3, "unet.target_modules": ["to_q"]})
    with_config = good_file("diffusers", "F16")
    with_config.header["__metadata__"]["lora_adapter_metadata"] = config
    others = [
        make_file(first, unet='["CrossAttention", "Attention", "GEGLU"]'),
        *(make_file(parts | {f"{LAYER}.alpha": alpha}) for parts in (loha, lokr, dora, tucker)),
    ]
    files = [good_file(dialect, dtype) for dialect in DIALECTS for dtype in ("F32", "F16")]
    return [file.dump() for file in (*files, with_config, *others)]


_LOHA = {"w1_a": (4, 2), "w1_b": (2, 6), "w2_a": (4, 2), "w2_b": (2, 6)}
_LOKR = {"w1": (2, 3), "w2_a": (2, 1), "w2_b": (1, 2)}

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]
VALUES = (
    "0", "-1", "1", "2", "3", "4096", "4097", "1e3", "1e999", "-0", str(2**31), str(2**63), str(2**64), "9" * 5000,
    "null", "true", '""', '"F16"', '"F64"', '"I64"', '"F8_E4M3"', "[]", "[0]", "[2,6]", "[1,1,1,1]", "{}", "NaN",
)  # fmt: skip
PIECES = (b"\0", b"\xff", b'"', b"{", b"}", b"[", b"]", b",", b"\\ud800", b"\\u0000", b"\\", b" ", b"\xc3")


def flip_bits(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def cut(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, stop = sorted(rng.choices(range(len(data) + 1), k=2))
    return rng.choice((data[:start], data[start:], data[:start] + data[stop:]))


def splice(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Some bytes of one file over, or between, those of another."""
    other = rng.choice(others)
    start = rng.randrange(len(other))
    piece = other[start : start + rng.randint(1, 64)]
    position = rng.randrange(len(data))
    return data[:position] + piece + data[position + rng.choice((0, len(piece))) :]


def edit_header(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Damage to the JSON alone, under a length that fits it again."""
    text, rest = _parts(data)
    position = rng.randrange(len(text))
    edited = rng.choice(
        (
            flip_bits(rng, text, others),
            cut(rng, text, others),
            splice(rng, text, [_parts(rng.choice(others))[0]]),
            text[:position] + rng.choice(PIECES) + text[position:],
        )
    )
    return File("", {}, rest).with_text(edited)


def edit_number(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Another value, of any kind, for some numbers and types in the JSON."""
    text, rest = _parts(data)
    edited = text.decode()
    for _ in range(rng.randint(1, 3)):
        spots = list(re.finditer(r'-?\d+|"(?:F32|F16|BF16)"|\[[^]\[]*\]', edited))
        if spots:
            spot = rng.choice(spots)
            edited = edited[: spot.start()] + rng.choice(VALUES) + edited[spot.end() :]
    return File("", {}, rest).with_text(edited.encode())


def edit_table(rng: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A header that is still JSON: tensors dropped, renamed, reshaped, exchanged or taken from another file."""
    text, rest = _parts(data)
    header = json.loads(text)
    keys = [key for key in header if key != "__metadata__"]
    one, other = rng.choice(keys), rng.choice(keys)
    foreign = json.loads(_parts(rng.choice(others))[0])
    kind = rng.randrange(5)
    if kind == 0:
        del header[one]
    elif kind == 1:
        header[rng.choice(list(foreign))] = header.pop(one)
    elif kind == 2:
        header[one], header[other] = header[other], header[one]
    elif kind == 3:
        header[one]["shape"] = rng.choice(_same_size(math.prod(header[one]["shape"])))
    else:
        header["__metadata__"] = foreign.get("__metadata__", {}) | {rng.choice(keys): rng.choice(VALUES)}
    return File("", header, rest).dump()


def _same_size(count: int) -> list[list[int]]:
    """Shapes of as many numbers."""
    divisors = [number for number in range(1, count + 1) if count % number == 0]
    pairs = [[number, count // number] for number in divisors]
    return [[count], [], *pairs, *([*pair, 1, 1] for pair in pairs), *([1, *pair, 1] for pair in pairs)]


def new_values(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Other numbers in the tensors."""
    text, rest = _parts(data)
    start = rng.randrange(len(rest))
    size = rng.randint(1, len(rest) - start)
    return File("", {}, rest[:start] + rng.randbytes(size) + rest[start + size :]).with_text(text)


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits, cut, splice, edit_header, edit_number, edit_table, new_values,
)  # fmt: skip


def _parts(data: bytes) -> tuple[bytes, bytes]:
    start = 8 + int.from_bytes(data[:8], "little")
    return data[8:start], data[start:]


def mutant(seed: int, number: int, goods: Sequence[bytes]) -> bytes:
    """The file that run `number` reads."""
    rng = random.Random(f"{seed} {number}")
    data = rng.choice(goods)
    try:
        for mutate in rng.choices(MUTATIONS, k=rng.choice((1, 1, 1, 2))):
            data = mutate(rng, data, goods)
    except (ValueError, LookupError, TypeError, AttributeError):
        return data  # already so damaged that the second mutation finds no header in it
    return data


def check_seal(seal: Seal) -> None:
    """What holds for every seal that was read, however it came about."""
    assert seal.layers
    for path, change in seal.layers.items():
        assert path.isprintable()
        assert change.rank > 0
        assert math.isfinite(change.alpha)
        assert change.delta(torch.zeros(change.shape)).shape == torch.Size(change.shape)
        assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors(change).values())
    "".join(itertools.chain(*seal.metadata.items())).encode()


def check_tensors(data: bytes) -> None:
    """What we take, safetensors' own reader takes too, and finds the same in it."""
    ours, theirs = parse_tensor_file(data, "mutant").tensors, safetensors.torch.load(data)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], tensor.to(ours[key].dtype)) for key, tensor in theirs.items())


def fuzz(seed: int, numbers: Sequence[int], seconds: float = math.inf) -> tuple[int, int]:
    """Reads mutants; returns how many were read and how many refused.

    Raises: RuntimeError naming the run when anything but a SealError came out.
    """
    goods = good_files()
    deadline = time.monotonic() + seconds
    read = refused = 0
    for number in numbers:
        if time.monotonic() > deadline:
            break
        data = mutant(seed, number, goods)
        try:
            sound = is_read(data)
        except Exception as error:
            raise RuntimeError(f"run {number} of seed {seed} ended in {error!r}") from error
        read, refused = read + sound, refused + (not sound)
    return read, refused


def is_read(data: bytes) -> bool:
    """Whether the reader takes this file rather than refusing it; both must happen as they should."""
    try:
        seal = parse_seal(data, "mutant")
    except SealError as error:
        sentence = str(error)
    else:
        check_seal(seal)
        check_tensors(data)
        return True
    assert sentence.isprintable(), sentence
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description="Read randomly damaged seal files.")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first run")
    parser.add_argument(
        "--seconds", type=float, default=math.inf, help="stop after so many, whatever is left"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, help="write the first mutant there instead of reading any")
    options = parser.parse_args()
    if options.save:
        options.save.write_bytes(mutant(options.seed, options.first, good_files()))
        return
    torch.set_num_threads(1)
    start = time.monotonic()
    read, refused = fuzz(options.seed, range(options.first, options.first + options.runs), options.seconds)
    print(f"{read + refused} mutants in {time.monotonic() - start:.0f} s: {refused} refused, {read} read")
    if read + refused < options.runs:
        sys.exit(f"only {read + refused} of {options.runs} runs fitted into {options.seconds:.0f} s")


if __name__ == "__main__":
    main()
