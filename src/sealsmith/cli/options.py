"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..generate import Request


class LongPrompts(StrEnum):
    """What is done with words beyond the text encoder's limit."""

    CHUNKS = "chunks"
    CUT = "cut"


class Mix(StrEnum):
    """How several seals act together."""

    AUTO = "auto"
    SUM = "sum"
    SWITCH = "switch"
    COMPOSITE = "composite"
    MASKED = "masked"


class PictureOptions:
    """What the options of every command that draws one prompt's pictures have in common."""

    negative: str
    steps: int | None
    guidance: float | None
    sampler: str | None
    width: int | None
    height: int | None
    no_trigger: bool
    long_prompts: LongPrompts

    def request(self, words: str, seed: int, num_pictures: int = 1, mix: Mix = Mix.AUTO) -> "Request":
        """What is to be drawn, the prompt without its tags."""
        from ..generate import Request

        return Request(
            words,
            self.negative,
            seed,
            num_pictures,
            self.steps,
            self.guidance,
            not self.no_trigger,
            self.width,
            self.height,
            self.long_prompts,
            self.sampler,
            mix,
        )


BaseOption = Annotated[
    str,
    typer.Option(help="The base: sealworld, a diffusers folder, a .safetensors checkpoint, or a hub id."),
]
PrecisionOption = Annotated[
    str, typer.Option(help="Numbers to compute with: auto, fp32, bf16 or fp16; auto asks the hardware.")
]
MemoryOption = Annotated[
    str,
    typer.Option(
        help="Where weights rest: auto, none (where they are used), model-offload, sequential-offload."
    ),
]
SlicingOption = Annotated[
    bool | None,
    typer.Option("--vae-slicing/--no-vae-slicing", help="Decode pictures one by one; decided if not given."),
]
TilingOption = Annotated[
    bool | None,
    typer.Option(
        "--vae-tiling/--no-vae-tiling", help="Decode large pictures in tiles; decided if not given."
    ),
]
DeviceOption = Annotated[str, typer.Option(help="Where to compute: cpu, cuda, cuda:1, mps.")]
SealsOption = Annotated[
    list[str] | None,
    typer.Option("--seal", "-s", metavar="FILE[:STRENGTH]", help="A seal and its strength; repeatable."),
]
SealsFolderOption = Annotated[
    Path, typer.Option(help="Where `<lora:name:strength>` in the prompt finds its seals.")
]
SamplerOption = Annotated[
    str | None,
    typer.Option(help="The way from noise to picture, as euler-a or dpm++-2m-karras; the base decides."),
]
NegativeOption = Annotated[str, typer.Option(help="What the picture should not show.")]
SideOption = Annotated[int | None, typer.Option(help="Pixels; the base decides if not given.")]
"""Width or height."""
NoTriggerOption = Annotated[bool, typer.Option("--no-trigger", help="Do not insert a missing trigger.")]
LongPromptsOption = Annotated[
    LongPrompts, typer.Option(help="Words beyond the text encoder's limit: in chunks of their own, or cut.")
]
MixOption = Annotated[
    Mix,
    typer.Option(
        help="Several seals: added up (sum), in turn (switch), averaged (composite), masked, or auto."
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="What a server keeps; among this user's data if not given."),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="sqlite:///file or postgresql://...; a file in --data if not given."
    ),
]
StoreOption = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="file:///folder or s3://bucket/folder; in --data if not given."),
]
OtelEndpointOption = Annotated[
    str | None,
    typer.Option(metavar="URL", help="An OpenTelemetry collector for traces; OTEL_* variables if not given."),
]
