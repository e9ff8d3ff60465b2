"""Options that several commands share."""

from typing import Annotated

import typer

BaseOption = Annotated[str, typer.Option(help="The base: sealworld, or a folder in diffusers' format.")]
