"""Scorecards and demos as one HTML file each: pictures inlined, no network, light and dark.

Not for: measuring (scoring.py). A page shows what it is given.
"""

import base64
import io
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from .. import __version__
from ..adapters import Seal
from ..inspect import AttentionMaps, overlay
from .curve import curve_svg
from .measure import Shot
from .readings import readings
from .scorecard import Scorecard

HERO_PICTURES = 6


@dataclass(frozen=True)
class DemoStory:
    """Everything the demo's page tells."""

    seal: Seal
    card: Scorecard
    logo: Path
    training_pictures: Sequence[Image.Image]
    losses: Sequence[float]
    checkpoint_steps: Sequence[int]
    chosen_step: int
    attention: AttentionMaps
    train_seconds: float
    total_seconds: float
    seal_bytes: int
    base_bytes: int
    """Size of the base the seal changes, for comparison."""


class WordHeat(NamedTuple):
    """One word's maps, laid over the pictures they belong to, on one scale."""

    word: str
    before: Image.Image
    after: Image.Image
    rise: float
    """How much of the attention the word gained, as a share of what it had before: 0.2 is a fifth more."""


def score_page(seal: Seal, card: Scorecard) -> str:
    """The scorecard with every picture it was measured on, as one HTML document."""
    return environment().get_template("score.html.j2").render(_card_words(seal, card))


def demo_page(story: DemoStory) -> str:
    """The whole demo, from logo to verdict, as one HTML document."""
    words = _card_words(story.seal, story.card)
    best = best_of_prompts(story.card)
    maps = story.attention
    return (
        environment()
        .get_template("demo.html.j2")
        .render(
            words,
            story=story,
            hero=best[:HERO_PICTURES],
            curve=curve_svg(story.losses, story.checkpoint_steps, story.chosen_step),
            heats=word_heats(maps),
            attention_prompt=maps.after.picture.recipe.prompt,
            smaller=round(story.base_bytes / max(1, story.seal_bytes)),
        )
    )


def word_heats(maps: AttentionMaps) -> list[WordHeat]:
    """Each word's maps before and after, ready to be shown; the two of a word share one scale."""
    heats = []
    for word in maps.after.words:
        before, after = (np.asarray(side.words[word]) for side in (maps.before, maps.after))
        hottest = float(max(before.max(), after.max()))
        heats.append(
            WordHeat(
                word,
                overlay(maps.before.picture.image, before, hottest),
                overlay(maps.after.picture.image, after, hottest),
                float(after.mean() / max(before.mean(), 1e-12) - 1),
            )
        )
    return heats


def picture_uri(image: Image.Image) -> str:
    """A picture as a `data:` address of a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def file_uri(path: Path) -> str:
    """A logo file as a `data:` address, SVG as it is."""
    data = path.read_bytes()
    kind = "image/svg+xml" if b"<svg" in data[:4096].lower() else f"image/{path.suffix[1:].lower()}"
    return f"data:{kind};base64," + base64.b64encode(data).decode()


def _card_words(seal: Seal, card: Scorecard) -> dict[str, Any]:
    """What both pages say about a scorecard."""
    alone = {(shot.prompt, shot.seed): shot for shot in card.shots if not shot.with_seal}
    loaded = [shot for shot in card.shots if shot.with_seal]
    called = [shot for shot in loaded if shot.subject == "trigger"]
    by_place = {(shot.context, shot.seed): shot for shot in called}
    uncalled = [shot for shot in loaded if shot.subject == "class"]
    return {
        "seal": seal,
        "noun": card.settings.get("class_noun") or seal.header.class_noun,
        "card": card,
        "readings": readings(card),
        "called": called,
        "contrasts": [(by_place[shot.context, shot.seed], shot) for shot in uncalled],
        "others": [(alone[shot.prompt, shot.seed], shot) for shot in loaded if shot.subject == "other"],
        **machine_words(),
        "picture_px": called[0].drawn.pixels.shape[-1] if called else 0,
    }


def machine_words() -> dict[str, str]:
    """What every page's last line says of where it was made."""
    return {"version": __version__, "machine": f"{platform.machine()}, {platform.system()}"}


def best_shots(card: Scorecard) -> list[Shot]:
    """The pictures that call the seal, the ones that came out best first."""
    return sorted((shot for shot in card.shots if shot.subject == "trigger"), key=_merit, reverse=True)


def _merit(shot: Shot) -> tuple[bool, bool, float]:
    if shot.sight is None:
        return False, False, 0.0
    return shot.sight.is_seal, shot.is_as_asked, shot.sight.similarity


def best_of_prompts(card: Scorecard) -> list[Shot]:
    """As `best_shots`, each prompt's best one before any prompt's second."""
    shots = best_shots(card)
    first = {shot.prompt: shot for shot in reversed(shots)}
    leading = [shot for shot in shots if first[shot.prompt] is shot]
    return leading + [shot for shot in shots if first[shot.prompt] is not shot]


def environment() -> Environment:
    """The templates of all pages, with their filters."""
    environment = Environment(
        loader=PackageLoader("sealsmith.score"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(picture_uri=picture_uri, file_uri=file_uri, minutes=_minutes, bytes=_bytes)
    return environment


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


def _bytes(count: int) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.0f} KiB"
