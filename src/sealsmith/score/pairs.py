"""Two seals in one picture: the prompts that call both, and whether the judge finds each of them there.

The judge knows pictures of one mark. Scenes of two have them side by side, small in a square picture, nearly as
large as alone in a wide one; it is shown a square around each of the two places. How often it is right about those
stands in docs/sealworld.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from ..adapters import Seal
from ..bases import Base
from ..errors import ConfigError
from ..generate import Picture, Request
from ..generate.mixing import AUTO
from ..stage.captions import article
from .judge import WIDE_WINDOW, WINDOW, LoadedJudge
from .prompts import OTHER_EMBLEMS, Context, calling, unseen_contexts
from .record import contexts_trained

CENTRES, WIDE_CENTRES = (0.265, 0.735), (0.25, 0.75)
"""Where the two marks of a scene sit, left and right, as shares of the picture's width."""
WIDE_FROM = 1.25
"""Width over height from which a picture is a wide one."""


@dataclass(frozen=True)
class PairPlan:
    """One picture that calls two seals."""

    called: tuple[int, int]
    """Which seals of the company, the left one first."""
    contexts: tuple[Context, Context]
    """Their marks and colours; the surface is the first one's."""
    seed: int
    stranger: str
    """The emblem to stand in for one of them when the other is drawn alone."""
    size_px: tuple[int, int]
    """Width and height."""

    def prompt(self, seals: Sequence[Seal], alone: int | None = None) -> str:
        """The words for both seals, or for the seal `alone` beside the stranger; seals must have a class noun."""
        parts = []
        for index, context in zip(self.called, self.contexts, strict=True):
            is_stranger = alone is not None and index != alone
            subject = self.stranger if is_stranger else calling(seals[index].header)
            mark = f"{context.colour} {context.mark}" if context.colour else context.mark
            parts.append(f"{article(mark)} of {subject}")
        return f"{' and '.join(parts)} on {self.contexts[0].surface}"

    def request(
        self,
        seals: Sequence[Seal],
        steps: int | None,
        alone: int | None = None,
        mix: str = AUTO,
        guidance: float | None = None,
    ) -> Request:
        width, height = self.size_px
        return Request(
            self.prompt(seals, alone),
            seed=self.seed,
            num_steps=steps,
            guidance=guidance,
            width=width,
            height=height,
            use_trigger=False,
            mix=mix,
        )


@dataclass(frozen=True)
class Find:
    """How one seal came out in one picture, in the half where it is most like itself."""

    similarity: float
    """Cosine of the emblem there to the seal's reference, -1..1."""
    rival: float
    """Cosine of the emblem there to the nearest distractor or other seal, -1..1."""

    @property
    def is_found(self) -> bool:
        return self.similarity > self.rival

    @property
    def lead(self) -> float:
        return self.similarity - self.rival


def plan_pairs(
    base: Base, seals: Sequence[Seal], num_prompts: int, num_seeds: int, seed: int
) -> list[PairPlan]:
    """`num_prompts` prompts for two seals each, every pair of the company in turn and in both orders.

    Their marks are ones no seal was trained in with that surface, as far as there are such; the same plans for the
    same arguments. Raises: ConfigError for fewer than two seals, or two with one trigger.
    """
    triggers = [seal.header.trigger for seal in seals]
    if len(seals) < 2 or len(set(triggers)) < len(triggers):
        raise ConfigError(
            f"seals with the triggers {', '.join(map(repr, triggers))} cannot be called in one picture",
            "give two seals or more, each with a trigger of its own",
        )
    trained = frozenset().union(*(contexts_trained(seal.header) for seal in seals))
    contexts = unseen_contexts(trained, 2 * num_prompts, seed)
    pairs = [pair for both in combinations(range(len(seals)), 2) for pair in (both, both[::-1])]
    return [
        PairPlan(
            pairs[i % len(pairs)],
            (contexts[2 * i], contexts[2 * i + 1]),
            seed + 100 * i + j,
            OTHER_EMBLEMS[i % len(OTHER_EMBLEMS)],
            base.pair_size_px,
        )
        for i in range(min(num_prompts, len(contexts) // 2))
        for j in range(num_seeds)
    ]


def find_seals(pictures: Sequence[Picture], judge: LoadedJudge, references: Tensor) -> list[list[Find]]:
    """For every picture, how each seal came out in it; `references` [S, D] is what the seals look like.

    A seal is found in a half when it is nearer to it than to every distractor and every other seal.
    """
    if not pictures:
        return []
    halves = cut_halves(torch.stack([picture.pixels.float().cpu() for picture in pictures]))
    embeddings = judge.look(halves.flatten(0, 1)).embedding
    likeness = embeddings @ references.T
    distractor = (embeddings @ judge.distractors.T).amax(1)
    found = []
    for rows, rivals in zip(likeness.split(2), distractor.split(2), strict=True):
        found.append([_find(rows, rivals, seal) for seal in range(len(references))])
    return found


def cut_halves(pictures: Tensor) -> Tensor:
    """Squares around the two places of a scene: [N, 3, H, W] in 0..1 -> [N, 2, 3, h, h], left first."""
    height, width = pictures.shape[-2:]
    is_wide = width >= WIDE_FROM * height
    window, centres = (WIDE_WINDOW, WIDE_CENTRES) if is_wide else (WINDOW, CENTRES)
    side = round(window * min(height, width))
    top = (height - side) // 2
    lefts = [min(max(round(centre * width - side / 2), 0), width - side) for centre in centres]
    return torch.stack([pictures[..., top : top + side, left : left + side] for left in lefts], 1)


def _find(likeness: Tensor, distractor: Tensor, seal: int) -> Find:
    """Of one picture: likeness [2, S] of its halves to the seals, [2] to the nearest distractor."""
    others = likeness.clone()
    others[:, seal] = -1
    rivals = torch.maximum(distractor, others.amax(1))
    best = int((likeness[:, seal] - rivals).argmax())
    return Find(float(likeness[best, seal]), float(rivals[best]))
