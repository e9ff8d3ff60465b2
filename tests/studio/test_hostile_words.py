"""Words that would be programs if a page took them for its own: shown in the studio, they are words."""

import json
from itertools import product
from pathlib import Path

import httpx2
from browsing import Opening, Studio
from playwright.sync_api import Page, expect

from sealsmith.catalog import Scope

RUN = "window.hacked=1"
TAGS = (
    f"<script>{RUN}</script>", f"<img src=x onerror={RUN}>", f"<svg onload={RUN}>", f"<svg><script>{RUN}</script>",
    f"<iframe srcdoc='<script>parent.{RUN}</script>'>", f"<body onload={RUN}>", f"<details open ontoggle={RUN}>",
    f"<input autofocus onfocus={RUN}>", f"<video><source onerror={RUN}></video>",
    f"<math><mtext><script>{RUN}</script>",
    f"<a href=javascript:{RUN}>x</a>", f"<form action=javascript:{RUN}><button>x",
    f"<style>@import'javascript:{RUN}'",
    f"<meta http-equiv=refresh content='0;javascript:{RUN}'>", f"<object data=javascript:{RUN}>",
    f"<embed src=javascript:{RUN}>", f"<link rel=stylesheet href=javascript:{RUN}>", "<base href=//evil.example/>",
    f"<template><script>{RUN}</script></template>", f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>",
)  # fmt: skip
WRAPPINGS = ("{}", '">{}', "'>{}", "</textarea>{}", "</title>{}", "--><!-->{}", "`${{{}}}`")
PLAIN = (
    f"javascript:{RUN}", f"data:text/html,<script>{RUN}</script>", "{{constructor.constructor('" + RUN + "')()}}",
    "${" + RUN + "}", f'"-{RUN}-"', f"';{RUN}//", "\\u003cscript\\u003e" + RUN, "&lt;script&gt;" + RUN,
    "%3Cscript%3E" + RUN, f"<scr\u0131pt>{RUN}</script>", "\u202e<script>", "__proto__", "constructor",
)  # fmt: skip
PAYLOADS = [wrapping.format(tag) for tag, wrapping in product(TAGS, WRAPPINGS)] + list(PLAIN)


def is_hacked(page: Page) -> bool:
    hacked: bool = page.evaluate("'hacked' in window")
    return hacked


def test_there_are_many() -> None:
    assert len(set(PAYLOADS)) >= 150


def test_prompts_are_words(opening: Opening) -> None:
    """Each payload is a prompt; of every order the studio shows the words, as they are, and nothing runs."""
    studio = opening("hostile-maker", quota={"pictures_a_day": 10_000})
    with studio.world.running.client() as client:
        for part in range(0, len(PAYLOADS), 16):
            for payload in PAYLOADS[part : part + 16]:
                placed(client, studio, payload)
    page = studio.open("#/make")
    page.reload()
    more = page.get_by_role("button", name="Show more")
    expect(more).to_be_visible()
    while more.is_visible():
        more.click()
    expect(page.locator(".order")).to_have_count(len(PAYLOADS))
    expect(page.locator("a.tile")).to_have_count(len(PAYLOADS))
    shown = page.locator(".order h2").all_text_contents()
    assert sorted(shown) == sorted(PAYLOADS)
    page.locator("a.tile").first.click()
    expect(page.get_by_role("dialog").get_by_role("heading")).to_have_text(shown[0])
    assert not is_hacked(page)
    assert studio.complaints == []


def placed(client: httpx2.Client, studio: Studio, payload: str) -> None:
    wish = {"prompt": payload, "steps": 1}
    answer = client.post("/v1/images", json=wish, headers=studio.headers)
    assert answer.status_code == 202, (payload, answer.text)
    with client.stream("GET", answer.json()["events_url"], headers=studio.headers) as events:
        assert "event: end" in "".join(events.iter_text()).replace("\r", "")


def test_names_of_tenants_and_keys_are_words(opening: Opening) -> None:
    studio = opening("hostile-admin")
    catalog = studio.world.catalog
    names = [f"{payload[:90]}" for payload in PAYLOADS[::7] if payload.isprintable()]
    for name in dict.fromkeys(names):
        tenant = catalog.tenants.create(name)
        catalog.keys.create(tenant.id, (Scope.GENERATE,), name)
    page = studio.open("#/admin/tenants")
    expect(page.get_by_role("heading", name=names[0], exact=True)).to_be_visible()
    assert set(names) <= set(page.locator(".tenants h2").all_text_contents())
    page = studio.open("#/admin/keys")
    expect(page.get_by_role("cell", name=names[0], exact=True).first).to_be_visible()
    assert not is_hacked(page)
    assert studio.complaints == []


def test_what_a_seal_file_says_of_itself_is_words(
    opening: Opening, world_seal: bytes, tmp_path: Path
) -> None:
    studio = opening("hostile-keeper")
    page = studio.open("#/library")
    files = []
    for number, payload in enumerate(PAYLOADS[::6]):
        file = tmp_path / f"seal {number}.safetensors"
        file.write_bytes(with_words(world_seal, payload))
        files.append(file)
    page.locator(".drop input[type=file]").set_input_files(files)
    expect(page.locator(".importing progress")).to_have_count(0)
    cards = page.locator(".seal-card")
    expect(cards.first).to_be_visible()
    assert cards.count() + page.get_by_role("alert").count() >= len(files)
    cards.first.click()
    expect(page.get_by_role("dialog").locator(".facts")).to_be_visible()
    assert not is_hacked(page)
    assert studio.complaints == []


def with_words(data: bytes, words: str) -> bytes:
    """The seal file with these words as its trigger and title."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] = {
        key: value.replace("seal of sks", json.dumps(words)[1:-1]).replace("sks", json.dumps(words)[1:-1])
        for key, value in header["__metadata__"].items()
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def test_an_address_is_words_too(studio: Studio) -> None:
    for payload in (
        "<script>window.hacked=1</script>",
        "%3Cimg src=x onerror=window.hacked=1%3E",
        "%",
        "%zz",
    ):
        for place in ("make", "library", "prove", "teach", "admin", ""):
            studio.page.goto(f"{studio.world.running.url}/#/{place}/{payload}/0?seal={payload}")
            expect(studio.page.get_by_role("navigation")).to_be_visible()
    assert not is_hacked(studio.page)
