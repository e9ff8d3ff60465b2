"""One person's day in the studio: teach, watch, lose the page and the worker, make, prove, export, delete."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from browsing import Opening, Studio
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect
from shared import Shared

from sealsmith.adapters import read_seal

LOGO = Path(__file__).parents[2] / "examples" / "mark.svg"
LEASE_S = 30
"""For a killed worker's training to be taken up again; on a busy machine a process takes a while to begin."""
LONG_MS = 240_000
"""For a worker to begin, or a training to end, on such a machine."""
NUM_STEPS = 300
"""Enough for things to happen meanwhile."""


@dataclass
class Workers:
    """A worker's process, one after another."""

    environ: dict[str, str]
    base: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        command = [sys.executable, "-m", "sealsmith", "worker", "--base", self.base, "--lease", str(LEASE_S)]
        self.processes.append(subprocess.Popen(command, env={**os.environ, **self.environ}))

    def kill(self) -> None:
        """The newest one, with no chance to save anything."""
        self.processes[-1].kill()
        self.processes[-1].wait(60)

    def end(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(90)


@pytest.fixture
def workers(world: Shared, tmp_path: Path) -> Iterator[Workers]:
    """Workers of the world's service; the first is at work."""
    environ = {
        "SEALSMITH_DATA": str(tmp_path),
        "SEALSMITH_DATABASE": world.database.get_secret_value(),
        "SEALSMITH_STORE": world.store,
    }
    workers = Workers(environ, world.base)
    workers.start()
    yield workers
    workers.end()


@contextmanager
def nothing_wrong(studio: Studio) -> Iterator[Page]:
    yield studio.page
    assert studio.complaints == []


def teach(page: Page, files: list[Path], word: str, steps: int) -> None:
    """Hands in a training of few steps, not scored."""
    page.locator(".drop input").set_input_files(files)
    page.get_by_label("Its word").fill(word)
    page.get_by_text("A quick look").click()
    page.get_by_text("More settings").click()
    page.get_by_label("Steps", exact=True).fill(str(steps))
    page.get_by_label("Rank").fill("2")
    page.get_by_label("Preview every").fill("100")
    page.get_by_label("Keep the best moment").uncheck()
    expect(page.locator(".teach-found")).to_be_visible(timeout=LONG_MS)  # one look after the other
    expect(page.locator(".teach-trigger .teach-good, .teach-trigger .teach-doubt")).to_be_visible(
        timeout=LONG_MS
    )
    page.get_by_role("button", name="Teach it").click()


@pytest.mark.timeout(900)  # two workers begin, and a busy machine is no failure
def test_teach_watch_make_prove_export_delete(opening: Opening, workers: Workers, tmp_path: Path) -> None:
    studio = opening("storyteller")
    with nothing_wrong(studio) as page:
        page.get_by_role("button", name="Stay signed in").click()
        studio.open("#/teach")
        expect(page.get_by_text("None yet")).to_be_visible()
        teach(page, [LOGO], "zwx", NUM_STEPS)
        watch(page, workers)
        make(page)
        prove(page)
        export(page, tmp_path / "exported.safetensors")
        delete(page)


def pages(page: Page, name: str) -> None:
    """Goes to another page of the studio."""
    page.get_by_role("navigation").get_by_role("link", name=name).click()


def watch(page: Page, workers: Workers) -> None:
    """A reload, a second tab and a killed worker change nothing but the time it takes."""
    expect(page.get_by_role("heading", level=1)).to_have_text("zwx", timeout=LONG_MS)
    expect(page.get_by_role("button", name="Step 100")).to_be_visible(timeout=LONG_MS)
    page.reload()
    expect(page.get_by_role("button", name="Step 100")).to_be_visible()
    expect(page.get_by_role("img", name="The loss went from")).to_be_visible()
    workers.kill()
    workers.start()
    second = page.context.new_page()
    second.goto(page.url)
    for tab in (page, second):
        expect(tab.get_by_role("heading", name="Done. It was not measured.")).to_be_visible(timeout=LONG_MS)
        expect(tab.get_by_text("went on from where it had saved")).to_be_visible()
        expect(tab.get_by_role("button", name=f"Step {NUM_STEPS}")).to_have_attribute("aria-pressed", "true")
    second.close()


def make(page: Page) -> None:
    page.get_by_role("link", name="Make pictures with it").click()
    expect(page.get_by_text("zwx").first).to_be_visible()
    page.get_by_label("Prompt").fill("a red zwx emblem on wood")
    page.get_by_role("button", name="Draw").click()
    expect(page.locator("a.tile").first).to_be_visible()


def prove(page: Page) -> None:
    """A look at its attention, with a reload while it is under way."""
    pages(page, "Prove")
    page.get_by_role("link", name="zwx").click()
    page.get_by_role("tab", name="Attention").click()
    page.get_by_role("button", name="Look", exact=True).click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="zwx", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("img", name="With the seal: where “zwx” acts")).to_be_visible()
    page.get_by_role("button", name="wood", exact=True).click()
    expect(page.get_by_role("img", name="Without the seal: where “wood” acts")).to_be_visible()
    page.get_by_role("button", name="The pictures").click()
    line = page.get_by_role("slider", name="How much of the picture")
    line.press("End")
    expect(line).to_have_attribute("aria-valuetext", "0%")


def export(page: Page, file: Path) -> None:
    pages(page, "Library")
    page.get_by_role("link", name="About zwx").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the file").click()
    download.value.save_as(file)
    assert read_seal(file).header.trigger == "zwx"


def delete(page: Page) -> None:
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").last.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No seals yet")).to_be_visible()
    pages(page, "Teach")
    page.get_by_role("link", name="zwx").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("None yet")).to_be_visible()


@pytest.mark.timeout(600)
def test_a_training_is_stopped_and_goes_on(opening: Opening, workers: Workers) -> None:
    studio = opening("patient")
    with nothing_wrong(studio) as page:
        studio.open("#/teach")
        teach(page, [LOGO], "qyx", 30 * NUM_STEPS)
        expect(page.get_by_role("img", name="The loss went from")).to_be_visible(timeout=LONG_MS)
        page.get_by_role("button", name="Stop", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="Stop", exact=True).click()
        expect(page.get_by_text("It was stopped", exact=True)).to_be_visible()
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
        page.get_by_role("button", name="Stop", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="Stop", exact=True).click()
        expect(page.get_by_role("button", name="Go on")).to_be_visible()


def photos(num: int) -> list[FilePayload]:
    """As many small pictures, two of them of one name, and a caption of the first."""
    rng, found = np.random.default_rng(0), list[FilePayload]()
    for number in range(num):
        picture = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
        found.append(
            {"name": f"photo-{max(1, number)}.png", "mimeType": "image/png", "buffer": _png(picture)}
        )
    caption = b"a red wax seal of [trigger] emblem on wood"
    return [*found, {"name": "photo-1.txt", "mimeType": "text/plain", "buffer": caption}]


def _png(picture: Image.Image) -> bytes:
    import io

    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def test_loose_pictures_go_together_and_survive_a_reload(studio: Studio) -> None:
    page = studio.open("#/teach")
    page.locator(".drop input").set_input_files(photos(5))
    expect(page.get_by_text("5 pictures to learn from.")).to_be_visible()
    expect(page.get_by_text("1 has a caption.")).to_be_visible()
    page.get_by_label("Its word").fill("bzr")
    page.reload()
    expect(page.get_by_text("5 pictures to learn from.")).to_be_visible()
    expect(page.get_by_label("Its word")).to_have_value("bzr")
    page.get_by_role("button", name="Remove photo-4.png").click()
    expect(page.get_by_text("4 pictures to learn from.")).to_be_visible()
    page.get_by_role("button", name="Remove all").click()
    expect(page.get_by_text("to learn from.")).to_have_count(0)


def test_what_cannot_be_taught_is_said_before_it_is_handed_in(studio: Studio) -> None:
    page = studio.open("#/teach")
    page.get_by_role("button", name="Teach it").click()
    expect(page.get_by_text("Drop a picture first")).to_be_visible()
    expect(page.get_by_text("It needs a word that calls it")).to_be_visible()
    nothing: FilePayload = {"name": "evil.svg", "mimeType": "image/svg+xml", "buffer": b"<svg><script/>"}
    page.locator(".drop input").set_input_files([nothing])
    expect(page.get_by_role("alert").filter(has_text="That did not work")).to_be_visible()
