"""Every page for everybody: axe finds nothing serious, in both schemes, and the keyboard alone is enough."""

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import PHONE, Opening, Studio
from playwright.sync_api import Page, expect

PAGES = ("#/teach", "#/make", "#/prove", "#/library", "#/admin/status", "#/admin/keys", "#/admin/tenants")
AXE = Axe()


def serious(page: Page) -> list[dict[str, Any]]:
    """What axe calls serious or critical, with the elements it means."""
    return [
        {"id": found["id"], "nodes": [node["html"][:200] for node in found["nodes"]]}
        for found in AXE.run(page).response["violations"]
        if found["impact"] in ("serious", "critical")
    ]


@pytest.fixture
def stocked(opening: Opening, seal_file: Path) -> Any:
    """Opens the studio of a tenant that has a seal and pictures, done and failed."""

    def opened(tenant: str, **options: Any) -> Studio:
        studio = opening(tenant, **options)
        with studio.world.running.client() as client:
            file = {"file": ("acorn.safetensors", seal_file.read_bytes())}
            assert client.post("/v1/seals", files=file, headers=studio.headers).status_code == 201
            for wish in ({"steps": 2, "n": 2}, {"steps": 2, "sampler": "sideways"}):
                asked = {"prompt": "a seal <lora:acorn:0.5>", **wish}
                assert client.post("/v1/images", json=asked, headers=studio.headers).status_code == 202
        return studio

    return opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(stocked: Any, scheme: str) -> None:
    studio = stocked(f"seeing-{scheme}", color_scheme=scheme)
    page = studio.page
    for place in PAGES:
        studio.open(place)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator(".waiting")).to_have_count(0)
        assert serious(page) == [], place
    studio.open("#/make")
    expect(page.locator("a.tile")).to_have_count(2)
    page.get_by_role("button", name="Add a seal").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^acorn")).click()
    assert serious(page) == [], "choosing a seal"
    page.get_by_role("button", name="Done").click()
    for summary in page.locator("summary").all():
        summary.click()
    assert serious(page) == [], "everything open"
    page.locator("a.tile").first.click()
    assert serious(page) == [], "a picture"
    studio.open("#/library")
    page.get_by_role("link", name="About acorn").click()
    expect(page.locator(".fits")).to_be_visible()
    assert serious(page) == [], "a seal"
    page.keyboard.press("Escape")
    page.locator(".account-button").click()
    assert serious(page) == [], "settings"


def test_axe_finds_nothing_serious_at_the_door_and_on_a_phone(stocked: Any) -> None:
    studio = stocked("seeing-phone", viewport=PHONE, locale="ru-RU")
    page = studio.page
    for place in PAGES:
        studio.open(place)
        expect(page.locator(".waiting")).to_have_count(0)
        assert serious(page) == [], place
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], place
    page.locator(".account-button").click()
    page.get_by_role("button", name="Выйти").click()
    expect(page.get_by_label("Ключ", exact=True)).to_be_visible()
    assert serious(page) == []


def test_the_keyboard_is_enough_to_make_a_picture(stocked: Any) -> None:
    page = stocked("typing").open("#/make")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    adding = page.get_by_role("button", name="Add a seal")
    adding.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(adding).to_be_focused()
    page.locator("main").focus()
    reach(page, "textarea")
    page.keyboard.type("a coin")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".order").first.locator("h2")).to_have_text("a coin")
    expect(page.locator(".order").first.locator("a.tile")).to_have_count(4)
    reach(page, "a.tile")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def reach(page: Page, selector: str) -> None:
    """Goes on with Tab until the focus is on one of these."""
    for _ in range(100):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never came to {selector}")


def test_the_scheme_follows_the_system_and_the_person(studio: Studio) -> None:
    html = studio.page.locator("html")
    light = html.evaluate("element => getComputedStyle(element).backgroundColor")
    studio.page.emulate_media(color_scheme="dark")
    expect(html).not_to_have_css("background-color", light)
    studio.page.locator(".account-button").click()
    studio.page.get_by_label("Colours").select_option("light")
    expect(html).to_have_css("background-color", light)
    studio.page.reload()
    expect(studio.page.get_by_role("navigation")).to_be_visible()
    expect(html).to_have_css("background-color", light)
