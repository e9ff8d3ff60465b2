"""Options that several commands share."""

from typing import Annotated

import typer

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
