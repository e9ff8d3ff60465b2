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
        Path, typer.Argument(help="A folder or zip of pictures, or one logo (PNG with alpha, SVG).")
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
    from ..adapters import atomic_write, check_writable, read_seal
    from ..bases import open_base
    from ..bench.matrix import MatrixPlan, find_variants
    from ..score import ScoreSettings
    from ..score.comparison import markdown
    from ..score.comparison_page import comparison_page
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
    picture_set = read_picture_set(pictures, trigger=trigger, class_noun=noun)
    comparison = _run(opened, picture_set, plan, out)
    table = markdown(comparison)
    atomic_write(out / "comparison.md", table.encode())
    atomic_write(out / "comparison.json", json_bytes(comparison))
    atomic_write(out / "index.html", comparison_page(comparison, trigger).encode())
    note(f"page: {out / 'index.html'}, table: {out / 'comparison.md'}, all of it: {out / 'comparison.json'}")
    if as_json:
        print_json(comparison.to_dict())
    else:
        typer.echo(table, nl=False)


def json_bytes(comparison: "Comparison") -> bytes:
    import json

    return json.dumps(comparison.to_dict(), indent=2, ensure_ascii=False, allow_nan=False).encode()


def _run(base: "Base", pictures: "PictureSet", plan: "MatrixPlan", out: Path) -> "Comparison":
    """The matrix, with its progress on stderr: one line for all of it, one for what is being done."""
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

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TextColumn("left"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        return run_matrix(base, pictures, plan, out, judge_of(base.family), MatrixBar(bar))


class MatrixBar:
    """A comparison's progress: the trainings that are done, and the stage of the one at work."""

    def __init__(self, bar: "Bar"):
        self._bar = bar
        self._all: TaskID = bar.add_task("trainings", total=None)
        self._stage: TaskID = bar.add_task("", total=None)
        self._name = ""
        self._noted: set[str] = set()

    def cell(self, name: str, done: int, total: int) -> None:
        self._name = name
        self._bar.update(self._all, completed=done, total=total)

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
