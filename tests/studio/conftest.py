"""The studio in a real Chromium, on a real service: a tiny base, a catalog, an engine. Skipped where none is."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from browsing import WIDE, Opening, Studio
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright
from pydantic import SecretStr
from running import running
from seal_examples import random_seal
from shared import Shared

from sealsmith.adapters import dump_seal
from sealsmith.bases import open_base
from sealsmith.catalog import Scope, open_catalog
from sealsmith.server.catalog_service import catalog_service
from sealsmith.server.drawing_service import EngineSettings

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_MS = 90_000
"""For what a busy machine takes its time over."""
NO_QUOTA: Mapping[str, int] = {}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium on PATH: install the package `chromium` to have the studio tested")
    expect.set_options(timeout=PATIENCE_MS)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def world_seal(tiny_base_folder: Path) -> bytes:
    """A seal file for the tiny base, of the trigger sks."""
    return dump_seal(random_seal(open_base(str(tiny_base_folder)), ("to_q", "to_v")))


@pytest.fixture(scope="session")
def other_seal(tiny_base_folder: Path) -> bytes:
    """Another for the tiny base, of the trigger zwx."""
    return dump_seal(random_seal(open_base(str(tiny_base_folder)), ("to_q", "to_v"), trigger="zwx", seed=1))


@pytest.fixture(scope="session")
def world(tiny_base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A service on the tiny base, for the tenants ann and bob."""
    folder = tmp_path_factory.mktemp("studio")
    store = (folder / "store").as_uri()
    base = str(tiny_base_folder)
    database = SecretStr(f"sqlite:///{folder / 'catalog.db'}")
    with open_catalog(database, store) as catalog:
        for name in ("ann", "bob"):
            catalog.tenants.create(name)
        with running(catalog_service(EngineSettings(base), catalog, store)) as service:
            yield Shared(service, catalog, database, store, base)


@pytest.fixture
def opening(browser: Browser, world: Shared) -> Iterator[Opening]:
    """Opens a studio for a tenant, ann, bob or a new one: `opening("ann", viewport=PHONE, color_scheme="dark")`."""
    contexts: list[BrowserContext] = []

    def opened(
        tenant: str = "ann",
        scopes: tuple[Scope, ...] = tuple(Scope),
        quota: Mapping[str, int] = NO_QUOTA,
        **options: object,
    ) -> Studio:
        if tenant not in ("ann", "bob"):
            world.tenant(tenant, **quota)
        headers = world.key(tenant, *scopes)
        wanted = {"viewport": WIDE, "locale": "en-GB", "reduced_motion": "reduce", **options}
        context = browser.new_context(**wanted)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda told: _note_refusal(complaints, told.text))
        page.goto(f"{world.running.url}/#key={headers['authorization'].removeprefix('Bearer ')}")
        page.get_by_role("navigation").wait_for()
        return Studio(page, world, tenant, headers, complaints)

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def studio(opening: Opening) -> Iterator[Studio]:
    """Ann's, wide and light. Nothing may go wrong in it, and nothing be against its content policy."""
    studio = opening()
    yield studio
    assert studio.complaints == []


def _note_refusal(complaints: list[str], text: str) -> None:
    if "Content Security Policy" in text:
        complaints.append(text)


@pytest.fixture
def seal_file(world_seal: bytes, tmp_path: Path) -> Path:
    """A seal file to choose or drop."""
    path = tmp_path / "mark.safetensors"
    path.write_bytes(world_seal)
    return path
