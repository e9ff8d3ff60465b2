"""`sealsmith inspect`: what a seal file is, and whether it fits a base."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import SealError
from .console import output, print_json, print_rows
from .deep import check_plot, print_ablation, take_apart, write_plot
from .options import DeviceOption

if TYPE_CHECKING:
    from rich.table import Table

    from ..inspect.examination import Examination

NUM_STRONGEST = 8
NUM_WORDS = 5


def inspect_command(
    file: Annotated[Path, typer.Argument(help="A seal file of any dialect.")],
    base: Annotated[
        str | None,
        typer.Option(help="The base to hold it against; its family's published architecture if not given."),
    ] = None,
    device: DeviceOption = "cpu",
    layers: Annotated[
        bool, typer.Option("--layers", help="List every layer, not only the strongest.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Find the layers that carry the seal: draw without each group.")
    ] = False,
    prompts: Annotated[int, typer.Option(help="Pictures drawn without each group, for --deep.")] = 6,
    plot: Annotated[Path | None, typer.Option(help="Also write --deep's figures as a PNG here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Tell what a seal file is, and whether it fits a base."""
    from ..adapters import read_seal
    from ..adapters.header_file import read_header
    from ..bases import open_base
    from ..inspect.examination import examine

    if plot is not None:
        check_plot(plot, deep)
    try:
        own_base = "sealworld" if base is None and _is_sealworlds(read_header(file).metadata) else base
        opened = None if own_base is None else open_base(own_base, device)
        examination = examine(file, opened)
    except SealError as error:
        if as_json and file.is_file():
            print_json(
                {"path": str(file), "verdict": "damaged", "reason": str(error), "advice": error.remedy}
            )
        raise
    ablation = None
    if deep:
        seal = read_seal(file)
        ablation = take_apart(opened, seal, prompts)
        if plot is not None:
            write_plot(ablation, seal, plot)
    if as_json:
        print_json(examination.to_dict() | ({"ablation": ablation.to_dict()} if ablation else {}))
        return
    _print_facts(examination)
    output.print(_component_table(examination))
    _print_roles(examination)
    if ablation is not None:
        print_ablation(ablation)
    if examination.layers:
        _print_layers(examination, len(examination.layers) if layers else NUM_STRONGEST)
    _print_verdict(examination)


def _is_sealworlds(metadata: dict[str, str]) -> bool:
    """Whether the file says that it was trained on the base that is always at hand."""
    return metadata.get("ss_base_model_version", "") == "sealworld_v1"


def _print_facts(found: "Examination") -> None:
    kinds = ", ".join(f"{number} {name}" for name, number in found.dtypes.items())
    facts = {
        "file": f"{found.path} ({_size(found.size_bytes)}; tensors: {kinds})",
        "title": found.title,
        "dialect": found.dialect,
        "family": found.family or "not known",
        "made on": found.made_on,
        "trigger": found.trigger or _maybe(found),
        "other words": ", ".join(word for word in found.hints.beside if word != found.trigger),
        "class noun": found.class_noun,
        "hashes": "  ".join(f"{name} {digits[:12]}" for name, digits in found.hashes.items()),
        "held against": found.against or "nothing",
    }
    for name, value in facts.items():
        if value:
            output.print(f"{name + ':':<14}{value}", soft_wrap=True)


def _maybe(found: "Examination") -> str:
    """What to try where nothing names a trigger: the commonest words of the captions, and the folders' names."""
    words = [f"{word} ({count} captions)" for word, count in found.hints.captions[:NUM_WORDS]]
    words += [f"{words} (folder)" for words in found.hints.folders[:NUM_WORDS]]
    return f"none in the file; maybe: {', '.join(words)}" if words else "none in the file"


def _component_table(found: "Examination") -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", title_justify="left")
    for column in ("component", "layers found", "kind", "rank", "alpha", "share of the change"):
        table.add_column(column, no_wrap=column == "component")
    for part in found.components:
        matched = "?" if part.matched is None else str(part.matched)
        table.add_row(
            part.component,
            f"{matched} of {part.num_layers}",
            _counted(part.kinds),
            _counted(part.ranks),
            _counted(part.alphas),
            "" if part.share is None else f"{part.share:.0%}",
        )
    return table


def _print_layers(found: "Examination", number: int) -> None:
    """The `number` strongest layers, a line each. Paths are long: they stand last, and nothing folds them."""
    strongest = sorted(found.layers, key=lambda layer: -layer.share)[:number]
    rows = [
        (
            "norm",
            "of the weight",
            "effective rank",
            "share",
            f"strongest {len(strongest)} of {len(found.layers)} layers",
        )
    ]
    for layer in strongest:
        relative = "" if layer.relative_norm is None else f"{layer.relative_norm:.1%}"
        rank = f"{layer.effective_rank:.1f} of {layer.rank}"
        rows.append((f"{layer.norm:.3g}", relative, rank, f"{layer.share:.1%}", layer.path))
    print_rows(rows)


def _print_roles(found: "Examination") -> None:
    shares = ", ".join(f"{role} {share:.0%}" for role, share in found.roles.items())
    output.print(f"{'of it:':<14}{shares}", soft_wrap=True)


def _print_verdict(found: "Examination") -> None:
    for number, what, names in (
        (len(found.unknown), "tensors of no known kind", found.unknown),
        (len(found.unmatched), "layers without a place", found.unmatched),
        (len(found.misshapen), "layers of another shape", tuple(found.misshapen)),
    ):
        if number:
            more = f" and {number - 3} more" if number > 3 else ""
            output.print(f"{number} {what}: {', '.join(names[:3])}{more}", soft_wrap=True)
    good = found.verdict == "fits"
    output.print(f"verdict: {found.verdict}", style="bold green" if good else "bold yellow")
    if found.advice:
        output.print(f"hint: {found.advice}", soft_wrap=True)


def _size(size_bytes: int) -> str:
    """In MiB, or KiB where that says more."""
    return f"{size_bytes / 2**20:.1f} MiB" if size_bytes >= 2**20 else f"{size_bytes / 2**10:.1f} KiB"


def _counted(counts: dict[str, int]) -> str:
    """ "16", or "16 (96 layers), 4 (2 layers)" where there are several."""
    if len(counts) <= 1:
        return next(iter(counts), "")
    return ", ".join(f"{value} ({number} layers)" for value, number in list(counts.items())[:4])
