"""What strangers write is read in a time that grows with its length and no faster: no pattern looks back far."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from itertools import product
from pathlib import Path
from pkgutil import walk_packages

import pytest

import sealsmith
from sealsmith.errors import SealsmithError
from sealsmith.generate.prompt import insert_triggers
from sealsmith.generate.recipe import parse_parameters
from sealsmith.generate.seal_syntax import TaggedPrompt, dump_tags, parse_tags
from sealsmith.server.waiting import preferred_wait_s
from sealsmith.train.picture_svg import check_svg

LENGTH = 200_000
WITHIN_S = 2.0
"""Far more than any takes on a busy machine, and far less than one that looks back would: a minute or more."""
SETTINGS = "x\nSteps: 1, Sampler: x, Seed: 1, "


def svg(fill: str) -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect fill="{fill}"/></svg>'.encode()


READERS: dict[str, Callable[[int], object]] = {
    "backslashes": lambda length: parse_tags("\\" * length),
    "backslashes before a tag": lambda length: parse_tags("\\" * length + "<lora:a>"),
    "backslashes, written": lambda length: dump_tags(TaggedPrompt("\\" * length)),
    "openings": lambda length: parse_tags("<" * length),
    "blanks in an opening": lambda length: parse_tags("<" + " " * length),
    "escaped tags": lambda length: parse_tags("\\<lora" * (length // 6)),
    "escapes in a name": lambda length: parse_tags("<lora:" + r"\:" * (length // 2) + ":1>"),
    "backslashes in quotes": lambda length: parse_tags('<lora:"' + "\\" * length + ":1>"),
    "quotes in quotes": lambda length: parse_tags('<lora:"' + r"\"" * (length // 2) + ":1>"),
    "tags": lambda length: parse_tags("<lora:a> " * (length // 9)),
    "strengths": lambda length: parse_tags(
        "<lora:a:" + ",".join(f"1@{at}" for at in range(length // 8)) + ">"
    ),
    "key of a setting": lambda length: parse_parameters(SETTINGS + "a" * length),
    "blanks between settings": lambda length: parse_parameters(SETTINGS + " " * length + "!"),
    "tabs between settings": lambda length: parse_parameters(SETTINGS + "\t" * length + "!"),
    "quotes in settings": lambda length: parse_parameters(SETTINGS + 'ab: "' * (length // 5)),
    "backslashes in a setting": lambda length: parse_parameters(SETTINGS + 'ab: "' + "\\" * length),
    "commas in hashes": lambda length: parse_parameters(f'{SETTINGS}Lora hashes: "{", " * (length // 2)}"'),
    "colons in hashes": lambda length: parse_parameters(f'{SETTINGS}Lora hashes: "{": " * (length // 2)}"'),
    "blanks in a drawing's reference": lambda length: check_svg(svg("url(" + " " * length + "#a"), "it"),
    "blanks in a preference": lambda length: preferred_wait_s(
        "wait" + " " * length + "=" + " " * length + "x"
    ),
    "nouns that are taken": lambda length: insert_triggers(
        "sks mark " * (length // 9), [("sks", "mark"), ("zwx", "mark")]
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_a_long_text_is_read_at_once(name: str) -> None:
    began = time.thread_time()
    with suppress(SealsmithError):  # to refuse it is fine
        READERS[name](LENGTH)
    assert time.thread_time() - began < WITHIN_S


BEGINNINGS = (
    "", '"', "a", "a: ", "0_", "url(", "wait", "wait=", "<lora", '<lora:"', "(os error ", "the ",
    "data:image/jpeg;base64,",
)  # fmt: skip
RUNS = (
    "\\", '"', "'", " ", "\t", "a", "0", "-", "_", ".", ",", ":", ";", "<", "=", "/", "#", "`", ", ", ": ",
    '\\"', "a ", "a,", "a.", "a_", '"a',
)  # fmt: skip


def uses() -> Iterator[tuple[str, Callable[[str], object]]]:
    """Every use that a module of ours makes of a pattern it knows, by where it stands."""
    for found in walk_packages(sealsmith.__path__, "sealsmith."):
        if found.name.endswith("__main__"):
            continue
        module = import_module(found.name)
        source = Path(str(module.__file__)).read_text(encoding="utf-8")
        for key, pattern in vars(module).items():
            if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str):
                for method in sorted(set(re.findall(rf"\b{key}\.({'|'.join(METHODS)})\(", source))):
                    yield f"{found.name}.{key}.{method}", partial(METHODS[method], pattern)


METHODS: dict[str, Callable[[re.Pattern[str], str], object]] = {
    "match": lambda pattern, text: pattern.match(text),
    "fullmatch": lambda pattern, text: pattern.fullmatch(text),
    "search": lambda pattern, text: pattern.search(text),
    "findall": lambda pattern, text: pattern.findall(text),
    "finditer": lambda pattern, text: list(pattern.finditer(text)),
    "sub": lambda pattern, text: pattern.sub("", text),
}


def test_no_pattern_looks_back_far_in_a_run() -> None:
    slow, num_uses = [], 0
    for name, use in uses():
        num_uses += 1
        for beginning, run in product(BEGINNINGS, RUNS):
            text = beginning + run * (10_000 // len(run)) + "\0"
            if all(seconds(use, text) > 0.1 for _ in range(3)):  # once it may be the garbage collector
                slow.append((name, beginning, run))
    assert not slow
    assert num_uses > 20


def seconds(use: Callable[[str], object], text: str) -> float:
    began = time.thread_time()
    use(text)
    return time.thread_time() - began
