"""What is asked for when a training is handed in as a job: checked without the base, the pictures, or torch.

Not for: whether values make sense together, which only the training knows (train/config.py).
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from ..errors import ConfigError
from .payload import parse_payload

SETTINGS = frozenset(
    {
        "trigger", "class_noun", "method", "rank", "alpha", "targets", "num_vectors", "init_word", "init",
        "train_text_encoder", "learning_rate", "schedule", "num_warmup_steps", "weight_decay", "max_grad_norm",
        "num_steps", "batch_size", "gradient_accumulation", "gradient_checkpointing", "seed", "min_snr_gamma",
        "caption_dropout", "prior", "prior_weight", "attention_weight", "prior_batch_size", "prior_pictures",
        "checkpoint_every", "num_checkpoints_scored", "preview_every", "preview_prompts",
    }
)  # fmt: skip
"""The fields of `train.TrainConfig`."""
DEFAULTS = {"num_steps": 400, "checkpoint_every": 100, "preview_every": None}
"""What some of them are where nothing is said."""
DEFAULT_PREVIEW_PROMPTS = 2
"""So many prompts, at most, a training draws previews of that names none."""


class TrainPayload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A training that is wanted."""

    pictures: str
    """Id of an upload of the tenant's: a zip of pictures, one picture, or one logo."""
    base: str = "sealworld"
    """One of the words that the worker has bases for."""
    name: str = ""
    """What the seal is called in the catalog; empty: by its trigger and class noun."""
    is_scored: bool = True
    """Whether checkpoints are chosen by score, and the seal gets its scorecard."""
    is_strict: bool = False
    """Whether a set with a picture that cannot be used is refused."""
    settings: dict[str, Any] = {}
    """Fields of `train.TrainConfig`; what is left out is as it is there."""

    def to_dict(self) -> dict[str, Any]:
        """As a job's payload."""
        return msgspec.to_builtins(self)


def parse_train_payload(payload: Mapping[str, Any]) -> TrainPayload:
    """The training that a job's payload asks for. Raises: ConfigError naming what is wrong."""
    parsed = parse_payload(payload, TrainPayload, "training")
    for key in parsed.settings:
        if key not in SETTINGS:
            nearest = get_close_matches(key, SETTINGS, n=1, cutoff=0.4)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(sorted(SETTINGS))}"
            raise ConfigError(f"a training has no setting {key[:80]!r}", hint)
    return parsed
