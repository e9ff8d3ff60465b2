"""The door of the studio: who has a key comes in, stays in, and leaves."""

from browsing import Opening, Studio
from playwright.sync_api import Browser, Page, expect
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


def link(studio: Studio, key: str) -> str:
    return f"{studio.world.running.url}/#key={key}"


def bare(headers: dict[str, str]) -> str:
    return headers["authorization"].removeprefix("Bearer ")


def kept(page: Page) -> list[str | None]:
    """The keys of the tab and of the browser."""
    found: list[str | None] = page.evaluate(
        "[sessionStorage, localStorage].map((storage) => storage.getItem('sealsmith.key'))"
    )
    return found


def test_a_link_that_opens_nothing_costs_no_key_that_is_kept(opening: Opening) -> None:
    studio = opening("ann")
    studio.page.get_by_role("button", name="Stay signed in").click()
    page = studio.page.context.new_page()
    page.goto(link(studio, "seal_0123456789ab_nothing"))
    expect(page.get_by_role("alert")).to_contain_text("This key does not open anything")
    expect(page.locator(".account-button")).to_have_text("ann")
    assert kept(page) == [None, bare(studio.headers)]
    assert "key" not in page.url


def test_a_link_that_opens_nothing_is_kept_nowhere(browser: Browser, world: Shared) -> None:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{world.running.url}/#key=seal_0123456789ab_nothing")
    expect(page.get_by_role("alert")).to_contain_text("This key does not open anything")
    assert kept(page) == [None, None]
    context.close()


def test_another_s_link_takes_the_place_of_a_kept_key_only_where_one_says_so(opening: Opening) -> None:
    studio = opening("ann")
    studio.page.get_by_role("button", name="Stay signed in").click()
    anns, bobs = bare(studio.headers), bare(studio.world.key("bob"))
    page = studio.page.context.new_page()
    page.goto(link(studio, bobs))
    expect(page.get_by_role("dialog")).to_contain_text("It is a key of bob. You are signed in as ann.")
    assert kept(page) == [None, anns]
    page.get_by_role("button", name="Stay as I am").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.reload()
    expect(page.locator(".account-button")).to_have_text("ann")
    other = studio.page.context.new_page()
    other.goto(link(studio, bobs))
    other.get_by_role("button", name="Go on with it in this tab").click()
    expect(other.locator(".account-button")).to_have_text("bob")
    assert kept(other) == [bobs, anns]


def test_a_key_that_is_refused_takes_no_other_along(opening: Opening) -> None:
    studio = opening("bob")
    page, bobs = studio.page, bare(studio.headers)
    anns = bare(studio.world.key("ann"))
    page.evaluate("(key) => localStorage.setItem('sealsmith.key', key)", anns)
    studio.world.catalog.keys.revoke("_".join(bobs.split("_")[:2]))
    studio.open("#/library")
    expect(page.get_by_role("alert")).to_contain_text("This key does not open anything")
    assert kept(page) == [None, anns]
    page.reload()
    expect(page.locator(".account-button")).to_have_text("ann")


def test_a_link_opens_the_studio_where_the_kept_key_is_an_old_one(opening: Opening) -> None:
    studio = opening("ann")
    studio.page.get_by_role("button", name="Stay signed in").click()
    studio.world.catalog.keys.revoke("_".join(bare(studio.headers).split("_")[:2]))
    page = studio.page.context.new_page()
    bobs = bare(studio.world.key("bob"))
    page.goto(link(studio, bobs))
    expect(page.locator(".account-button")).to_have_text("bob")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert kept(page) == [bobs, None]


def test_a_link_is_tried_again_where_the_server_does_not_answer(browser: Browser, world: Shared) -> None:
    context = browser.new_context(locale="en-GB")
    page, key = context.new_page(), bare(world.key("ann"))
    page.route("**/v1/me", lambda route: route.abort(), times=1)
    page.goto(f"{world.running.url}/#key={key}")
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    assert kept(page) == [None, None]
    expect(page.locator(".account-button")).to_have_text("ann")
    assert kept(page) == [key, None]
    context.close()


def test_the_studio_speaks_the_browser_s_language_and_another_at_once(opening: Opening) -> None:
    studio = opening(locale="ru-RU")
    expect(studio.page.get_by_role("link", name="Библиотека")).to_be_visible()
    studio.page.locator(".account-button").click()
    studio.page.get_by_label("Язык").select_option("en")
    expect(studio.page.get_by_role("link", name="Library")).to_be_visible()
    assert studio.page.locator("html").get_attribute("lang") == "en"
