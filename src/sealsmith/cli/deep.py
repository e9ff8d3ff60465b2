"""The part of `sealsmith inspect` that draws: which layers carry a seal."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .console import console, note, output

if TYPE_CHECKING:
    from ..adapters import Seal
    from ..bases import Base
    from ..inspect.ablation import Ablation


def take_apart(base: "Base | None", seal: "Seal", num_prompts: int) -> "Ablation":
    """The ablation of a seal on its base, counted on stderr. Raises: ConfigError where nothing can be judged."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..adapters import check_base, fit_seal
    from ..adapters.beside import weight_of
    from ..adapters.blocks import find_layout
    from ..adapters.fit import adaptable
    from ..inspect.ablation import ablate, groups_of
    from ..score import judge_of
    from ..score.carried import carried_by

    judge = None if base is None else judge_of(base.family)
    if base is None or judge is None:
        name = "without a base" if base is None else f"on {base.name}, whose pictures no judge knows"
        raise ConfigError(
            f"what carries a seal cannot be measured {name}", "leave --deep out, or name --base"
        )
    check_base(base, seal)
    fit = fit_seal(base.components, base.family.name, seal)
    weights = {path: weight_of(module) for path, module in fit.modules.items()}
    groups = groups_of(fit.changes, find_layout(adaptable(base.denoiser)))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("switching layers off", total=len(groups) + 1)
        return ablate(
            seal,
            groups,
            carried_by(base, judge, num_prompts),
            weights,
            lambda done, total: bar.update(task, completed=done, total=total),
        )


def check_plot(path: Path, deep: bool) -> None:
    """Refuses a plot that could not be written. Raises: ConfigError, OutputError."""
    from ..adapters import check_writable

    if not deep or path.suffix.lower() != ".png":
        raise ConfigError(f"--plot is {str(path)!r}", "name a file that ends in .png, and add --deep")
    check_writable(path)


def write_plot(ablation: "Ablation", seal: "Seal", path: Path) -> None:
    from ..adapters import atomic_write
    from ..inspect.bars import carriers_plot

    buffer = io.BytesIO()
    carriers_plot(ablation, f"What carries {seal.name}").save(buffer, "PNG")
    atomic_write(path, buffer.getvalue())
    note(f"plot: {path}")


def print_ablation(ablation: "Ablation") -> None:
    """The groups that are missed most first; stdout."""
    from rich.table import Table

    whole = ablation.whole
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("switched off")
    for column in ("layers", "share of the change", "likeness left", "lost", "fidelity left"):
        table.add_column(column, justify="right")
    table.add_row("nothing", "", "", f"{whole.similarity:.2f}", "", f"{whole.top1:.0%}")
    for group in ablation.carriers:
        left = group.left
        table.add_row(
            group.name,
            str(group.num_layers),
            f"{group.share:.0%}",
            "" if left is None else f"{left.similarity:.2f}",
            f"{group.lost:+.2f}",
            "" if left is None else f"{left.top1:.0%}",
        )
    output.print(table)
