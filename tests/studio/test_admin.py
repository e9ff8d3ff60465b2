"""Admin in the studio: keys and tenants are made, changed and ended, and the service is watched."""

import re
from typing import Any

import pytest
from browsing import Opening, Studio
from playwright.sync_api import Page, expect

from sealsmith.errors import AuthError


@pytest.fixture
def admin(studio: Studio) -> Page:
    return studio.open("#/admin")


def test_the_service_is_watched(admin: Page) -> None:
    expect(admin.get_by_text("ready", exact=True)).to_be_visible()
    expect(admin.locator(".figure").first).to_be_visible()
    expect(admin.locator(".sparkline")).to_be_visible()


def test_a_tenant_gets_a_quota_and_a_key_which_opens_and_ends(opening: Opening, studio: Studio) -> None:
    page = studio.open("#/admin/tenants")
    page.get_by_text("New tenant").click()
    page.get_by_label("Name", exact=True).fill("carol")
    page.get_by_role("button", name="Make the tenant").click()
    tenant = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="carol"))
    tenant.get_by_text("Change the quota").click()
    tenant.get_by_role("spinbutton", name="Pictures a day").fill("7")
    tenant.get_by_role("button", name="Save").click()
    expect(tenant.get_by_text("0 of 7")).to_be_visible()
    key = made_key(page, "carol")
    tenant = studio.world.catalog.tenants.get(studio.world.catalog.keys.authenticate(key).tenant)
    assert (tenant.name, tenant.quota.pictures_a_day) == ("carol", 7)
    prefix = "_".join(key.split("_")[:2])
    row = page.get_by_role("row").filter(has_text=prefix)
    row.get_by_role("button", name="Rotate").click()
    dialog = page.get_by_role("dialog", name=f"Rotate {prefix}?")
    dialog.get_by_label("Minutes").fill("0")
    dialog.get_by_role("button", name="Rotate").click()
    again = shown_key(page)
    assert again != key
    with pytest.raises(AuthError, match="no valid key"):
        studio.world.catalog.keys.authenticate(key)
    row = page.get_by_role("row").filter(has_text="_".join(again.split("_")[:2]))
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_have_count(0)
    with pytest.raises(AuthError, match="no valid key"):
        studio.world.catalog.keys.authenticate(again)


def made_key(page: Page, tenant: str) -> str:
    """A new key of a tenant, as the page shows it this once."""
    page.get_by_role("tab", name="Keys").click()
    page.get_by_text("New key").click()
    page.get_by_label("Tenant").select_option(tenant)
    page.get_by_role("button", name="Make the key").click()
    return shown_key(page)


def shown_key(page: Page) -> str:
    dialog = page.get_by_role("dialog", name="A new key")
    key: Any = dialog.locator("code").text_content()
    assert re.fullmatch(r"seal_[0-9a-f]{12}_\S{40,}", key)
    dialog.get_by_role("button", name="I have it").click()
    expect(dialog).to_have_count(0)
    assert key not in page.content()
    return str(key)
