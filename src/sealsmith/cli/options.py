"""Options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class LongPrompts(StrEnum):
    """What is done with words beyond the text encoder's limit."""

    CHUNKS = "chunks"
    CUT = "cut"


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
NegativeOption = Annotated[str, typer.Option(help="What the picture should not show.")]
SamplerOption = Annotated[
    str | None,
    typer.Option(
        help="Kind of scheduler, e.g. EulerAncestralDiscrete; a wrong name lists the base's. The base decides."
    ),
]
SideOption = Annotated[int | None, typer.Option(help="Pixels; the base decides if not given.")]
"""Width or height."""
NoTriggerOption = Annotated[bool, typer.Option("--no-trigger", help="Do not insert a missing trigger.")]
LongPromptsOption = Annotated[
    LongPrompts, typer.Option(help="Words beyond the text encoder's limit: in chunks of their own, or cut.")
]
