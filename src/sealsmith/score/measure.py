"""Drawing the pictures a scorecard is measured on, and looking at them with the judge.

Not for: the figures themselves (figures.py) or what they mean (verdict.py).
"""

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from ..adapters import Seal
from ..bases import Base
from ..generate import Picture, Request, generate_batch
from ..stage.captions import article
from .judge import JUDGE_PX, LoadedJudge, pictures_to_tensor
from .prompts import OTHER_EMBLEMS, Context, calling, unseen_contexts, with_class_noun
from .record import contexts_trained
from .settings import ScoreSettings

Subject = Literal["trigger", "class", "other"]
ScoreProgress = Callable[[int, int], None]
"""Told after every picture: how many are drawn, of how many."""
BasePictures = MutableMapping[Request, Picture]
"""What one base draws without any seal."""


@dataclass(frozen=True)
class Sight:
    """What the judge sees in one picture."""

    mark: str
    surface: str
    colour: str
    similarity: float
    """Cosine of its emblem to the seal's reference, -1..1."""
    rival: float
    """Cosine of its emblem to the nearest distractor, -1..1."""

    @property
    def is_seal(self) -> bool:
        """Whether the seal is nearer than every distractor."""
        return self.similarity > self.rival


@dataclass(frozen=True)
class Shot:
    """One picture of a scorecard: what was asked, and, once drawn and looked at, what came."""

    context: Context
    subject: Subject
    """"trigger": the seal was called; "class": the class noun stood in its place; "other": another emblem."""
    prompt: str
    seed: int
    with_seal: bool
    picture: Picture | None = None
    sight: Sight | None = None

    @property
    def drawn(self) -> Picture:
        assert self.picture is not None, "the shot was planned, but not drawn"
        return self.picture

    @property
    def seen(self) -> Sight:
        assert self.sight is not None, "the shot was not looked at"
        return self.sight

    @property
    def has_colour(self) -> bool:
        """Whether its colour is the prompt's; true for marks that have none to be wrong about."""
        return self.context.colour in (None, self.seen.colour)

    @property
    def is_as_asked(self) -> bool:
        """Whether mark, surface and colour are the prompt's."""
        context, seen = self.context, self.seen
        return seen.mark == context.mark and seen.surface == context.surface and self.has_colour


def plan_shots(seal: Seal, settings: ScoreSettings) -> list[Shot]:
    """Every picture a scoring needs, in the order they are drawn; the same for the same arguments.

    The seal must have a class noun (`with_class_noun`). One without a trigger is called by the noun, so of the
    noun alone there are no pictures that do not call it.
    """
    header, wanted = seal.header, settings.num_prompts + settings.num_others
    contexts = unseen_contexts(contexts_trained(header), wanted, settings.seed)
    shots: list[Shot] = []
    for i, context in enumerate(contexts[: settings.num_prompts]):
        seeds = _seeds(settings, i, settings.num_seeds)
        prompt = context.prompt(calling(header))
        shots += [Shot(context, "trigger", prompt, seed, True) for seed in seeds]
        if header.trigger and i < settings.num_without:
            prompt = context.prompt(article(header.class_noun))
            shots += [Shot(context, "class", prompt, seeds[0], with_seal) for with_seal in (True, False)]
    for i, context in enumerate(contexts[settings.num_prompts :], settings.num_prompts):
        prompt = context.prompt(OTHER_EMBLEMS[i % len(OTHER_EMBLEMS)])
        for seed in _seeds(settings, i, max(2, settings.num_seeds)):
            shots += [Shot(context, "other", prompt, seed, with_seal) for with_seal in (True, False)]
    return shots


def draw_shots(
    base: Base,
    seal: Seal,
    settings: ScoreSettings,
    base_pictures: BasePictures,
    progress: ScoreProgress | None = None,
) -> list[Shot]:
    """The planned shots with their pictures; the base's own are kept in `base_pictures` and not redrawn."""
    shots = plan_shots(with_class_noun(seal, base.family), settings)
    return draw(base, seal, shots, settings, base_pictures, progress)


def draw(
    base: Base,
    seal: Seal,
    shots: Sequence[Shot],
    settings: ScoreSettings,
    base_pictures: BasePictures,
    progress: ScoreProgress | None = None,
) -> list[Shot]:
    """These shots with their pictures, as `draw_shots`."""
    requests = {shot: request_of(shot, settings) for shot in shots}
    loaded = [request for shot, request in requests.items() if shot.with_seal]
    alone = [request for shot, request in requests.items() if not shot.with_seal]
    missing = [request for request in alone if request not in base_pictures]
    total = len(loaded) + len(missing)

    def tell(done: int) -> None:
        if progress is not None:
            progress(done, total)

    drawn = generate_batch(base, loaded, [(seal, settings.strength)], tell)
    pictures = dict(zip(loaded, drawn, strict=True))
    own = generate_batch(base, missing, (), lambda done: tell(len(loaded) + done))
    base_pictures.update(zip(missing, own, strict=True))
    return [
        replace(shot, picture=pictures[request] if shot.with_seal else base_pictures[request])
        for shot, request in requests.items()
    ]


def look(shots: Sequence[Shot], judge: LoadedJudge, reference: Tensor) -> list[Shot]:
    """The drawn shots with what the judge sees in them; `reference` [D] is what the seal looks like to it."""
    seen = judge.look(torch.stack([shot.drawn.pixels for shot in shots]))
    sights = map(
        Sight,
        (judge.marks[i] for i in seen.mark.argmax(1).tolist()),
        (judge.surfaces[i] for i in seen.surface.argmax(1).tolist()),
        (judge.colours[i] for i in seen.colour.argmax(1).tolist()),
        (seen.embedding @ reference).tolist(),
        (seen.embedding @ judge.distractors.T).amax(1).tolist(),
    )
    return [replace(shot, sight=sight) for shot, sight in zip(shots, sights, strict=True)]


def reference_embedding(judge: LoadedJudge, pictures: Sequence[Image.Image]) -> Tensor:
    """What a seal looks like to the judge: the mean of its pictures' embeddings, brought to length 1; [D].

    Pictures that are not square are cropped to their middle, as training crops them.
    Raises: ValueError when there are no pictures.
    """
    if not pictures:
        raise ValueError("a reference needs at least one picture")
    size = (JUDGE_PX, JUDGE_PX)
    squares = [ImageOps.fit(picture.convert("RGB"), size, Image.Resampling.LANCZOS) for picture in pictures]
    return F.normalize(judge.look(pictures_to_tensor(squares)).embedding.mean(0), dim=0)


def request_of(shot: Shot, settings: ScoreSettings) -> Request:
    """What is asked of the base for a shot; `settings` must be complete."""
    return Request(
        shot.prompt,
        seed=shot.seed,
        num_steps=settings.num_steps,
        guidance=settings.guidance,
        use_trigger=False,
    )


def _seeds(settings: ScoreSettings, prompt_index: int, count: int) -> list[int]:
    first = settings.seed if settings.picture_seed is None else settings.picture_seed
    return [first + 100 * prompt_index + i for i in range(count)]
