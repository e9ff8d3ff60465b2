"""The door of the studio: who has a key comes in, stays in, and leaves."""

from browsing import Opening, Studio
from playwright.sync_api import Browser, expect
from pydantic import SecretStr
from shared import Shared

from sealsmith.cli.studio import private_page, studio_address


def test_a_link_signs_in_and_leaves_nothing_in_the_address(studio: Studio) -> None:
    assert "key" not in studio.page.url
    assert "seal_" not in studio.page.content()
    studio.page.reload()
    expect(studio.page.get_by_role("navigation")).to_be_visible()


def test_the_page_that_a_first_start_opens_signs_in(browser: Browser, world: Shared) -> None:
    key = SecretStr(world.key("ann")["authorization"].removeprefix("Bearer "))
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    with private_page(studio_address("127.0.0.1", world.running.port, key)) as first:
        page.goto(first)
        expect(page.get_by_role("navigation")).to_be_visible()
    assert page.url.startswith(world.running.url)
    assert "key" not in page.url
    context.close()


def test_a_key_is_for_the_tab_unless_one_stays(studio: Studio) -> None:
    other = studio.page.context.new_page()
    other.goto(studio.world.running.url)
    expect(other.get_by_role("heading", level=1)).to_have_text("Welcome to the studio")
    studio.page.get_by_role("button", name="Stay signed in").click()
    other.reload()
    expect(other.get_by_role("navigation")).to_be_visible()


def test_what_is_no_key_is_said_before_it_is_sent_and_a_wrong_one_by_the_server(
    browser: Browser, world: Shared
) -> None:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(world.running.url)
    page.get_by_label("Key", exact=True).fill("my key")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_text("A key looks like")).to_be_visible()
    page.get_by_label("Key", exact=True).fill("seal_0123456789ab_nothing")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("This key does not open anything")
    page.get_by_label("Key", exact=True).fill(world.key("ann")["authorization"].removeprefix("Bearer "))
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("navigation")).to_be_visible()
    context.close()


def test_signing_out_forgets_the_key_and_what_was_written(studio: Studio) -> None:
    page = studio.open("#/make")
    page.get_by_role("button", name="Stay signed in").click()
    page.get_by_label("Prompt").fill("a secret emblem")
    page.locator(".account-button").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to the studio")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to the studio")
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "seal_" not in stored
    assert "secret" not in stored


def test_a_key_that_is_revoked_meanwhile_leads_back_to_the_door(opening: Opening) -> None:
    studio = opening("bob")
    key = studio.headers["authorization"].removeprefix("Bearer ")
    studio.world.catalog.keys.revoke("_".join(key.split("_")[:2]))
    studio.open("#/library")
    expect(studio.page.get_by_role("alert")).to_contain_text("This key does not open anything")


def test_the_studio_speaks_the_browser_s_language_and_another_at_once(opening: Opening) -> None:
    studio = opening(locale="ru-RU")
    expect(studio.page.get_by_role("link", name="Библиотека")).to_be_visible()
    studio.page.locator(".account-button").click()
    studio.page.get_by_label("Язык").select_option("en")
    expect(studio.page.get_by_role("link", name="Library")).to_be_visible()
    assert studio.page.locator("html").get_attribute("lang") == "en"
