"""`sealsmith convert`: a seal file written again in the dialect that other tools read."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import OutputError
from .console import note, print_json

if TYPE_CHECKING:
    from ..adapters import Seal


class Dialect(StrEnum):
    """What can be written."""

    KOHYA = "kohya"
    DIFFUSERS = "diffusers"


class Dtype(StrEnum):
    """How numbers are stored."""

    FP16 = "fp16"
    BF16 = "bf16"
    FP32 = "fp32"


def convert_command(
    file: Annotated[Path, typer.Argument(help="A seal file of any dialect.")],
    to: Annotated[
        Dialect, typer.Option(help="kohya for A1111, Forge and ComfyUI; diffusers for diffusers and PEFT.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The new file; NAME-DIALECT.safetensors if not given.")
    ] = None,
    dtype: Annotated[
        Dtype | None, typer.Option(help="How its numbers are stored; as they are if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the path.")] = False,
) -> None:
    """Write a seal file again in the dialect of other tools."""
    from ..adapters import atomic_write, check_writable, dump_seal, read_seal
    from ..adapters.checks import check_suffix
    from ..adapters.convert import converted

    path = out or file.with_name(f"{file.stem}-{to}.safetensors")
    check_suffix(path)
    if path.exists() and not force:
        raise OutputError(
            f"{str(path)!r} exists already", "give --force to replace it, or --out another name"
        )
    check_writable(path)
    seal = read_seal(file)
    result, unwritable = converted(seal, to.value, dtype and dtype.value)
    atomic_write(path, dump_seal(result, to.value))
    _say_what_is_lost(seal, unwritable)
    if as_json:
        facts = {
            "path": str(path),
            "from": seal.dialect,
            "to": to.value,
            "layers": len(result.layers),
            "not_written": unwritable,
            "unknown": list(seal.unknown),
        }
        print_json(facts)
    else:
        typer.echo(path)


def _say_what_is_lost(seal: "Seal", unwritable: dict[str, str]) -> None:
    """One line for every reason, with how many layers it concerns and the first of them."""
    by_reason: dict[str, list[str]] = {}
    for path, reason in unwritable.items():
        by_reason.setdefault(reason, []).append(path)
    for reason, paths in by_reason.items():
        note(f"warning: {len(paths)} of {len(seal.layers)} layers not written, {paths[0]!r} first: {reason}")
    if seal.unknown:
        note(
            f"warning: {len(seal.unknown)} tensors nobody here can read, {seal.unknown[0]!r} first: left out"
        )
