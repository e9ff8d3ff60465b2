"""`sealsmith fuse`: a base with seals in its weights, as a folder that needs the seals no more."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError
from .console import console, note, print_json
from .options import BaseOption
from .seal_option import parse_weight


def fuse_command(
    seals: Annotated[
        list[str], typer.Argument(metavar="FILE[:STRENGTH]...", help="Seals and their strengths.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write.")],
    base: BaseOption = "sealworld",
    force: Annotated[bool, typer.Option("--force", help="Replace a folder that is there.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the path.")
    ] = False,
) -> None:
    """Write a base with seals in its weights."""
    from ..adapters import read_seal
    from ..bases import open_base
    from ..generate.fused_base import check_new_folder, fusion_note, write_fused_base

    check_new_folder(out, force)
    chosen = [parse_weight(text) for text in seals]
    if not chosen:
        raise ConfigError("there is nothing to fuse", "name at least one seal")
    weighted = [(read_seal(path), strength) for path, strength in chosen]
    opened = open_base(base)
    with console.status("fusing and writing"):
        reports = write_fused_base(opened, weighted, out, force)
    for report in reports:
        note(f"{report.seal}: {report.matched} of {report.total} layers fused")
        for warning in report.warnings:
            note(f"warning: {warning}")
    if as_json:
        print_json({"path": str(out), **fusion_note(opened, weighted)})
    else:
        typer.echo(str(out))
