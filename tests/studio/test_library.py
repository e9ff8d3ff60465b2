"""The library in the studio: brought in, looked at, renamed, shared, taken along, deleted."""

import re
from pathlib import Path
from typing import Any

from browsing import Opening, Studio
from playwright.sync_api import Page, expect

from sealsmith.adapters import read_seal
from sealsmith.catalog import Scope


def bring(page: Page, *files: Path) -> None:
    page.locator(".drop input[type=file]").set_input_files(files)


def card(page: Page, name: str) -> Any:
    return page.get_by_role("link", name=f"About {name}")


def keeper(opening: Opening, name: str, **options: Any) -> Studio:
    studio = opening(f"keeper-{name}", **options)
    studio.open("#/library")
    return studio


def test_a_seal_is_imported_looked_at_exported_and_deleted(
    opening: Opening, seal_file: Path, tmp_path: Path
) -> None:
    studio = keeper(opening, "whole")
    page = studio.page
    expect(page.get_by_role("heading", name="No seals yet")).to_be_visible()
    bring(page, seal_file)
    card(page, "mark").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".facts")).to_contain_text("sks")
    expect(dialog.locator(".fits")).to_contain_text("fits")
    for dialect, text in (("sealsmith", "as it is stored"), ("diffusers", "PEFT"), ("kohya", "A1111")):
        option = dialog.get_by_role("option", name=re.compile(text)).text_content()
        dialog.get_by_label("Dialect").select_option(label=option)
        with page.expect_download() as download:
            dialog.get_by_role("button", name="Download the file").click()
        saved = tmp_path / f"{dialect}.safetensors"
        download.value.save_as(saved)
        assert read_seal(saved).layers.keys() == read_seal(seal_file).layers.keys()
    assert (tmp_path / "sealsmith.safetensors").read_bytes() == seal_file.read_bytes()
    dialog.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog", name="Delete mark?").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="No seals yet")).to_be_visible()
    assert studio.complaints == []


def test_what_is_no_seal_is_refused_by_name_and_the_rest_taken(
    opening: Opening, seal_file: Path, tmp_path: Path
) -> None:
    page = keeper(opening, "refusing").page
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(seal_file.read_bytes()[:100])
    bring(page, broken, seal_file)
    expect(page.get_by_role("alert")).to_contain_text("broken.safetensors")
    expect(card(page, "mark")).to_be_visible()


def test_a_seal_gets_another_name_and_is_found_by_it(opening: Opening, seal_file: Path) -> None:
    page = keeper(opening, "renaming").page
    bring(page, seal_file)
    card(page, "mark").click()
    expect(
        page.get_by_role("dialog").get_by_text("28 of 28 layers")
    ).to_be_visible()  # nothing moves any more
    page.get_by_label("What prompts call it").fill("a/b")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    page.get_by_label("What prompts call it").fill("acorn")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog", name="acorn")).to_be_visible()
    page.keyboard.press("Escape")
    search = page.get_by_label("Search by name")
    search.fill("walnut")
    expect(page.get_by_role("heading", name="No seal is like that")).to_be_visible()
    search.fill("aco")
    expect(card(page, "acorn")).to_be_visible()


def test_a_seal_is_shared_and_taken_back(opening: Opening, seal_file: Path) -> None:
    owner, friend = keeper(opening, "owner"), opening("bob")
    bring(owner.page, seal_file)
    card(owner.page, "mark").click()
    owner.page.get_by_label("Tenant’s name").fill("bob")
    owner.page.get_by_role("button", name="Share", exact=True).click()
    expect(owner.page.locator(".grants")).to_contain_text("bob")
    page = friend.open("#/library")
    expect(card(page, "mark")).to_contain_text("shared by keeper-owner")
    card(page, "mark").click()
    expect(page.get_by_text("not to be taken along")).to_be_visible()
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)
    owner.page.get_by_role("button", name="Take it back from bob").click()
    expect(owner.page.get_by_text("Shared with nobody")).to_be_visible()
    page = friend.open("#/library?again")
    page.reload()
    expect(page.get_by_role("heading", name="No seals yet")).to_be_visible()


def test_a_key_for_drawing_alone_changes_nothing(opening: Opening) -> None:
    page = keeper(opening, "drawer", scopes=(Scope.GENERATE,)).page
    expect(page.get_by_role("heading", name="No seals yet")).to_be_visible()
    expect(page.locator(".drop")).to_have_count(0)
    expect(page.get_by_role("link", name="Admin")).to_have_count(0)


def test_from_the_library_to_a_picture(opening: Opening, seal_file: Path) -> None:
    page = keeper(opening, "drawing").page
    bring(page, seal_file)
    card(page, "mark").click()
    page.get_by_role("link", name="Make pictures with it").click()
    expect(page.get_by_role("spinbutton", name="Strength of mark")).to_have_value("1")
    assert "seal=" not in page.url
