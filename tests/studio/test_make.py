"""Making pictures in the studio: ordered, watched, kept, recalled; whatever happens to the page meanwhile."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from browsing import PHONE, Opening, Studio
from playwright.sync_api import Page, expect

PROMPT = "a red wax seal of a fox on wood"
LONG = {"n": 4, "steps": 150}
"""What takes a few seconds, so that something can happen meanwhile."""


def compose(page: Page, prompt: str, n: int = 1, steps: int = 2) -> None:
    page.get_by_label("Prompt").fill(prompt)
    page.get_by_role("radio", name=str(n), exact=True).check()
    if not page.get_by_label("Steps", exact=True).is_visible():
        page.get_by_text("Steps, guidance").click()
    page.get_by_label("Steps", exact=True).fill(str(steps))


def draw(page: Page, prompt: str, n: int = 1, steps: int = 2) -> None:
    compose(page, prompt, n, steps)
    page.get_by_role("button", name=re.compile(r"^Draw \d")).click()


def first_order(page: Page) -> Any:
    return page.locator(".order").first


def orders(studio: Studio) -> list[dict[str, Any]]:
    with studio.world.running.client() as client:
        found: list[dict[str, Any]] = client.get("/v1/images", headers=studio.headers).json()["orders"]
    return found


def png(studio: Studio, url: str) -> bytes:
    with studio.world.running.client() as client:
        return client.get(url, headers=studio.headers).content


@pytest.fixture
def maker(opening: Opening, request: pytest.FixtureRequest) -> Studio:
    """A tenant of this test's own, on Make."""
    return opening_of(opening, request.node.name)


def opening_of(opening: Opening, name: str, **options: Any) -> Studio:
    tenant = f"maker-{re.sub(r'[^a-z]+', '-', name.lower())[-40:]}"
    studio = opening(tenant, **options)
    studio.open("#/make")
    return studio


def test_a_picture_is_drawn_opened_and_downloaded(maker: Studio, tmp_path: Path) -> None:
    page = maker.page
    draw(page, PROMPT, n=2)
    expect(page.locator("a.tile")).to_have_count(2)
    expect(first_order(page).get_by_role("heading")).to_have_text(PROMPT)
    page.get_by_role("link", name="Open picture 1").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text(PROMPT)
    (order,) = orders(maker)
    expect(dialog.locator(".facts")).to_contain_text(str(order["pictures"][0]["seed"]))
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Download").click()
    assert download.value.path().read_bytes() == png(maker, order["pictures"][0]["url"])
    page.keyboard.press("ArrowRight")
    expect(dialog.locator(".facts")).to_contain_text(str(order["pictures"][1]["seed"]))
    page.reload()
    expect(dialog.locator(".facts")).to_contain_text(str(order["pictures"][1]["seed"]))
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert maker.complaints == []


def test_a_reload_in_the_middle_loses_nothing(maker: Studio) -> None:
    page = maker.page
    draw(page, PROMPT, **LONG)
    expect(page.get_by_text(re.compile(r"Step \d+ of")).first).to_be_visible()
    expect(page.locator(".tile-preview").first).to_be_visible()
    page.reload()
    expect(page.locator(".tile")).to_have_count(4)
    expect(page.get_by_label("Prompt")).to_have_value(PROMPT)
    expect(page.locator("a.tile")).to_have_count(4)
    assert len(orders(maker)) == 1


def test_a_dropped_connection_is_taken_up_again(maker: Studio) -> None:
    page = maker.page
    draw(page, PROMPT, **LONG)
    expect(page.get_by_text(re.compile(r"Step \d+ of")).first).to_be_visible()
    page.context.set_offline(True)
    page.wait_for_timeout(1500)
    page.context.set_offline(False)
    expect(page.locator("a.tile")).to_have_count(4)


def test_another_tab_tells_the_same_story(maker: Studio) -> None:
    page = maker.page
    page.get_by_role("button", name="Stay signed in").click()
    other = page.context.new_page()
    other.goto(f"{maker.world.running.url}/#/make")
    expect(other.get_by_text("Nothing drawn yet")).to_be_visible()
    draw(page, PROMPT, **LONG)
    expect(other.locator("a.tile")).to_have_count(4)
    expect(page.locator("a.tile")).to_have_count(4)


def test_what_is_cancelled_says_so_and_can_be_removed(maker: Studio) -> None:
    page = maker.page
    draw(page, PROMPT, **LONG)
    first_order(page).get_by_role("button", name="Cancel").click()
    expect(first_order(page).get_by_text("Cancelled").first).to_be_visible()
    first_order(page).get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.locator(".order")).to_have_count(0)
    assert orders(maker) == []


def test_a_png_brings_its_recipe_back(maker: Studio, tmp_path: Path) -> None:
    page = maker.page
    draw(page, PROMPT, steps=3)
    expect(page.locator("a.tile")).to_have_count(1)
    (order,) = orders(maker)
    file = tmp_path / "mine.png"
    file.write_bytes(png(maker, order["pictures"][0]["url"]))
    page.get_by_role("button", name="Start afresh").click()
    expect(page.get_by_label("Prompt")).to_have_value("")
    page.locator(".drop input[type=file]").set_input_files(file)
    expect(page.get_by_label("Prompt")).to_have_value(PROMPT)
    expect(page.get_by_label("Seed", exact=True)).to_have_value(str(order["pictures"][0]["seed"]))
    page.get_by_role("button", name="Draw 1 picture").click()
    expect(page.locator("a.tile")).to_have_count(2)
    again = orders(maker)[0]
    assert json.loads(again["pictures"][0]["recipe"]) == json.loads(order["pictures"][0]["recipe"])


def test_what_is_no_picture_of_ours_is_refused_with_a_remedy(maker: Studio, tmp_path: Path) -> None:
    file = tmp_path / "x.png"
    file.write_bytes(b"no picture")
    maker.page.locator(".drop input[type=file]").set_input_files(file)
    expect(maker.page.get_by_role("alert")).to_be_visible()


def test_a_seal_is_chosen_weighed_and_used(maker: Studio, seal_file: Path) -> None:
    with maker.world.running.client() as client:
        files = {"file": ("fox.safetensors", seal_file.read_bytes())}
        added = client.post("/v1/seals", files=files, headers=maker.headers)
    assert added.status_code == 201, added.text
    page = maker.page
    page.get_by_role("button", name="Add a seal").click()
    page.get_by_label("Search by name").fill("fo")
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^fox")).click()
    page.get_by_role("button", name="Done").click()
    page.get_by_role("spinbutton", name="Strength of fox").fill("0.4")
    page.get_by_text("Where and when").click()
    page.get_by_label("Blocks", exact=True).select_option("MIDALL")
    page.get_by_label("To (%").fill("50")
    draw(page, "a coin")
    expect(page.locator("a.tile")).to_have_count(1)
    recipe = json.loads(orders(maker)[0]["pictures"][0]["recipe"])
    (use,) = recipe["seals"]
    assert (use["name"], use["strength"], use["trigger"]) == ("fox", 0.4, "sks")
    assert use["how"].split(":") == ["0.4", "stop=0.5", "lbw=MIDALL"]
    assert recipe["prompt"] != recipe["prompt_typed"], "the trigger was put in"
    page.reload()
    expect(page.get_by_role("spinbutton", name="Strength of fox")).to_have_value("0.4")
    page.get_by_role("link", name="Open picture 1").click()
    page.get_by_role("dialog").get_by_role("button", name="Use again").click()
    expect(page.get_by_label("Blocks", exact=True)).to_have_value("MIDALL")


def test_a_quota_s_end_is_said_with_its_remedy(opening: Opening) -> None:
    studio = opening("frugal-maker", quota={"pictures_a_day": 1})
    studio.open("#/make")
    draw(studio.page, PROMPT, n=2)
    alert = studio.page.get_by_role("alert")
    expect(alert).to_contain_text("That is above the quota")
    expect(alert).to_contain_text("Worth trying again in")


def test_pictures_the_server_let_go_of_can_be_drawn_again(maker: Studio) -> None:
    page = maker.page
    draw(page, PROMPT)
    expect(page.locator("a.tile")).to_have_count(1)
    (order,) = orders(maker)
    with maker.world.running.client() as client:
        client.delete(f"/v1/images/{order['id']}", headers=maker.headers)
    page.reload()
    gone = page.get_by_role("region", name="Earlier")
    expect(gone).to_contain_text(PROMPT)
    page.get_by_role("button", name="Start afresh").click()
    gone.get_by_role("button", name="Use again").click()
    expect(page.get_by_label("Prompt")).to_have_value(PROMPT)


def test_it_is_usable_on_a_phone(opening: Opening) -> None:
    studio = opening_of(opening, "phone", viewport=PHONE, has_touch=True)
    page = studio.page
    draw(page, PROMPT)
    expect(page.locator("a.tile")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_long_history_is_shown_in_parts_and_its_oldest_picture_opened(maker: Studio) -> None:
    """More than the page asks for at once, and than anybody may have under way."""
    page, wish = maker.page, {"prompt": PROMPT, "steps": 1, "width": 64, "height": 64}
    with maker.world.running.client(headers=maker.headers) as client:
        for number in range(105):
            order = client.post("/v1/images", json=wish | {"prompt": f"picture {number}"}).json()
            with client.stream("GET", order["events_url"]) as events:
                events.read()
            if number == 0:
                oldest = order["id"]
    page.reload()
    expect(page.locator(".order")).to_have_count(20)
    for shown in (40, 60, 80, 100, 105):
        page.get_by_role("button", name="Show more").click()
        expect(page.locator(".order")).to_have_count(shown)
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    expect(page.locator(".order").last).to_contain_text("picture 0")
    maker.open(f"#/make/{oldest}/0")
    page.reload()
    expect(page.get_by_role("dialog").locator(".facts")).to_contain_text("picture 0")
    assert maker.complaints == []
