"""Whether a seal gets on with a second one: pictures that call both, and in how many of them both are found.

Not for: why they don't, or what would help (conflicts.py).
"""

from collections.abc import Callable

import torch

from ..adapters import Seal
from ..bases import Base
from ..generate import generate_batch
from .figures import Observation
from .judge import LoadedJudge
from .pairs import find_seals, plan_pairs
from .prompts import with_class_noun
from .record import reference_of


def composition(
    base: Base,
    seal: Seal,
    second: Seal,
    judge: LoadedJudge,
    *,
    num_prompts: int,
    num_steps: int | None,
    seed: int,
    on_picture: Callable[[int, int], None],
) -> list[Observation]:
    """Of each picture that calls both seals at strength 1, its prompt, and 1 where the judge finds both.

    `on_picture` is told how many are drawn, of how many.
    Raises: ConfigError when both have one trigger; PictureSetError when one does not say what it looks like.
    """
    seals = [with_class_noun(one, base.family) for one in (seal, second)]
    references = torch.stack([reference_of(one) for one in seals])
    plans = plan_pairs(base, seals, num_prompts, 1, seed)
    requests = [plan.request(seals, num_steps) for plan in plans]
    pictures = generate_batch(
        base, requests, [(one, 1.0) for one in seals], lambda done: on_picture(done, len(requests))
    )
    finds = find_seals(pictures, judge, references)
    return [
        (plan.prompt(seals), float(all(find.is_found for find in found)))
        for plan, found in zip(plans, finds, strict=True)
    ]
