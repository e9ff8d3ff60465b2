"""Zips from strangers over HTTP: names that lead out, links, bombs, lies, odd encodings. Nothing is unpacked."""

import io
import stat
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import numpy as np
import pytest
from PIL import Image


class Archive(NamedTuple):
    name: str
    data: bytes


def png(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 48, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def entry(name: str, mode: int = 0, system: int = 3) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr, info.create_system = mode << 16, system
    return info


def zip_of(*entries: tuple[zipfile.ZipInfo | str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    """A zip with one good picture and these."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        archive.writestr("good.png", png())
        for name, data in entries:
            archive.writestr(name, data)
    return buffer.getvalue()


def leading_out() -> Iterator[Archive]:
    """Zip slip in all spellings."""
    ups = (
        "../",
        "..\\",
        "x/../../",
        "x\\..\\..\\",
        "./../",
        "/",
        "\\",
        "//host/",
        "\\\\host\\",
        "C:/",
        "c:\\",
        "C:",
    )
    for up in ups:
        for target in ("a.png", "etc/cron.d/a.png"):
            yield Archive(f"slip-{up}{target}", zip_of((up + target, png(1))))
    yield Archive("slip-alone", zip_of(("..", b"x")))
    yield Archive("slip-deep", zip_of(("../" * 40 + "a.png", png(1))))
    yield Archive("slip-text", zip_of(("../a.txt", b"x")))
    yield Archive("slip-hidden", zip_of((".git/../../a.png", png(1))))


def special() -> Iterator[Archive]:
    kinds = {
        "link": stat.S_IFLNK,
        "pipe": stat.S_IFIFO,
        "device": stat.S_IFCHR,
        "block": stat.S_IFBLK,
        "socket": stat.S_IFSOCK,
    }
    for kind, mode in kinds.items():
        for name in ("a.png", "folder/a.txt"):
            yield Archive(f"{kind}-{name}", zip_of((entry(name, mode | 0o777), b"/etc/passwd")))
    for bits in (0o6755, 0o1777):
        yield Archive(f"link-{bits:o}", zip_of((entry("a.png", stat.S_IFLNK | bits), b"../../x")))


def bombs() -> Iterator[Archive]:
    for size in (2 << 20, 16 << 20, 64 << 20):
        for name in ("a.png", "a.txt"):
            yield Archive(f"bomb-{size}-{name}", zip_of((name, bytes(size)), packing=zipfile.ZIP_DEFLATED))
    inner = zip_of(("b.png", bytes(64 << 20)), packing=zipfile.ZIP_DEFLATED)
    yield Archive("many", zip_of(*((f"{number}.txt", b"") for number in range(10_001))))
    declared = bytearray(zip_of(("a.png", b""), ("b.png", b"")))
    for place in places(declared, b"PK\1\2"):
        declared[place + 20 : place + 28] = struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFF0)
    yield Archive("declared-12-gib", bytes(declared))
    yield Archive(
        "bomb-beside-zip",
        zip_of(("inner.zip", inner), ("a.png", bytes(3 << 20)), packing=zipfile.ZIP_DEFLATED),
    )
    yield Archive("overlapping", overlapping())


def overlapping() -> bytes:
    """Many entries of the list that lead to the same packed bytes, each of which unpacks to a lot."""
    whole = zip_of(("a.png", bytes(8 << 20)), packing=zipfile.ZIP_DEFLATED)
    start = whole.rindex(b"PK\1\2")
    end = whole.rindex(b"PK\5\6")
    row, tail = whole[start:end], bytearray(whole[end:])
    rows = whole[whole.index(b"PK\1\2") : start] + row * 500
    tail[8:12] = struct.pack("<HH", 501, 501)
    tail[12:16] = struct.pack("<I", len(rows))
    return whole[: whole.index(b"PK\1\2")] + rows + bytes(tail)


def places(data: bytes | bytearray, mark: bytes) -> Iterator[int]:
    place = -1
    while (place := data.find(mark, place + 1)) >= 0:
        yield place


def lies() -> Iterator[Archive]:
    good = zip_of(("a.png", png(1)))

    def changed(change: Callable[[bytearray], object]) -> bytes:
        data = bytearray(good)
        change(data)
        return bytes(data)

    end = good.rindex(b"PK\5\6")
    for size in (1 << 24, 1 << 30, 0xFFFFFFFF):
        yield Archive(f"list-{size}", good[: end + 12] + struct.pack("<I", size) + good[end + 16 :])
    yield Archive("list-far", good[: end + 16] + struct.pack("<I", 1 << 30) + good[end + 20 :])
    yield Archive("zip64", good[:end] + b"PK\6\6" + bytes(52) + b"PK\6\7" + bytes(16) + good[end:])
    for keep in (2, 10, 30, 100, len(good) // 2, len(good) - 30, len(good) - 10):
        yield Archive(f"cut-{keep}", good[:keep])
    for place in places(good, b"PK\1\2"):
        yield Archive(f"entry-lost-{place}", good[:place] + b"XX" + good[place + 2 :])
    for packing in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield Archive(f"packing-{packing}", zip_of(("a.png", png(1)), packing=packing))
    for method in (1, 6, 9, 95, 97, 99):

        def pack(data: bytearray, method: int = method) -> None:
            for place in places(bytes(data), b"PK\1\2"):
                data[place + 10 : place + 12] = struct.pack("<H", method)

        yield Archive(f"method-{method}", changed(pack))

    def encrypt(data: bytearray) -> None:
        for place in places(bytes(data), b"PK\1\2"):
            data[place + 8] |= 1

    yield Archive("encrypted", changed(encrypt))


def empty() -> Iterator[Archive]:
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    yield Archive("empty", buffer.getvalue())
    for name in ("a.txt", ".hidden.png", "__MACOSX/a.png", "a.svg", "a.exe", "inner.zip"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(name, png())
        yield Archive(f"nothing-but-{name}", buffer.getvalue())
    for kind, data in {
        "tar": b"a.png" + bytes(507) + png(),
        "gzip": b"\x1f\x8b\x08\0",
        "7z": b"7z\xbc\xaf\x27\x1c",
    }.items():
        yield Archive(f"{kind}-as-zip", data + bytes(600))


def odd_but_sound() -> Iterator[Archive]:
    """Archives that are read: their odd entries are harmless, and none becomes a file."""
    names = (
        "日本.png",
        "é.png",
        "a\u202egnp.png",
        "a b.png",
        "x/" * 60 + "a.png",
        "con.png",
        "a.png.exe",
        "a" * 240 + ".png",
    )
    for name in names:
        yield Archive(f"name-{name[:20]}", zip_of((name, png(1))))
    latin = bytearray(zip_of(("aaaa.png", png(1))))
    for place in places(bytes(latin), b"aaaa.png"):
        latin[place : place + 4] = b"\x82\xe1\xff\x80"
    yield Archive("name-cp437", bytes(latin))
    yield Archive("same-name-twice", zip_of(("b.png", png(1)), ("B.png", png(2))))
    yield Archive("beginning-of-another", b"PK" + bytes(40) + zip_of(("b.png", png(1))))
    yield Archive("comment", with_comment(zip_of(("b.png", png(1))), b"<script>alert(1)</script>"))
    torn = bytearray(zip_of(("b.png", png(1))))
    torn[torn.rindex(b"IDAT") + 9] ^= 0xFF
    yield Archive("one-torn-picture", bytes(torn))


def with_comment(data: bytes, comment: bytes) -> bytes:
    return data[:-2] + struct.pack("<H", len(comment)) + comment


HOSTILE = [*leading_out(), *special(), *bombs(), *lies(), *empty()]
SOUND = list(odd_but_sound())


def check(client: httpx2.Client, archive: Archive) -> httpx2.Response:
    return client.post(
        "/v1/picture-sets/check", files={"file": ("set.zip", archive.data)}, data={"trigger": "sks"}
    )


def test_the_archives_are_many() -> None:
    names = [archive.name for archive in (*HOSTILE, *SOUND)]
    assert len(set(names)) == len(names)
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("archive", HOSTILE, ids=lambda archive: ascii(archive.name))
def test_a_hostile_archive_is_refused_whole(client: httpx2.Client, archive: Archive) -> None:
    answer = check(client, archive)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] == "picture-set"
    assert error["remedy"]
    assert tempfile.gettempdir() not in answer.text


@pytest.mark.parametrize("archive", SOUND, ids=lambda archive: ascii(archive.name))
def test_an_odd_archive_is_read_without_a_trace(
    client: httpx2.Client, archive: Archive, uploads_left: Callable[[], set[Path]]
) -> None:
    answer = check(client, archive)
    assert answer.status_code == 200, answer.text
    assert answer.json()["kind"] == "zip"
    assert answer.json()["num_pictures"] >= 1
    assert tempfile.gettempdir() not in answer.text
    assert not uploads_left()
