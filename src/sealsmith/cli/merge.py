"""`sealsmith merge`: several seals as one file, and by how much it misses their sum."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError, OutputError
from .console import console, note, print_json
from .seal_option import parse_weight

if TYPE_CHECKING:
    from ..adapters import MergedSeal, MergeSettings, Seal

_WORST = 5


def merge_command(
    seals: Annotated[list[str], typer.Argument(metavar="FILE[:WEIGHT]...", help="Seals and their weights.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .safetensors file to write.")],
    method: Annotated[str, typer.Option(help="concat (exact), svd, ties, dare or dare-ties.")] = "concat",
    rank: Annotated[
        int | None, typer.Option(help="Largest rank of a layer of the result; not for concat.")
    ] = None,
    energy: Annotated[
        float | None,
        typer.Option(help="Share of each layer's squared norm to keep, by as low a rank as does it."),
    ] = None,
    density: Annotated[float, typer.Option(help="ties: share of each layer's entries that is kept.")] = 0.5,
    drop: Annotated[float, typer.Option(help="dare: probability that an entry is dropped.")] = 0.5,
    seed: Annotated[int, typer.Option(help="dare: seed of the entries dropped.")] = 0,
    title: Annotated[str, typer.Option(help="What to call it; the file's name if not given.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the path.")
    ] = False,
) -> None:
    """Make one seal file of several, and state the error."""
    from ..adapters import MergeSettings, read_seal, write_seal

    settings = MergeSettings(method, rank, energy, density, drop, seed)
    _check_out(out, force)
    weighted = [(read_seal(path), weight) for path, weight in map(parse_weight, seals)]
    merged = _merge(weighted, settings, title or out.stem)
    write_seal(out, merged.seal)
    _say(merged, weighted)
    if as_json:
        print_json(_report(merged, out))
    else:
        typer.echo(str(out))


def _check_out(out: Path, force: bool) -> None:
    from ..adapters import check_writable

    if out.suffix.lower() != ".safetensors":
        raise ConfigError(f"--out is {str(out)!r}", "name a file that ends in .safetensors")
    check_writable(out)
    if out.exists() and not force:
        raise OutputError(f"{str(out)!r} is there already", "name another file, or give --force")


def _merge(seals: "list[tuple[Seal, float]]", settings: "MergeSettings", title: str) -> "MergedSeal":
    """The merged seal, its layers counted on stderr."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..adapters import merge_seals

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("merging layers", total=None)
        return merge_seals(
            seals,
            settings,
            title,
            datetime.now(UTC).isoformat(timespec="seconds"),
            lambda done, total: bar.update(task, completed=done, total=total),
        )


def _say(merged: "MergedSeal", seals: "list[tuple[Seal, float]]") -> None:
    """On stderr: the triggers, and a table of what was lost."""
    from rich.table import Table

    from ..adapters.merged_seals import triggers

    words = triggers(seals)
    note(f"triggers: {', '.join(words) or 'none known'}")
    if not merged.loss.lost:
        note(f"{len(merged.losses)} layers, rank {merged.seal.header.rank}, nothing lost")
        return
    table = Table("layer", "norm", "lost", "error")
    for path, loss in worst(merged):
        table.add_row(path, f"{loss.norm:.4g}", f"{loss.lost:.4g}", f"{loss.relative:.2%}")
    loss = merged.loss
    name = f"all {len(merged.losses)} layers"
    table.add_row(name, f"{loss.norm:.4g}", f"{loss.lost:.4g}", f"{loss.relative:.2%}", style="bold")
    console.print(table)


def worst(merged: "MergedSeal") -> list[tuple[str, Any]]:
    """The layers that lost the largest share of themselves, the worst first."""
    return sorted(merged.losses.items(), key=lambda entry: -entry[1].relative)[:_WORST]


def _report(merged: "MergedSeal", out: Path) -> dict[str, Any]:
    header = merged.seal.header
    return {
        "path": str(out),
        "trigger": header.trigger,
        "rank": header.rank,
        **header.training["merge"],
        "error": {"lost": merged.loss.lost, "norm": merged.loss.norm, "relative": merged.loss.relative},
        "layers": {
            path: {"rank": merged.seal.layers[path].rank, "lost": loss.lost, "norm": loss.norm}
            for path, loss in merged.losses.items()
        },
    }
