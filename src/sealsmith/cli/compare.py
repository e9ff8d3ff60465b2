"""`sealsmith compare`: every method on the same pictures with the same budget, as one table."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from .console import console, note, print_json
from .options import BaseOption

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from ..bases import Base
    from ..bench.matrix import MatrixPlan
    from ..score.comparison import Comparison
    from ..train.pictures import PictureSet

METHODS = "lora,dora,pissa,dreambooth,textual-inversion,hypernetwork"


def compare_command(
    pictures: Annotated[
        list[Path],
        typer.Argument(help="Folders or zips of pictures, or logos (PNG with alpha, SVG); mostly one."),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for everything; a second run goes on.")
    ] = Path("comparison"),
    methods: Annotated[
        str, typer.Option(help="Comma-separated: methods of train, or starts of a LoRA (pissa, olora).")
    ] = METHODS,
    seeds: Annotated[int, typer.Option(help="Trainings of each method.", min=1)] = 3,
    steps: Annotated[int, typer.Option(help="Optimizer steps of each training.")] = 400,
    seconds: Annotated[
        float | None, typer.Option(help="Time of each training on its steps, instead of their number.")
    ] = None,
    second: Annotated[
        Path | None, typer.Option(help="Another seal, to be drawn together with each: composition.")
    ] = None,
    trigger: Annotated[str, typer.Option(help="The word that calls the seals; a rare one.")] = "sks",
    class_noun: Annotated[
        str | None, typer.Option(help="What the seals are; the base's own noun if not given.")
    ] = None,
    rank: Annotated[int, typer.Option(help="Rank of the changes; of hypernetworks their inner width.")] = 16,
    base: BaseOption = "sealworld",
    prompts: Annotated[int, typer.Option(help="Prompts of a scorecard, in unseen contexts.")] = 8,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """Train every method on the same pictures, and compare what came out."""
    from ..adapters import check_writable, read_seal
    from ..bases import open_base
    from ..bench.matrix import MatrixPlan, find_variants
    from ..score import ScoreSettings
    from ..score.comparison import markdown
    from ..train import TrainConfig
    from ..train.pictures import read_picture_set

    names = [name.strip() for name in methods.split(",") if name.strip()]
    scoring = ScoreSettings(num_prompts=prompts, num_without=prompts, num_others=(prompts + 1) // 2)
    training = TrainConfig(trigger=trigger, class_noun=class_noun, rank=rank, num_steps=steps)
    company = None if second is None else read_seal(second)
    plan = MatrixPlan(find_variants(names), tuple(range(seeds)), training, scoring, seconds, company)
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out is {str(out)!r}, which is a file", "name a folder")
    check_writable(out / "index.html")
    opened = open_base(base)
    noun = class_noun or opened.family.class_noun
    sets = {
        path.resolve().stem: read_picture_set(path, trigger=trigger, class_noun=noun) for path in pictures
    }
    if len(sets) < len(pictures):
        raise ConfigError("two picture sets have one name", "rename one of them, or name it once")
    comparison = _run(opened, sets, plan, out)
    table = markdown(comparison)
    _write(comparison, table, trigger, out)
    if as_json:
        print_json(comparison.to_dict())
    else:
        typer.echo(table, nl=False)


def _write(comparison: "Comparison", table: str, trigger: str, out: Path) -> None:
    """The comparison as Markdown, JSON and a page, and where they are on stderr."""
    from ..adapters import atomic_write
    from ..bench.cell_files import write_object
    from ..score.comparison_page import comparison_page

    atomic_write(out / "comparison.md", table.encode())
    write_object(out / "comparison.json", comparison.to_dict())
    atomic_write(out / "index.html", comparison_page(comparison, trigger).encode())
    note(f"page: {out / 'index.html'}, table: {out / 'comparison.md'}, all of it: {out / 'comparison.json'}")


def _run(base: "Base", sets: "dict[str, PictureSet]", plan: "MatrixPlan", out: Path) -> "Comparison":
    """The matrix of each picture set, several in a folder of their own each, with its progress on stderr.

    One line is for all of it, one for what is being done.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from ..bench.matrix import run_matrix
    from ..score import judge_of
    from ..score.comparison import pooled

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TextColumn("left"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        shown, judge = MatrixBar(bar, len(sets)), judge_of(base.family)
        found: dict[str, Comparison] = {}
        for name, pictures in sets.items():
            if len(sets) > 1:
                shown.begin(name, len(found))
            folder = out / name if len(sets) > 1 else out
            found[name] = run_matrix(base, pictures, plan, folder, judge, shown)
    return pooled(found) if len(found) > 1 else found.popitem()[1]


class MatrixBar:
    """A comparison's progress: the trainings that are done, and the stage of the one at work."""

    def __init__(self, bar: "Bar", num_sets: int):
        self._bar = bar
        self._num_sets = num_sets
        self._sets_done, self._set_name = 0, ""
        self._all: TaskID = bar.add_task("trainings", total=None)
        self._stage: TaskID = bar.add_task("", total=None)
        self._name = ""
        self._noted: set[str] = set()

    def begin(self, set_name: str, sets_done: int) -> None:
        """The matrix of one of several picture sets begins."""
        self._set_name, self._sets_done = f"{set_name}, ", sets_done

    def cell(self, name: str, done: int, total: int) -> None:
        self._name = f"{self._set_name}{name}"
        self._bar.update(self._all, completed=self._sets_done * total + done, total=self._num_sets * total)

    def start(self, stage: str, total: int, done: int = 0) -> None:
        self._bar.reset(self._stage, description=f"{self._name}: {stage}", total=total, completed=done)

    def advance(self, done: int, loss: float | None = None) -> None:
        self._bar.update(self._stage, completed=done)

    def note(self, message: str) -> None:
        """Every training finds the same fault in the pictures; it is said once."""
        if message in self._noted:
            return
        self._noted.add(message)
        console.print(f"warning: {message}", markup=False)
