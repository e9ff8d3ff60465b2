"""How much a seal's pictures resemble its emblem, by a few pictures: cheap enough for every checkpoint.

Not for: a verdict. The scorecard (score/) draws more pictures, with more steps, and asks more of them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..adapters import Seal
from ..bases import Base
from ..errors import ConfigError
from ..generate import Request, generate_batch
from ..score import judge_of, reference_embedding, unseen_contexts
from ..score.judge import LoadedJudge
from ..stage.captions import named_contexts
from ..train import TrainConfig
from ..train.pictures import PictureSet


@dataclass(frozen=True)
class LikenessTest:
    """Fixed requests in contexts that were not trained in, and what the judge should see in their pictures."""

    judge: LoadedJudge
    reference: Tensor
    """[D], of length 1."""
    requests: tuple[Request, ...]

    def of(self, base: Base, seal: Seal | None) -> float:
        """The mean cosine, -1..1, between the emblem in each picture and the one that was taught.

        Without a seal it is what the base alone draws for the same requests.
        """
        pictures = generate_batch(base, self.requests, [] if seal is None else [(seal, 1.0)])
        seen = self.judge.look(torch.stack([picture.pixels for picture in pictures]))
        return float((seen.embedding @ self.reference).mean())


def likeness_test(
    base: Base, pictures: PictureSet, num_prompts: int, num_seeds: int, num_steps: int
) -> LikenessTest:
    """The test of one emblem: the same prompts and seeds for whoever trained it.

    Raises: ConfigError for a base whose pictures no judge knows.
    """
    judge = judge_of(base.family)
    if judge is None:
        raise ConfigError(
            f"no judge knows the pictures of {base.name}, so nobody can say how much a seal resembles its emblem",
            "measure this on sealworld",
        )
    seen = named_contexts(picture.caption or "" for picture in pictures.pictures)
    contexts = unseen_contexts(seen, num_prompts, seed=0)
    subject = f"{TrainConfig.trigger} {base.family.class_noun}"
    requests = tuple(
        Request(context.prompt(subject), seed=100 * i + j, num_steps=num_steps, use_trigger=False)
        for i, context in enumerate(contexts)
        for j in range(num_seeds)
    )
    reference = reference_embedding(judge, pictures.portraits)
    return LikenessTest(judge, reference, requests)
