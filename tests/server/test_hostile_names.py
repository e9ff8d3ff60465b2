"""Names from strangers: what a file system, a prompt or a screen would take for something else is refused."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.adapters.strength import constant
from sealsmith.errors import ConfigError
from sealsmith.generate.seal_syntax import SealWish, TaggedPrompt, dump_tags, parse_tags
from sealsmith.server.names import MAX_NAME_BYTES, check_name
from sealsmith.server.uploads import stem_of

GOOD = [
    "mark", "my-mark", "my_mark.v2", "Ein Wappen", "7", "a", "Ärger", "日本の印", "печать", "علامة", "x" * 100,
    "a.b.c", "mark (2)", "mark!", "50% off x", "été", "मुहर", "a'b", "a+b=c", "v1.0", "seals", "console",
    "com10", "nully",
]  # fmt: skip
BIDI = [*"\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c"]
INVISIBLE = [*"\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u180e\u2061\u2062\u2063\u115f\u3164\uffa0\u17b4"]
SPACES = [*"\u00a0\u1680\u2000\u2003\u2009\u2028\u2029\u202f\u205f\u3000\t\n\r\v\f\x85"]
SLASHES = [*"/\\\uff0f\uff3c\u2100\u2101\u2105\u2106"]
DEVICES = ["con", "prn", "aux", "nul", *(f"com{i}" for i in range(10)), *(f"lpt{i}" for i in range(10))]


def hostile() -> Iterator[str]:
    yield from (
        "",
        " ",
        ".",
        "..",
        "...",
        "-",
        "--help",
        "_",
        "~",
        "~root",
        "$HOME",
        "%00",
        "x" * 101,
        "ä" * 101,
    )
    yield from (chr(code) for code in range(0x20))
    yield from (f"a{chr(code)}b" for code in (*range(0x20), *range(0x7F, 0xA0)))
    yield from (f"a{character}b" for character in (*BIDI, *INVISIBLE[:13], *SLASHES[:4], *'<>:"|?*,'))
    yield from (f"a{character}b" for character in SPACES)
    yield from (f"{character}a" for character in (*BIDI, *SPACES, *" .-_~!#$%&'()+;=@[]^`{}"))
    yield from (f"a{character}" for character in (*SPACES, *" .-_~#$%&'(+;=@[^`{"))
    yield from (f"{up}etc{slash}passwd" for up in ("/", "../", "..\\", "C:\\", "//host/") for slash in "/\\")
    for device in DEVICES:
        yield from (device, device.upper(), f"{device}.png", f"{device.title()} .x")
    yield from ("seal", "SEAL", "seal.v2", "ｃｏｎ", "ＮＵＬ.x")
    yield from (f"a{surrogate}" for surrogate in ("\ud800", "\udfff", "\ud83d", "\udc80"))
    yield from ("z" + "\u0301" * count for count in (4, 40, 99))
    yield from (
        "\U0001d400" * 60,
        "😀" * 60,
        "a\U000e0041b",
        "a\ufff9b",
        "a\ufffeb",
        "a\U0010ffffb",
        "\ue000x",
    )
    yield from (
        "<lora:x:1>",
        "a<lora:x:1>",
        "<script>alert(1)</script>",
        "a:0.5",
        'a"b',
        "a|b",
        "`id`",
        "$(id)",
    )
    yield from ("a\x1b[31mb", "a\x1b]0;x\x07b", "\x9b31m", "a\r\nset-cookie: b=c", "\N{RIGHT-TO-LEFT MARK}x")


HOSTILE = list(dict.fromkeys(hostile()))


def test_the_names_are_many() -> None:
    assert len(HOSTILE) >= 300


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_is_refused_in_a_sentence_of_plain_characters(name: str) -> None:
    with pytest.raises(ConfigError, match=r"^the name ") as refusal:
        check_name(name)
    assert str(refusal.value).isprintable()
    assert str(refusal.value).encode()
    assert len(str(refusal.value)) < 700
    assert refusal.value.remedy


@pytest.mark.parametrize("name", GOOD)
def test_a_plain_name_in_any_script_is_kept(name: str) -> None:
    assert check_name(name) == unicodedata.normalize("NFC", name)
    assert check_name(unicodedata.normalize("NFD", name)) == check_name(name)


@given(st.text(max_size=120))
def test_what_is_kept_is_one_harmless_file_and_one_tag(name: str) -> None:
    try:
        kept = check_name(name)
    except ConfigError:
        return
    assert check_name(kept) == kept
    assert Path(f"{kept}.safetensors").name == f"{kept}.safetensors"
    assert len(f"{kept}.safetensors".encode()) <= MAX_NAME_BYTES + 12 <= 255
    (wish,) = parse_tags(dump_tags(TaggedPrompt("x", (SealWish(kept, constant(1.0)),)))).wishes
    assert wish.name == kept


@pytest.mark.parametrize(
    ("file_name", "stem"),
    [
        ("mark.safetensors", "mark"),
        ("a/b/mark.SAFETENSORS", "mark"),
        ("C:\\a\\mark.safetensors", "mark"),
        ("mark.v2", "mark.v2"),
        ("..", ".."),
        ("a/", ""),
        ("", ""),
    ],
)
def test_a_file_s_name_is_its_last_part_without_suffix(file_name: str, stem: str) -> None:
    assert stem_of(file_name) == stem
