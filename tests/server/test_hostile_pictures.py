"""Pictures from strangers over HTTP: bombs, polyglots, torn files, lying headers, drawings that reach out.

Each is refused with a sentence, or read as the plain picture it also is; the server stays, keeps nothing, and
nobody is called.
"""

import io
import random
import socket
import struct
import tempfile
import time
import zipfile
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

REFUSALS = {"picture", "picture-set", "config", "input"}
HANDLERS = (
    "load", "error", "click", "mouseover", "focusin", "begin", "end", "repeat", "activate", "scroll", "unload",
    "toggle",
)  # fmt: skip
REMOTE = (
    "{host}/x", "http:{host}/x", "https:{host}/x", "ftp:{host}/x", "file:///etc/passwd", "//127.0.0.1/x",
    "javascript:f()",
)  # fmt: skip
REFERRERS = (
    "use", "feImage", "linearGradient", "radialGradient", "pattern", "textPath", "mpath", "filter", "tref",
    "cursor",
)  # fmt: skip
PAINTS = ["fill", "stroke", "filter", "mask", "clip-path", "marker-end", "marker-start", "cursor"]


class Hostile(NamedTuple):
    """An upload that must be refused."""

    name: str
    file_name: str
    data: bytes


def noise(width: int = 96, height: int = 64) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def encoded(form: str, image: Image.Image | None = None) -> bytes:
    buffer = io.BytesIO()
    (image or noise()).save(buffer, form)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes, crc: int | None = None) -> bytes:
    sum_ = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", sum_)


def png_of(
    width: int, height: int, depth: int = 8, colour: int = 2, body: bytes = b"", rest: bytes = b""
) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + rest + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")


def bombs() -> Iterator[Hostile]:
    sides = [(100_000, 100_000), (2**31 - 1, 1), (2**31 - 1, 2**31 - 1), (65_535, 65_535), (20_000, 20_000)]
    for wide, high in [*sides, (9_000, 9_000), (1_000_000, 81), (1, 2**31 - 1), (0, 5), (5, 0)]:
        yield Hostile(f"png-{wide}x{high}", "a.png", png_of(wide, high))
    for depth, colour in ((1, 0), (1, 3), (8, 0), (16, 6)):
        yield Hostile(
            f"png-inflates-{depth}-{colour}", "a.png", png_of(30_000, 30_000, depth, colour, bytes(1 << 24))
        )
    for wide, high in ((65_535, 65_535), (40_000, 3_000), (9_001, 9_001)):
        gif = bytearray(encoded("GIF"))
        gif[6:10] = struct.pack("<HH", wide, high)
        yield Hostile(f"gif-{wide}x{high}", "a.gif", bytes(gif))
        jpeg = bytearray(encoded("JPEG"))
        place = jpeg.index(b"\xff\xc0") + 5
        jpeg[place : place + 4] = struct.pack(">HH", high, wide)
        yield Hostile(f"jpeg-{wide}x{high}", "a.jpg", bytes(jpeg))
    for size in (1 << 21, 1 << 25):
        text = chunk(b"zTXt", b"parameters\0\0" + zlib.compress(bytes(size)))
        yield Hostile(f"png-text-{size}", "a.png", png_of(64, 64, rest=text))
    many = b"".join(chunk(b"zTXt", b"k%d\0\0" % i + zlib.compress(bytes(1 << 20))) for i in range(80))
    yield Hostile("png-many-texts", "a.png", png_of(64, 64, rest=many))
    tiny = "a.png", encoded("PNG", noise(8, 8))
    yield Hostile("tiny", *tiny)


def torn() -> Iterator[Hostile]:
    for form, name in (("PNG", "a.png"), ("JPEG", "a.jpg"), ("WEBP", "a.webp"), ("GIF", "a.gif")):
        whole = encoded(form)
        for share in (0.001, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7):
            yield Hostile(f"{form}-cut-{share}", name, whole[: max(1, int(len(whole) * share))])
        yield Hostile(f"{form}-head-lost", name, whole[4:])
        yield Hostile(f"{form}-zeroed", name, whole[:24] + bytes(len(whole) - 24))
        yield Hostile(f"{form}-backwards", name, whole[::-1])


def lying() -> Iterator[Hostile]:
    for depth, colour in ((3, 2), (0, 2), (255, 2), (8, 1), (8, 5), (8, 7), (16, 3), (1, 2), (2, 4)):
        yield Hostile(
            f"png-depth-{depth}-colour-{colour}", "a.png", png_of(64, 64, depth, colour, bytes(99_999))
        )
    yield Hostile("png-no-data", "a.png", png_of(64, 64))
    yield Hostile("png-little-data", "a.png", png_of(64, 64, body=bytes(100)))
    yield Hostile("png-bad-filter", "a.png", png_of(64, 64, body=b"\x09" * 20_000))
    good = encoded("PNG")
    for at, value in ((8, 2**31), (8, 2**32 - 1), (8, 0), (33, 0), (33, 7)):
        yield Hostile(
            f"png-chunk-{at}-{value}", "a.png", good[:at] + struct.pack(">I", value) + good[at + 4 :]
        )
    yield Hostile("png-wrong-sum", "a.png", good[:29] + bytes(4) + good[33:])
    yield Hostile("png-no-head", "a.png", good[:8] + good[33:])
    yield Hostile(
        "png-data-not-packed", "a.png", b"\x89PNG\r\n\x1a\n" + good[8:33] + chunk(b"IDAT", bytes(999))
    )
    jpeg = encoded("JPEG")
    for marker in (b"\xff\xc0", b"\xff\xda", b"\xff\xdb"):
        at = jpeg.index(marker)
        yield Hostile(f"jpeg-{marker.hex()}-lost", "a.jpg", jpeg[:at] + jpeg[at + 40 :])
        yield Hostile(f"jpeg-{marker.hex()}-long", "a.jpg", jpeg[: at + 2] + b"\xff\xff" + jpeg[at + 4 :])
    yield Hostile("jpeg-headers-alone", "a.jpg", b"\xff\xd8" + (b"\xff\xe1\xff\xff" + bytes(65_533)) * 200)
    webp = encoded("WEBP")
    for value in (0, 1, 2**31, 2**32 - 1):
        yield Hostile(f"webp-chunk-{value}", "a.webp", webp[:16] + struct.pack("<I", value) + webp[20:])
    rng = random.Random(0)
    for number in range(16):
        head = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\xff\xff\0\0WEBP")[number % 4]
        yield Hostile(f"noise-{number}", "a.png", head + rng.randbytes(rng.randint(1, 5000)))


def others() -> Iterator[Hostile]:
    """Other kinds of file under a picture's name; those that are also pictures come in `polyglots`."""
    rest = bytes(2000)
    kinds = {
        "pdf": b"%PDF-1.7\n",
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n",
        "elf": b"\x7fELF",
        "exe": b"MZ\x90\0",
        "gzip": b"\x1f\x8b\x08\0",
        "tiff": b"II*\0",
        "bigtiff": b"II+\0",
        "psd": b"8BPS\0\1",
        "bmp": b"BM",
        "ico": b"\0\0\1\0\1\0",
        "heic": b"\0\0\0\x18ftypheic",
        "avif": b"\0\0\0\x18ftypavif",
        "jp2": b"\0\0\0\x0cjP  \r\n\x87\n",
        "jxl": b"\xff\x0a",
        "icns": b"icns",
        "fits": b"SIMPLE  =  T",
        "mp4": b"\0\0\0 ftypisom",
        "html": b"<!doctype html><script>alert(1)</script>",
        "php": b"<?php system($_GET[0]); ?>",
        "js": b"GIF89a=1;alert(1)//",
        "pickle": b"\x80\x04cos\nsystem\n",
        "xcf": b"gimp xcf ",
        "wmf": b"\xd7\xcd\xc6\x9a",
        "sgi": b"\x01\xda",
        "pcx": b"\x0a\x05\x01\x08",
        "dds": b"DDS |\0\0\0",
        "tga": b"\0\0\x02\0",
        "mpeg": b"\0\0\1\xb3",
        "ppm": b"P6\n99999 99999\n255\n",
        "zeros": b"",
        "mvg": b"push graphic-context\n",
    }
    for kind, beginning in kinds.items():
        yield Hostile(f"{kind}-as-png", "a.png", beginning + rest)
    yield Hostile("unknown-suffix", "a.tiff", encoded("TIFF"))
    yield Hostile("no-suffix", "a", encoded("BMP"))


def svg(body: str, before: str = "", attributes: str = 'viewBox="0 0 9 9"') -> bytes:
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"{before}<svg {spaces} {attributes}>{body}<path d='M0 0h5v5z'/></svg>".encode()


def drawings(host: str) -> Iterator[Hostile]:
    """SVGs that would run something, fetch something, or grow; `host` is "//" and an address that listens."""
    bodies = {
        "script": "<script>f()</script>",
        "s-script": '<s:script xmlns:s="http://www.w3.org/2000/svg"/>',
    }
    bodies |= {f"on{handler}": f'<rect on{handler}="f()"/>' for handler in HANDLERS}
    for number, address in enumerate(REMOTE):
        there = address.format(host=host)
        for tag in REFERRERS:
            key = "xlink:href" if number % 2 else "href"
            bodies[f"{tag}-{number}"] = f'<{tag} {key}="{there}"/>'
        bodies[f"import-{number}"] = f"<style>@import '{there}';</style>"
    for paint in PAINTS:
        bodies[f"paint-{paint}"] = f'<rect {paint}="url(http:{host}/x#a)"/>'
        bodies[f"style-{paint}"] = f"<rect style='{paint}: url( \"{host}/x\" )'/>"
    for kind in ("png", "svg+xml", "jpeg"):
        bodies[f"image-{kind}"] = f'<image href="data:image/{kind};base64,AAAA"/>'
    bodies["foreign"] = f'<foreignObject><iframe src="http:{host}/x"/></foreignObject>'
    bodies["font"] = f"<style>@font-face{{font-family:a;src:url(http:{host}/x)}}</style>"
    bodies["deep"] = "<g>" * 2000 + "</g>" * 2000
    bodies["self"] = '<g id="a"><use href="#a"/></g>'
    laughs = "".join(f'<g id="l{i}">' + f'<use href="#l{i + 1}"/>' * 10 + "</g>" for i in range(12))
    bodies["laughs"] = laughs
    bodies["many"] = "<g/>" * 60_000
    for name, body in bodies.items():
        yield Hostile(f"svg-{name}", "logo.svg", svg(body))
    entities = {
        "internal": '<!ENTITY a "b">', "file": '<!ENTITY a SYSTEM "file:///etc/passwd">',
        "remote": f'<!ENTITY a SYSTEM "http:{host}/x">', "parameter": f'<!ENTITY % a SYSTEM "http:{host}/x"> %a;',
        "laughs": '<!ENTITY a "bbbbbbbb"><!ENTITY c "&a;&a;&a;&a;">',
    }  # fmt: skip
    for name, entity in entities.items():
        yield Hostile(f"svg-entity-{name}", "logo.svg", svg("&a;", f"<!DOCTYPE svg [{entity}]>"))
    yield Hostile("svg-style-sheet", "logo.svg", svg("", f'<?xml-stylesheet href="http:{host}/x.css"?>'))
    for name, attributes in {
        "thread": 'viewBox="0 0 1 1e6"',
        "huge": 'viewBox="0 0 1e30 1e30"',
        "none": "",
    }.items():
        yield Hostile(f"svg-{name}", "logo.svg", svg("", "", attributes))
    yield Hostile("svg-long", "logo.svg", svg(" " * (5 << 20)))
    yield Hostile("svg-torn", "logo.svg", svg("<rect")[:-9])
    yield Hostile("svg-nul", "logo.svg", svg("\0"))
    yield Hostile("svg-as-png", "a.png", svg("<script>f()</script>"))


def polyglots() -> Iterator[Hostile]:
    """Sound pictures that are something else as well: they are read as pictures, and as nothing else."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("../../evil.png", encoded("PNG"))
    tails = {
        "zip": archive.getvalue(),
        "html": b"<script>alert(1)</script>",
        "php": b"<?php system('id'); ?>",
    }
    for form, name in (("PNG", "a.png"), ("JPEG", "a.jpg"), ("GIF", "a.gif"), ("WEBP", "a.webp")):
        for kind, tail in tails.items():
            yield Hostile(f"{form}-and-{kind}", name, encoded(form) + tail)
            yield Hostile(f"{form}-named-{kind}", f"a.{kind}.{name}", encoded(form))
    info = PngInfo()
    info.add_text("parameters", "<script>alert(1)</script>\nSteps: 1, Sampler: x, Seed: 1")
    buffer = io.BytesIO()
    noise().save(buffer, "PNG", pnginfo=info)
    yield Hostile("png-text-with-script", "a.png", buffer.getvalue())


HOST = "//127.0.0.1:{port}"
PLAIN = [*bombs(), *torn(), *lying(), *others()]
DRAWINGS = [each.name for each in drawings(HOST)]
POLYGLOTS = list(polyglots())


def check(client: httpx2.Client, upload: Hostile) -> httpx2.Response:
    return client.post(
        "/v1/picture-sets/check", files={"file": (upload.file_name, upload.data)}, data={"trigger": "sks"}
    )


def is_refused(answer: httpx2.Response) -> None:
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] in REFUSALS
    assert error["remedy"]
    assert tempfile.gettempdir() not in answer.text
    assert len(error["message"]) < 600


@pytest.fixture(scope="module")
def trap() -> Iterator[socket.socket]:
    """A port of this machine that nobody may call."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        yield listener


def test_the_uploads_are_many() -> None:
    names = [each.name for each in (*PLAIN, *POLYGLOTS)] + DRAWINGS
    assert len(set(names)) == len(names) >= 250


@pytest.mark.parametrize("upload", PLAIN, ids=lambda upload: upload.name)
def test_a_hostile_picture_is_refused(client: httpx2.Client, upload: Hostile) -> None:
    is_refused(check(client, upload))


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_hostile_drawing_is_refused_and_calls_nobody(
    client: httpx2.Client, trap: socket.socket, name: str
) -> None:
    host = HOST.format(port=trap.getsockname()[1])
    (upload,) = [each for each in drawings(host) if each.name == name]
    is_refused(check(client, upload))
    with pytest.raises(TimeoutError, match="timed out"):
        trap.accept()


@pytest.mark.parametrize("upload", POLYGLOTS, ids=lambda upload: upload.name)
def test_a_polyglot_is_the_picture_it_is(client: httpx2.Client, upload: Hostile) -> None:
    answer = check(client, upload)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["kind"], answer.json()["num_pictures"]) == ("folder", 1)


@pytest.mark.parametrize("upload", PLAIN[::3], ids=lambda upload: upload.name)
def test_no_hostile_picture_has_a_recipe(client: httpx2.Client, upload: Hostile) -> None:
    is_refused(client.post("/v1/recipes", files={"file": (upload.file_name, upload.data)}))


def with_parameters(text: str) -> bytes:
    info = PngInfo()
    info.add_text("parameters", text)
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


SETTINGS = "Steps: 1, Sampler: x, CFG scale: 1, Seed: 1"
LONG_TEXTS = {
    "backslashes": "\\" * 1_000_000 + f"\n{SETTINGS}",
    "escaped tags": "\\<lora" * 160_000 + f"\n{SETTINGS}",
    "quoted name": '<lora:"' + "\\" * 1_000_000 + f":1>\n{SETTINGS}",
    "words of a setting": f"x\n{SETTINGS}, " + "a" * 1_000_000,
    "blanks": f"x\n{SETTINGS}, " + " " * 1_000_000,
    "tabs": f"x\n{SETTINGS}, " + "\t" * 1_000_000,
    "commas": f'x\n{SETTINGS}, Lora hashes: "{", " * 500_000}"',
}


@pytest.mark.parametrize("text", LONG_TEXTS.values(), ids=LONG_TEXTS)
def test_a_long_text_in_a_picture_holds_nobody_up(client: httpx2.Client, text: str) -> None:
    data = with_parameters(text)
    assert len(data) < 1_200_000
    began = time.monotonic()
    answer = client.post("/v1/recipes", files={"file": ("a.png", data)})
    info = client.post("/sdapi/v1/png-info", json={"image": b64encode(data).decode()})
    assert time.monotonic() - began < 20
    assert (answer.status_code, answer.json()["recipe"]["num_steps"]) == (200, 1)
    assert (info.status_code, info.json()["info"]) == (200, text)


UNREADABLE = {
    "half a character": f'x\n{SETTINGS}, Model: "\\ud800"',
    "half a character in a name": f'x\n{SETTINGS}, Lora hashes: "\\udfff: 0123456789ab"',
    "many seals": f'x\n{SETTINGS}, Lora hashes: "' + "a: 0123456789ab, " * 300 + '"',
    "no settings": "x" * 1_000_000,
    "a long number": f"x\n{SETTINGS}, CFG scale: " + "x" * 1_000_000,
    "a large number": f"x\n{SETTINGS}, Seed: " + "9" * 100_000,
    "too much of it": "x" * 2_100_000 + f"\n{SETTINGS}",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_a_text_that_is_no_recipe_is_refused(client: httpx2.Client, text: str) -> None:
    is_refused(client.post("/v1/recipes", files={"file": ("a.png", with_parameters(text))}))


@pytest.mark.parametrize("number", ["inf", "nan", "1e999", "-0"])
def test_numbers_that_are_none_are_told_as_they_are(client: httpx2.Client, number: str) -> None:
    text = f"x\n{SETTINGS}, CFG scale: {number}"
    answer = client.post("/v1/recipes", files={"file": ("a.png", with_parameters(text))})
    assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module", autouse=True)
def watched(uploads_left: Callable[[], set[Path]]) -> None:
    """From the first test on."""


def test_afterwards_the_server_is_there_and_keeps_nothing(
    client: httpx2.Client, uploads_left: Callable[[], set[Path]]
) -> None:
    good = check(client, Hostile("good", "a.png", encoded("PNG")))
    assert good.status_code == 200
    assert not uploads_left()
