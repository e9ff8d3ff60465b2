"""The job `attention`: where in the picture each word of a prompt acts, before and after seals.

As `sealsmith attention` sees it, with a picture of each word's maps. An attempt that is interrupted is made anew.
"""

from ..catalog import NewArtefact
from ..generate import Request
from ..generate.prompt import main_trigger
from ..inspect import before_and_after
from ..inspect.attention_report import SIDES, Sighting, sighting, word_figures
from ..score.report import WordHeat, word_heats
from ..train.progress import Counted
from .opening import opened_base, opened_seal
from .payload import parse_payload
from .study_files import image_file, picture_file
from .study_payload import NAMES, AttentionPayload
from .values import Outcome
from .work import Work

MAX_WORDS = 24
"""Of a long prompt only the first words that name something are shown, the triggers before them."""


def run(work: Work) -> Outcome:
    """Draws twice and looks. Raises: what opening the seals and drawing raise; ConfigError, SealMissingError."""
    payload = parse_payload(work.job.payload, AttentionPayload, NAMES[work.job.kind])
    opened = [opened_seal(work, use) for use in payload.seals]
    base = opened_base(work, payload.base)
    request = Request(payload.prompt, seed=payload.seed, num_steps=payload.num_steps).resolved(base)
    seals = [(one.seal, one.strength) for one in opened]
    counted = Counted("drawing twice", work.progress)
    seen = sighting(before_and_after(base, request, seals, on_step=counted))
    triggers = {main_trigger(one.seal.header.trigger) for one in opened}
    heats = word_heats(seen.maps)[:MAX_WORDS]
    recipe = seen.maps.after.picture.recipe
    return Outcome(
        result={
            "prompt": recipe.prompt,
            "seed": recipe.seed,
            "region_area": None if seen.region is None else float(seen.region.mean()),
            "words": [
                {"word": heat.word, "is_trigger": heat.word in triggers, **word_figures(seen, heat.word)}
                for heat in heats
            ],
        },
        artefacts=tuple(_files(seen, heats)),
    )


def _files(seen: Sighting, heats: list[WordHeat]) -> list[NewArtefact]:
    """The two pictures, and every word's maps over them, numbered as the words are, from 0."""
    pictures = [picture_file(f"picture-{side}.png", seen.sides[side].picture) for side in SIDES]
    overlays = [
        image_file(f"overlay-{side}-{index}.png", image)
        for index, heat in enumerate(heats)
        for side, image in zip(SIDES, (heat.before, heat.after), strict=True)
    ]
    return pictures + overlays
