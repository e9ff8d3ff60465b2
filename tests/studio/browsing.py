"""A browser in which somebody is signed in to the studio."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page
from shared import Shared

WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


@dataclass(frozen=True)
class Studio:
    """A browser in which somebody is signed in, and the service behind it."""

    page: Page
    world: Shared
    tenant: str
    headers: dict[str, str]
    complaints: list[str]
    """What the browser refused to do, and what went wrong in it."""

    def open(self, where: str) -> Page:
        """The page at a place in the studio, as `#/make`."""
        self.page.goto(f"{self.world.running.url}/{where}")
        return self.page


Opening = Callable[..., Studio]
