"""Hundreds of damaged seal files, each by name and with what its refusal must say; the same in every run.

Three good files, one a dialect, are broken in every way below. What is wrong with the layers of a well-formed file
is in `seal_level`, what fits no base in `base_level`; everything else is in `file_level`.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from file_examples import DIALECTS, File, good_file, make_file, numbers, ones, pair_keys

MIB = 1 << 20


@dataclass(frozen=True)
class Damaged:
    """One file. `says` is a regular expression its refusal must match."""

    name: str
    data: bytes
    says: str
    size_bytes: int = 0
    """Its size where that is more than its data: the rest is a hole, which takes no room on the disk."""

    def write(self, folder: Path) -> Path:
        path = folder / f"{self.name}.safetensors"
        path.write_bytes(self.data)
        if self.size_bytes:
            with path.open("r+b") as file:
                file.truncate(self.size_bytes)
        return path


def file_level() -> Iterator[Damaged]:
    """Files that are refused whatever their tensors would mean."""
    for dialect in DIALECTS:
        good = good_file(dialect)
        for family in (_cut, _lengths, _texts, _names, _entries, _shapes, _offsets, _metadata):
            for damaged in family(good):
                yield Damaged(f"{dialect}-{damaged.name}", damaged.data, damaged.says, damaged.size_bytes)
        yield from _values(dialect)
    yield from _bombs(good_file("kohya"))
    yield from _foreign()


def _cut(good: File) -> Iterator[Damaged]:
    whole = good.dump()
    start = len(whole) - len(good.data)
    for size in (1, 4, 7, 8, 9, 20, start // 2, start - 1):
        yield Damaged(f"cut-header-{size}", whole[:size], "header claims")
    for size in (0, 1, len(good.data) // 2, len(good.data) - 1):
        yield Damaged(f"cut-data-{size}", whole[: start + size], "cut short")
    yield Damaged("longer", whole + b"\0", "1 bytes too many")
    yield Damaged("head-lost", whole[8:], "is JSON text")


def _lengths(good: File) -> Iterator[Damaged]:
    whole = good.dump()

    def claiming(length: int) -> bytes:
        return length.to_bytes(8, "little") + whole[8:]

    for length in (1, len(whole) - 7, 10**6, 1 << 62, (1 << 64) - 1):
        yield Damaged(f"length-{length}", claiming(length), f"claims {length} bytes")
    yield Damaged("length-0", claiming(0), "unfinished download|claims 0 bytes")
    yield Damaged("length-short", claiming(30), "unreadable header")
    yield Damaged("header-100-mb", claiming(100 * MIB), "absurd header: 104857600 of", 130 * MIB)
    yield Damaged("header-9-mib", claiming(9 * MIB), "absurd header: 9437184 of", 10 * MIB)
    yield Damaged("whole-model", whole, "looks like|expected at most", 9 << 30)


def _texts(good: File) -> Iterator[Damaged]:
    text = json.dumps(good.header).encode()
    key = good.keys[0].encode()
    unreadable = {
        "brace-lost": text[:-1],
        "brace-early": text.replace(b'"pt"', b'"pt"}'),
        "comma": text[:-1] + b",}",
        "quotes": text.replace(b'"', b"'"),
        "bom": b"\xef\xbb\xbf" + text,
        "utf-16": text.decode().encode("utf-16"),
        "latin-1-name": text.replace(key, b"\xe9t\xe9"),
        "cut-utf-8-name": text.replace(key, b"\xf0\x9f\x98"),
        "latin-1-metadata": text.replace(b'"pt"', b'"\xe9"'),
        "raw-nul": text.replace(key, b"a\0b"),
        "raw-newline": text.replace(key, b"a\nb"),
        "nan": text.replace(b"[2, 6]", b"[NaN, 6]", 1),
        "infinity": text.replace(b"[2, 6]", b"[-Infinity, 6]", 1),
        "two-values": text + text,
        "zeros": bytes(len(text)),
    }
    for name, broken in unreadable.items():
        yield Damaged(f"text-{name}", good.with_text(broken), "unreadable header")
    for name, value in {"list": b"[1]", "string": b'"ab"', "number": b"17", "null": b"null"}.items():
        yield Damaged(f"text-{name}", good.with_text(value), "no table of tensors and strings")
    yield Damaged("no-tensors", good.with_text(b"{}"), "holds 0 tensors")
    entry = json.dumps({good.keys[0]: good.header[good.keys[0]]})[1:-1].encode()
    yield Damaged("twice-tensor", good.with_text(text[:-1] + b", " + entry + b"}"), "stands in it 2 times")
    for name, part in {
        "dtype": b'"dtype": "F32"',
        "shape": b'"shape": [2, 6]',
        "pt": b'"format": "pt"',
    }.items():
        twice = good.with_text(text.replace(part, part + b", " + part, 1))
        yield Damaged(f"twice-{name}", twice, "stands in it 2 times")


def _names(good: File) -> Iterator[Damaged]:
    first = good.keys[0]
    names = {
        "empty": "",
        "nul": f"{first}\0",
        "newline": f"a\n{first}",
        "escape": f"\x1b[31m{first}",
        "bell": "\a",
        "half-character": f"\ud800{first}",
        "right-to-left": f"\u202e{first}",
        "long": first * 20,
        "giant": "x" * 4_000_000,
    }
    for name, new in names.items():

        def rename(header: dict[str, Any], new: str = new) -> None:
            header[new] = header.pop(first)

        yield Damaged(f"name-{name}", good.edited(rename), "has a tensor named '")


def _entries(good: File) -> Iterator[Damaged]:
    first = good.keys[0]

    def setting(**values: object) -> bytes:
        return good.edited(lambda header: header[first].update(values))

    for part, says in (("dtype", "of type None"), ("shape", "shape None"), ("data_offsets", "offsets None")):
        lacking = good.edited(lambda header, part=part: header[first].pop(part))
        yield Damaged(f"lacks-{part}", lacking, says)
    for name, value in {"list": [1], "string": "F32", "null": None, "number": 5}.items():
        replaced = good.edited(lambda header, value=value: header.update({first: value}))
        yield Damaged(f"entry-{name}", replaced, "no table of tensors and strings")
    for dtype in ("F31", "f32", "BOOL", "I64", "I8", "U16", "C64", "F4", "", "F32\n", None, 32, ["F32"], {}):
        yield Damaged(f"dtype-{dtype}".strip(), setting(dtype=dtype), "is of type")
    for dtype in ("F64", "F16", "F8_E5M2"):
        yield Damaged(f"dtype-{dtype}", setting(dtype=dtype), "is 48 bytes long")
    if good.dialect == "kohya":
        alpha = good.keys[2]
        wide = good.edited(lambda header: header[alpha].update(dtype="U8", shape=[4]))
        yield Damaged("alpha-wide", wide, "the alpha .* has the shape \\(4,\\)")


def _shapes(good: File) -> Iterator[Damaged]:
    first = good.keys[0]

    def shaped(shape: object) -> bytes:
        return good.edited(lambda header: header[first].update(shape=shape))

    absurd: dict[str, object] = {
        "negative": [-2, 6],
        "both-negative": [-2, -6],
        "zero": [0, 6],
        "bool": [True, 12],
        "float": [2.0, 6],
        "exponent": [2e0, 6e0],
        "string": "2, 6",
        "strings": ["2", "6"],
        "nested": [[2], [6]],
        "table": {"2": 6},
        "9-dimensions": [1] * 7 + [2, 6],
        "1000-dimensions": [1] * 1000,
    }
    for name, shape in absurd.items():
        yield Damaged(f"shape-{name}", shaped(shape), "has the absurd shape")
    unfitting: dict[str, list[int]] = {
        "overflow": [1 << 32, 1 << 32],
        "overflow-to-12": [(1 << 62) + 3, 4],
        "immense": [(1 << 63) - 1] * 8,
        "larger": [2, 7],
        "smaller": [2, 5],
        "rank-4097": [4097, 6],
        "number": [],
    }
    for name, sizes in unfitting.items():
        yield Damaged(f"shape-{name}", shaped(sizes), "is 48 bytes long, its shape")
    text = json.dumps(good.header).encode()
    digits = good.with_text(text.replace(b"[2, 6]", b"[%s, 6]" % (b"9" * 100_000), 1))
    yield Damaged("shape-digits", digits, "a number of 100000 digits")
    infinite = good.with_text(text.replace(b"[2, 6]", b"[1e999, 6]", 1))
    yield Damaged("shape-1e999", infinite, r"absurd shape \[inf, 6\]")


def _offsets(good: File) -> Iterator[Damaged]:
    first, second = good.keys[:2]

    def at(begin: object, end: object, key: str = first) -> bytes:
        return good.edited(lambda header: header[key].update(data_offsets=[begin, end]))

    for name, pair in {
        "negative": (-48, 0),
        "float": (0, 48.0),
        "string": ("0", "48"),
        "null": (None, 48),
        "bool": (False, 48),
    }.items():
        yield Damaged(f"offsets-{name}", at(*pair), "has the absurd offsets")
    for name, value in {"one": [0], "three": [0, 24, 48], "number": 48, "table": {"0": 48}}.items():
        odd = good.edited(lambda header, value=value: header[first].update(data_offsets=value))
        yield Damaged(f"offsets-{name}", odd, "has the absurd offsets")
    for name, pair in {"swapped": (48, 0), "short": (0, 47), "long": (0, 49), "none": (0, 0)}.items():
        yield Damaged(f"offsets-{name}", at(*pair), "bytes long, its shape")
    yield Damaged("offsets-immense", at(2**63 - 49, 2**63 - 1), "leaves a gap before it")
    yield Damaged("offsets-overlap", at(44, 76, second), "overlaps the one before it")
    yield Damaged("offsets-same", at(0, 32, second), "overlaps the one before it|leaves a gap")
    yield Damaged("offsets-gap", at(52, 84, second), "leaves a gap before it")
    yield Damaged("offsets-beyond", at(10**9, 10**9 + 48), "leaves a gap before it")
    digits = json.dumps(good.header).encode().replace(b"[0, 48]", b"[0, 1%s]" % (b"0" * 30), 1)
    yield Damaged("offsets-digits", good.with_text(digits), "a number of 31 digits")

    def shift(header: dict[str, Any]) -> None:
        for key in good.keys:
            header[key]["data_offsets"] = [offset + 8 for offset in header[key]["data_offsets"]]

    yield Damaged("offsets-shifted", good.edited(shift), "leaves a gap before it")
    lost = good.edited(lambda header: header.pop(good.keys[-1]))
    yield Damaged("last-tensor-lost", lost, "too many follow its last tensor")
    yield Damaged("first-tensor-lost", good.edited(lambda header: header.pop(first)), "leaves a gap")


def _metadata(good: File) -> Iterator[Damaged]:
    values: dict[str, object] = {
        "null": None,
        "list": ["pt"],
        "string": "pt",
        "number": {"a": 1},
        "nested": {"a": {"b": "c"}},
        "null-value": {"a": None},
        "half-character": {"a": "\udfff"},
        "half-character-key": {"\udfff": "a"},
    }
    for name, value in values.items():
        changed = good.edited(lambda header, value=value: header.update(__metadata__=value))
        yield Damaged(f"metadata-{name}", changed, "no table of tensors and strings")


def _bombs(good: File) -> Iterator[Damaged]:
    for name, opening in {"lists": b"[", "tables": b'{"a":'}.items():
        deep = opening * 100_000
        yield Damaged(f"bomb-deep-{name}", good.with_text(b'{"a":' + deep), "nested too deeply")
    for name, item in {"lists": b"[],", "tables": b"{},", "strings": b'"",', "numbers": b"257,"}.items():
        many = b'{"a":[' + item * (8_000_000 // len(item)) + b"0]}"
        yield Damaged(f"bomb-{name}", good.with_text(many), "absurd header: .* commas and")
    for name, item in {"lists": b"[],", "tables": b"{},", "strings": b'"",', "floats": b"0.5,"}.items():
        many = b'{"a":{"dtype":"F32","shape":[' + item * 240_000 + b"0]}}"
        yield Damaged(f"bomb-below-limit-{name}", good.with_text(many), "absurd shape")
    numbers_of_digits = b'{"a":[' + (b"9" * 4000 + b",") * 1900 + b"0]}"
    yield Damaged("bomb-digits", good.with_text(numbers_of_digits), "a number of 4000 digits")
    entry = b'"%d":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
    entries = b"{" + b"".join(entry % index for index in range(100_000))
    yield Damaged("entries-100000", good.with_text(entries[:-1] + b"}"), "holds 100000 tensors")
    wide = '{"a":"' + "\U0001f600" * 1_900_000 + '\\n"}'
    yield Damaged("bomb-wide-string", good.with_text(wide.encode()), "no table of tensors and strings")


def _values(dialect: str) -> Iterator[Damaged]:
    for dtype in ("F32", "F16", "BF16", "F64"):
        good = good_file(dialect, dtype)
        size = len(numbers(dtype, 0))
        for value in (math.nan, math.inf, -math.inf):
            for position in (0, len(good.data) // 2 // size * size, len(good.data) - size):
                data = good.data[:position] + numbers(dtype, value) + good.data[position + size :]
                name = f"{dialect}-value-{dtype}-{value}-{position}"
                is_alpha = dialect == "kohya" and position == len(good.data) - size  # its last tensor is one
                says = f"absurd alpha {value}" if is_alpha else "holds NaN or infinity"
                yield Damaged(name, File(dialect, good.header, data).dump(), says)
    good = good_file(dialect, "F64")
    large = File(dialect, good.header, numbers("F64", 1e300) + good.data[8:])
    yield Damaged(f"{dialect}-value-1e300", large.dump(), "holds NaN or infinity")
    down, up = pair_keys(dialect, 0)
    for dtype, content in {"F8_E4M3": b"\x7f", "F8_E5M2": b"\x7c"}.items():
        eight_bit = make_file({down: (dtype, (2, 6), content * 12), up: ones("F16", 4, 2)}, dialect)
        yield Damaged(f"{dialect}-value-{dtype}", eight_bit.dump(), "holds NaN or infinity")


def _foreign() -> Iterator[Damaged]:
    rest = b" and so on" * 50
    kinds = {
        "zip": (b"PK\x03\x04\x14\0\0\0\x08\0" + rest, "is a zip archive"),
        "torch-zip": (b"PK\x03\x04\0\0\x08\x08\0\0" + rest, "is a zip archive"),
        **{
            f"pickle-{protocol}": (bytes([0x80, protocol]) + b"}q\0X\x05" + rest, "is a Python pickle")
            for protocol in range(2, 6)
        },
        "gguf": (b"GGUF\x03\0\0\0" + rest, "is a GGUF model"),
        "html": (b"<!DOCTYPE html>\n<html>" + rest, "is a web page"),
        "html-indented": (b"\r\n\t <html lang='en'>" + rest, "is a web page"),
        "html-bom": (b"\xef\xbb\xbf<!doctype html>" + rest, "is a web page"),
        "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>" + rest, "is a web page"),
        "json": (b'{"error": "unauthorized"}', "is JSON text"),
        "lfs": (
            b"version https://git-lfs.example/spec/v1\noid sha256:4d7a\nsize 1\n",
            "is a Git LFS pointer",
        ),
        "png": (b"\x89PNG\r\n\x1a\n" + rest, "is a picture"),
        "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF" + rest, "is a picture"),
        "webp": (b"RIFF\x10\x20\0\0WEBP" + rest, "is a picture"),
        "gzip": (b"\x1f\x8b\x08\0\x11\x22\x33\x44" + rest, "is a gzip archive"),
        "7z": (b"7z\xbc\xaf\x27\x1c\0\x04" + rest, "is a 7z archive"),
        "rar": (b"Rar!\x1a\x07\x01\0" + rest, "is a RAR archive"),
        "zeros": (bytes(4096), "is an unfinished download"),
        "text": (b"not a seal at all", "header claims"),
        "empty": (b"", "it is empty"),
    }
    for name, (data, says) in kinds.items():
        yield Damaged(f"foreign-{name}", data, says)


def seal_level() -> Iterator[Damaged]:
    """Well-formed files whose layers no training can have produced."""
    for dialect in DIALECTS:
        down, up = pair_keys(dialect, 0)

        def pair(
            *tensors: tuple[str, tuple[int, ...], bytes],
            dialect: str = dialect,
            keys: tuple[str, str] = (down, up),
        ) -> bytes:
            return make_file(dict(zip(keys, tensors, strict=False)), dialect).dump()

        shapes = {
            "rank-mismatch": ((2, 6), (4, 3)),
            "halves-swapped": ((6, 2), (2, 4)),
            "vector": ((2,), (4, 2)),
            "three-dimensions": ((2, 6, 1), (4, 2, 1)),
            "convolution-and-linear": ((2, 6, 3, 3), (4, 2)),
            "wide-up": ((2, 6, 3, 3), (4, 2, 3, 3)),
        }
        for name, (one, other) in shapes.items():
            data = pair(ones("F16", *one), ones("F16", *other))
            yield Damaged(f"{dialect}-{name}", data, "do not fit each other")
        huge = pair(ones("F16", 4097, 6), ones("F16", 4, 4097))
        yield Damaged(f"{dialect}-rank-4097", huge, "rank 4097 is absurd")
        yield Damaged(f"{dialect}-half", pair(ones("F16", 2, 6)), "has no 'up' tensor")
    for name, alpha in {"negative": -1.0, "zero": 0.0, "minus-zero": -0.0}.items():
        data = good_file("kohya", "F16", ("F16", numbers("F16", alpha))).dump()
        yield Damaged(f"kohya-alpha-{name}", data, "absurd alpha")
    for integer in (-1, 0):
        data = good_file("kohya", "F16", ("I64", numbers("I64", integer))).dump()
        yield Damaged(f"kohya-integer-alpha-{integer}", data, "absurd alpha")
    unknown = make_file({"model.layers.0.weight": ones("F16", 4, 4)}, "unknown")
    yield Damaged("unknown-names", unknown.dump(), "holds no layers of a seal")


def base_level(side: int) -> Iterator[Damaged]:
    """Sound files that cannot be used on a base whose first attention layer is `side` x `side`."""
    for dialect in DIALECTS:
        keys = pair_keys(dialect, 0)

        def pair(
            inputs: int, outputs: int, up: float, dialect: str = dialect, keys: tuple[str, str] = keys
        ) -> bytes:
            content = numbers("F16", up) * (outputs * 2)
            halves = ones("F16", 2, inputs), ("F16", (outputs, 2), content)
            return make_file(dict(zip(keys, halves, strict=True)), dialect).dump()

        for name, value in {"zero": 0.0, "minus-zero": -0.0}.items():
            yield Damaged(
                f"{dialect}-{name}", pair(side, side, value), "does nothing: every change in it is zero"
            )
        for inputs, outputs in (
            (320, 320),
            (side, 2 * side),
            (2 * side, side),
            (1, side * side),
            (4096, 4096),
        ):
            data = pair(inputs, outputs, 1.0)
            shapes = rf"changes weights of shape \({outputs}, {inputs}\), the base has \({side}, {side}\)"
            yield Damaged(f"{dialect}-shape-{outputs}-{inputs}", data, shapes)
    absent = {
        "unet.down_blocks.9.x.lora_A.weight": ones("F16", 2, 6),
        "unet.down_blocks.9.x.lora_B.weight": ones("F16", 4, 2),
    }
    yield Damaged(
        "absent-layers", make_file(absent).dump(), "none of the 1 layers of seal 'absent-layers' exist"
    )
