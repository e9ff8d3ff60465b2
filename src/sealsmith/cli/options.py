"""Options that several commands share."""

from typing import Annotated

import typer

BaseOption = Annotated[
    str,
    typer.Option(help="The base: sealworld, a diffusers folder, a .safetensors checkpoint, or a hub id."),
]
DeviceOption = Annotated[str, typer.Option(help="Where to compute: cpu, cuda, cuda:1, mps.")]
