"""What a training is asked to do, as one frozen value: checked when made, completed once for a base.

Not for: anything that is known only while training (checkpoint.py).
"""

import math
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from typing import Any

from ..bases import Base
from ..errors import ConfigError
from ..generate import insert_trigger
from .pictures import PictureSet
from .targets import TARGETS

INITS = ("gaussian", "kaiming", "pissa", "olora")
PRIORS = ("none", "pictures", "adapter-off")
SCHEDULES = ("constant", "cosine")

FREE_TO_CHANGE = (
    "checkpoint_every", "preview_every", "preview_prompts", "num_checkpoints_scored", "gradient_checkpointing"
)  # fmt: skip
"""Settings that a resumed training may change: they decide what is watched, and what is kept in memory, not what is
learned."""


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a training. None means "chosen for the base"; `resolved` fills it in.

    Raises: ConfigError when a value is out of its range, naming the setting, the value and the range.
    """

    trigger: str = "sks"
    class_noun: str | None = None
    method: str = "lora"
    rank: int = 8
    alpha: float | None = None
    """Scale is alpha / rank. None: the rank, so that the scale is 1."""
    targets: tuple[str, ...] | None = None
    num_vectors: int = 4
    """Of a textual inversion: how many places of a prompt the trigger takes."""
    init_word: str | None = None
    """What the vectors begin as. None: the class noun."""
    init: str | None = None
    """How the change starts: at zero, with `down` gaussian of deviation 1/rank or kaiming as a fresh linear layer;
    or with a part of the weight itself, pissa or olora. None: the method decides."""
    train_text_encoder: bool = False

    learning_rate: float | None = None
    """At its peak."""
    schedule: str = "cosine"
    num_warmup_steps: int = 20
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    num_steps: int = 400
    batch_size: int = 2
    gradient_accumulation: int = 1
    gradient_checkpointing: bool = False
    """Whether a pass keeps what enters the denoiser's blocks alone, and goes through each again for gradients: half
    as much time again for a sixth of what is kept (docs/log.md)."""
    seed: int = 0

    min_snr_gamma: float | None = None
    caption_dropout: float = 0.02
    """Share of rows trained without their caption, so that guidance keeps working."""
    prior: str = "adapter-off"
    prior_weight: float = 1.0
    attention_weight: float | None = None
    """Of a loss that draws the trigger's cross-attention to where the seal is: masks say so, and logos know."""
    prior_batch_size: int = 1
    """Rows of class prompts in each batch, beside the `batch_size` rows of the seal."""
    prior_pictures: int = 50
    """Class pictures that the base draws for `prior="pictures"`."""

    checkpoint_every: int = 100
    num_checkpoints_scored: int = 3
    """The last so many checkpoints are scored, and the best of them becomes the seal."""
    preview_every: int | None = None
    preview_prompts: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("rank", "num_vectors", "num_steps", "batch_size", "gradient_accumulation", "checkpoint_every",
                     "prior_batch_size", "prior_pictures", "num_checkpoints_scored"):  # fmt: skip
            _check_at_least(name, getattr(self, name), 1)
        for name in ("seed", "num_warmup_steps", "weight_decay", "prior_weight"):
            _check_at_least(name, getattr(self, name), 0)
        if self.attention_weight is not None:
            _check_at_least("attention_weight", self.attention_weight, 0)
        if self.preview_every is not None:
            _check_at_least("preview_every", self.preview_every, 1)
        for name in ("learning_rate", "max_grad_norm", "alpha", "min_snr_gamma"):
            _check_positive(name, getattr(self, name))
        if not 0 <= self.caption_dropout < 1:
            raise ConfigError(
                f"caption_dropout is {self.caption_dropout}", "give a share from 0 up to, not including, 1"
            )
        if self.init is not None:
            _check_choice("init", self.init, INITS)
        _check_choice("prior", self.prior, PRIORS)
        _check_choice("schedule", self.schedule, SCHEDULES)
        for group in self.targets or ():
            _check_choice("targets", group, TARGETS)
        if self.targets == ():
            raise ConfigError("targets is empty", f"name at least one of {', '.join(TARGETS)}")

    @property
    def scale(self) -> float:
        """`alpha / rank`, the file's own multiplier of `up @ down`."""
        return (self.rank if self.alpha is None else self.alpha) / self.rank

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON would give them back (tuples are lists)."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def resolved(config: TrainConfig, base: Base, pictures: PictureSet) -> TrainConfig:
    """`config` with everything left open decided for this base and these pictures."""
    trigger = config.trigger.strip()
    noun = config.class_noun or pictures.class_noun or base.family.class_noun
    prompts = config.preview_prompts
    if prompts is None:
        captions = sorted({p.caption for p in pictures.pictures if p.caption and p.is_portrait})
        chosen = captions[:: max(1, len(captions) // 2)][:2] or [f"{trigger} {noun}"]
        prompts = tuple(insert_trigger(text, trigger, noun, slot=base.family.slot)[0] for text in chosen)
    return replace(
        config,
        trigger=trigger,
        class_noun=noun,
        alpha=float(config.rank) if config.alpha is None else float(config.alpha),
        targets=config.targets or base.family.default_targets,
        learning_rate=config.learning_rate or base.family.learning_rate,
        attention_weight=_attention_weight(config, base, pictures),
        preview_prompts=prompts,
    )


def _attention_weight(config: TrainConfig, base: Base, pictures: PictureSet) -> float:
    """The weight that was asked for, or the family's where it can act.

    Raises: ConfigError for a weight that was asked for and cannot act.
    """
    why = remedy = ""
    if base.family.denoiser != "unet":
        why, remedy = f"{base.name} ({base.family.name}) has no cross-attention", "leave it out"
    elif all(picture.region is None and picture.mask is None for picture in pictures.pictures):
        why = "no picture says where the seal is"
        remedy = "leave it out, or give the pictures masks (NAME.mask.png)"
    if why and config.attention_weight:
        raise ConfigError(f"attention_weight is {config.attention_weight}, and {why}", remedy)
    if why:
        return 0.0
    return base.family.attention_weight if config.attention_weight is None else config.attention_weight


def _check_at_least(name: str, value: float, least: int) -> None:
    if not (math.isfinite(value) and value >= least):
        raise ConfigError(f"{name} is {value}", f"give {name} a value of {least} or more")


def _check_positive(name: str, value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name} is {value}", f"give {name} a value above 0")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value in choices:
        return
    nearest = get_close_matches(value, choices, n=1, cutoff=0.3)
    hint = f"did you mean {nearest[0]!r}? " if nearest else ""
    raise ConfigError(f"{name} has the unknown value {value!r}", f"{hint}known: {', '.join(choices)}")
