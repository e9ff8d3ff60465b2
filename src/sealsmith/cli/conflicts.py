"""`sealsmith conflicts`: whether seals get on in one picture, why not, and with which strengths they would."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from .console import console, note, output, print_json, print_rows
from .options import BaseOption, DeviceOption, MemoryOption, PrecisionOption

if TYPE_CHECKING:
    from rich.table import Table

    from ..adapters import Seal
    from ..bases import Base
    from ..inspect.conflict import WeightConflict
    from ..score.company import CompanyStudy
    from ..score.conflicts import ConflictReport, PairSettings, Rise, Share

NUM_WORST = 8


def conflicts_command(
    seals: Annotated[list[Path], typer.Argument(help="Two seal files or more.")],
    base: BaseOption = "sealworld",
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "auto",
    memory: MemoryOption = "auto",
    prompts: Annotated[int, typer.Option(help="Prompts that call two seals.")] = 8,
    seeds: Annotated[int, typer.Option(help="Pictures of each prompt.")] = 2,
    search: Annotated[
        int, typer.Option(help="Prompts every strength of the search is tried on; 0: no search.")
    ] = 6,
    steps: Annotated[int | None, typer.Option(help="Denoising steps; the base decides if not given.")] = None,
    weights_only: Annotated[
        bool, typer.Option("--weights-only", help="Compare the weights; draw nothing.")
    ] = False,
    layers: Annotated[bool, typer.Option("--layers", help="List every layer, not only the worst.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page: layers, pictures, advice.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Tell whether seals get on in one picture, and how they would."""
    from ..adapters import atomic_write, check_writable, read_seal
    from ..bases import Wanted, open_base
    from ..score.conflicts import PairSettings

    if len(seals) < 2:
        raise ConfigError("there is only one seal", "name two seal files or more")
    if html is not None:
        check_writable(html)
    settings = PairSettings(prompts, seeds, search, steps)
    read = [read_seal(path) for path in seals]
    opened = open_base(base, device, Wanted(precision, memory))
    note(f"plan: {opened.plan}")
    found = _study(opened, read, None if weights_only else settings)
    conflicts, report = found.weights, found.pictures
    if html is not None:
        from ..score.conflicts_page import conflicts_page

        atomic_write(html, conflicts_page(opened, conflicts, report).encode())
        note(f"page: {html}")
    if as_json:
        print_json(found.to_dict())
        return
    for conflict in conflicts:
        _print_weights(conflict, len(conflict.layers) if layers else NUM_WORST)
    if report is not None:
        output.print(_meeting_table(report))
        if report.gain is not None and report.likeness_gain is not None:
            output.print(f"gain in both: {_rise(report.gain, '+.0%')}")
            output.print(f"gain in the lesser likeness: {_rise(report.likeness_gain, '+.2f')}")
        output.print(f"advice: {report.advice}", soft_wrap=True, style="bold")


def _study(base: "Base", seals: "list[Seal]", settings: "PairSettings | None") -> "CompanyStudy":
    """The study, its pictures counted on stderr while they are drawn."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from ..score.company import study_company

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("comparing", total=None)
        return study_company(
            base,
            seals,
            settings,
            lambda what, done, total: bar.update(task, description=what, completed=done, total=total),
        )


def _print_weights(conflict: "WeightConflict", number: int) -> None:
    one, other = conflict.seals
    if not conflict.layers:
        output.print(f"{one} and {other}: no layer in common, so neither disturbs the other's weights")
        return
    output.print(
        f"{one} and {other}: {len(conflict.layers)} layers in common "
        f"(of {conflict.num_layers[0]} and {conflict.num_layers[1]}), cosine {conflict.cosine:+.2f}, "
        f"{conflict.num_opposed} layers opposed",
        soft_wrap=True,
    )
    output.print(
        f"predicted damage: {conflict.damage[0]:.0%} to {one}, {conflict.damage[1]:.0%} to {other}; most in "
        + ", ".join(f"{block} {share:.0%}" for block, share in list(conflict.blocks.items())[:4]),
        soft_wrap=True,
    )
    _print_layers(conflict, number)


def _print_layers(conflict: "WeightConflict", number: int) -> None:
    """The layers in which the two are at each other most; in brackets what chance would give."""
    worst = sorted(conflict.layers, key=lambda layer: -layer.crossed)[:number]
    heading = f"worst {len(worst)} of {len(conflict.layers)} layers"
    rows: list[tuple[str, ...]] = [
        (
            "cosine",
            "read alike [chance]",
            "written alike [chance]",
            "damage to each",
            "share",
            "block",
            heading,
        )
    ]
    for layer in worst:
        alike = [f"{one.value:.0%} [{one.chance:.0%}]" for one in (layer.read, layer.written)]
        damage = f"{layer.damage[0]:.0%}, {layer.damage[1]:.0%}"
        rows.append((f"{layer.cosine:+.2f}", *alike, damage, f"{layer.crossed:.0%}", layer.block, layer.path))
    print_rows(rows)


def _meeting_table(report: "ConflictReport") -> "Table":
    """A row a seal; how often it is found, with the interval and its likeness."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("found", overflow="fold")
    meetings = [report.before] if report.after is None else [report.before, report.after]
    for name in ("alone", "together", "advised")[: len(meetings) + 1]:
        table.add_column(name, justify="right")
    for index, name in enumerate(report.seals):
        shares = [report.alone[index], *(meeting.found[index] for meeting in meetings)]
        table.add_row(name, *map(_share, shares))
    gain = "both" if report.gain is None else f"both ({report.gain.value:+.0%})"
    table.add_row(gain, "", *(_share(meeting.both) for meeting in meetings))
    return table


def _share(share: "Share") -> str:
    low, high = (f"{end:.0%}" for end in share.ci)
    return f"{share.value:.0%} [{low}, {high}] {share.likeness:+.2f}"


def _rise(rise: "Rise", form: str) -> str:
    low, high = rise.ci
    return f"{rise.value:{form}} ({low:{form}} to {high:{form}}, 95 %)"
