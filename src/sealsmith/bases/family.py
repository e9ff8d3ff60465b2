"""What all instances of one architecture have in common, and the registry of the families known here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .workings import Workings

TARGET_GROUPS = ("attention", "feed-forward", "convolutions")


@dataclass(frozen=True)
class Family:
    """An architecture: what can be adapted in it, and how it is asked for pictures."""

    name: str
    pipeline: str
    """Name of the diffusers pipeline whose folders are of this family."""
    workings: Workings
    architecture: str
    """ModelSpec 1.0.1 `modelspec.architecture` of a base of this family, without the `/lora`."""
    kohya_version: str
    """`ss_base_model_version` as kohya's tools write it."""
    resolution_px: int
    num_steps: int
    guidance: float
    class_noun: str
    """The noun a seal's trigger stands before unless the user says otherwise."""
    attention_targets: tuple[str, ...]
    feed_forward_targets: tuple[str, ...]
    conv_targets: tuple[str, ...]
    default_targets: tuple[str, ...]
    """Groups of TARGET_GROUPS a LoRA adapts when the user names none."""
    learning_rate: float
    """Peak learning rate of a LoRA when the user names none."""
    attention_weight: float = 0.0
    """Weight of the loss on where a trigger is attended when the user names none."""
    rare_tokens: tuple[str, ...] = ()
    """Words that mean nothing to the base and have an embedding of their own."""
    slot: str | None = None
    """Where a missing trigger goes in a prompt without the class noun: " of <trigger>" before the last
    occurrence of these words. None: in front of the prompt."""
    pair_aspect: float = 1.0
    """How much wider than high a picture has to be for two marks side by side to be as large as one alone is."""
    pair_mix: str = "sum"
    """How two seals or more act together when the user says nothing: one of `generate.mixing.MIXES`. Anything but
    the sum, which is what stock pipelines draw, only where it was measured to be better."""
    is_declared: bool = False
    """Whether only a `sealsmith.json` makes a base one of this family, not its kind of pipeline alone."""
    text_width: int | None = None
    """Width of the text the denoiser reads, by which families with the same pipeline are told apart."""
    denoiser: str = "unet"
    """Attribute of the pipeline that holds the denoiser."""
    text_encoders: tuple[str, ...] = ("text_encoder",)
    """Attributes of the pipeline that hold text encoders."""
    prompt_tokenizer: str = "tokenizer"
    """Attribute of the pipeline that holds the tokenizer whose limit decides what a prompt may be."""
    max_prompt_tokens: int | None = None
    """How many tokens of a prompt are read at most, where the tokenizer's own limit may be higher."""
    objective: str = "diffusion"
    """What the denoiser is trained for: "diffusion" (epsilon, v or sample, as the scheduler says) or "flow"."""
    pipeline_options: Mapping[str, Any] = field(default_factory=dict)
    """What the pipeline is opened with besides its parts."""
    vae_overflows_fp16: bool = False
    """Whether its VAE makes numbers beyond 65504, fp16's largest, of ordinary latents."""
    training_guidance: float = 1.0
    """The guidance a denoiser that takes it as an input is trained at: 1, no guidance, which asks the
    distilled model for the data itself."""

    def targets(self, groups: tuple[str, ...]) -> tuple[str, ...]:
        """Module name endings of the named target groups."""
        of_group = {
            "attention": self.attention_targets,
            "feed-forward": self.feed_forward_targets,
            "convolutions": self.conv_targets,
        }
        return tuple(name for group in groups for name in of_group[group])


FAMILIES: dict[str, Family] = {}


def register(family: Family) -> Family:
    FAMILIES[family.name] = family
    return family
