"""From stock's plain loop to ours, one ingredient at a time.

Each arm has everything the one before it has, and one thing more. Caches change what a step costs and not what it
learns (a test holds that), so an arm that only adds a cache takes its curve from another arm.
"""

from dataclasses import dataclass, replace

from ..bases import Base
from ..train import TrainConfig
from ..train.pictures import PictureSet
from .plain_training import PlainRecipe
from .trainees import OurTrainee, PlainTrainee, Trainee

PLAIN, SAME_SETTINGS, OURS = "plain", "same settings", "ours"
"""The arms that are compared with each other: the example as it is, the example with our rank, rate and layers, and
`sealsmith train` as it is."""


@dataclass(frozen=True)
class Arm:
    """One way of training, told by what it has that the arm before it lacks."""

    name: str
    adds: str
    how: PlainRecipe | TrainConfig
    """A plain loop's settings, or our own."""
    learns_as: str | None = None
    """The arm that has the same curve by steps, where this one need not be trained."""
    is_patient: bool = False
    """Whether it is given more steps: one that never arrives bounds a ratio by the time it had."""

    def trainee(self, base: Base, pictures: PictureSet) -> Trainee:
        if isinstance(self.how, PlainRecipe):
            return PlainTrainee(base, pictures, self.how)
        return OurTrainee(base, pictures, self.how)


def arms(base: Base, ours: TrainConfig) -> list[Arm]:
    """The way from the plain loop to `ours`, which is a LoRA."""
    family, batch, rank = base.family, ours.batch_size, ours.rank
    rate = ours.learning_rate or family.learning_rate
    first, *others = ours.targets or family.default_targets
    recipe = PlainRecipe(family.targets((first,)), batch_size=batch)
    words = f"stock's example: rank {recipe.rank}, rate {recipe.learning_rate:g}, {first}"
    found = [Arm(PLAIN, words, recipe, is_patient=True)]
    recipe = replace(recipe, learning_rate=rate)
    found.append(Arm("rate", f"rate {rate:g}", recipe))
    recipe = replace(recipe, rank=rank)
    found.append(Arm("rank", f"rank {rank}", recipe))
    for group in others:
        recipe = replace(recipe, targets=(*recipe.targets, *family.targets((group,))))
        found.append(Arm(group, f"{group} adapted too", recipe))
    found[-1] = replace(found[-1], name=SAME_SETTINGS)
    recipe = replace(recipe, caches_latents=True)
    found.append(Arm("latents", "latents cached", recipe, SAME_SETTINGS))
    recipe = replace(recipe, caches_texts=True)
    found.append(Arm("texts", "text embeddings cached", recipe, SAME_SETTINGS))
    bare = replace(ours, prior="none", schedule="constant", num_warmup_steps=0, caption_dropout=0.0)
    found.append(
        Arm("loop", "our loop: pictures in turn, latents without noise of their own, fused AdamW", bare)
    )
    timed = replace(ours, prior="none")
    found.append(Arm("schedule", f"{ours.schedule} schedule, warm-up, caption dropout", timed))
    return [*found, Arm(OURS, f"prior {ours.prior}: all of `sealsmith train`", ours)]


def variants(ours: TrainConfig) -> list[Arm]:
    """Ours with one thing changed each: what else a training could be made of."""
    return [
        Arm("kaiming", "init kaiming", replace(ours, init="kaiming")),
        Arm("pissa", "init pissa", replace(ours, init="pissa")),
        Arm("min-SNR", "min-SNR weighting, gamma 5", replace(ours, min_snr_gamma=5.0)),
        Arm("batch", f"batch {2 * ours.batch_size}", replace(ours, batch_size=2 * ours.batch_size)),
    ]
