"""`sealsmith compare`: every method on the same pictures with the same budget, as one table."""

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from .console import note, print_json
from .options import BaseOption, DeviceOption
from .parameters import takes

if TYPE_CHECKING:
    from ..bases import Base
    from ..bench.matrix import Matrix, MatrixPlan
    from ..score.comparison import Comparison
    from ..train import TrainConfig
    from ..train.pictures import PictureSet

METHODS = ("lora", "dora", "lora:pissa", "dreambooth", "textual-inversion", "hypernetwork")


@dataclass(frozen=True)
class CompareOptions:
    """What `sealsmith compare` takes."""

    pictures: Annotated[
        list[Path],
        typer.Argument(help="Folders or zips of pictures, or logos (PNG with alpha, SVG); each a seal."),
    ]
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything; a second run goes on.")] = (
        Path("comparison")
    )
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            "-m",
            metavar="METHOD[:START][:NAME=VALUE]",
            help="A method of train, as it is, with a start or with settings of its own; repeatable.",
        ),
    ] = None
    seeds: Annotated[int, typer.Option(help="Trainings of each method and seal.", min=1)] = 3
    steps: Annotated[int, typer.Option(help="Optimizer steps of each training.")] = 400
    seconds: Annotated[
        float | None, typer.Option(help="Time of each training on its steps, instead of their number.")
    ] = None
    second: Annotated[
        Path | None, typer.Option(help="Another seal, to be drawn together with each: composition.")
    ] = None
    curve: Annotated[
        int, typer.Option(help="Checkpoints of each training to measure likeness at; 0: at none.", min=0)
    ] = 0
    trigger: Annotated[str, typer.Option(help="The word that calls the seals; a rare one.")] = "sks"
    class_noun: Annotated[
        str | None, typer.Option(help="What the seals are; the base's own noun if not given.")
    ] = None
    rank: Annotated[int, typer.Option(help="Rank of the changes; of hypernetworks their inner width.")] = 8
    base: BaseOption = "sealworld"
    device: DeviceOption = "cpu"
    prompts: Annotated[int, typer.Option(help="Prompts of a scorecard, in unseen contexts.")] = 8
    picture_steps: Annotated[
        int | None, typer.Option(help="Denoising steps of a scorecard's pictures; the family decides.")
    ] = None
    jobs: Annotated[int, typer.Option(help="Trainings at once; they share the threads.", min=1)] = 1
    report: Annotated[bool, typer.Option("--report", help="Train nothing: show what is finished so far.")] = (
        False
    )
    document: Annotated[
        Path | None, typer.Option(help="A Markdown file for the table and what follows from it.")
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False

    def plan(self) -> "MatrixPlan":
        """What is trained and how it is measured. Raises: ConfigError; what a seal file may raise."""
        from ..adapters import read_seal
        from ..bench.matrix import MatrixPlan
        from ..bench.variants import find_variants
        from ..score import ScoreSettings
        from ..train import TrainConfig

        return MatrixPlan(
            find_variants(self.methods or METHODS),
            tuple(range(self.seeds)),
            TrainConfig(
                trigger=self.trigger, class_noun=self.class_noun, rank=self.rank, num_steps=self.steps
            ),
            ScoreSettings(
                num_prompts=self.prompts,
                num_without=self.prompts,
                num_others=(self.prompts + 1) // 2,
                num_steps=self.picture_steps,
            ),
            self.seconds,
            None if self.second is None else read_seal(self.second),
            self.curve,
        )


@takes(CompareOptions)
def compare_command(options: CompareOptions) -> None:
    """Train every method on the same pictures, and compare what came out."""
    from ..adapters import check_writable
    from ..bases import open_base
    from ..bases.opening import check_device
    from ..bench.matrix import Matrix

    out, plan = options.out, options.plan()
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out is {str(out)!r}, which is a file", "name a folder")
    for path in (out / "index.html", *filter(None, [options.document])):
        check_writable(path)
    check_device(options.device)
    base = open_base(options.base)
    matrix = Matrix(plan, base, _picture_sets(base, options.pictures, plan.training), out, options.device)
    if not options.report:
        _run(matrix, options.jobs)
    comparison = matrix.comparison()
    table = _write(comparison, options)
    if options.as_json:
        print_json(comparison.to_dict())
    else:
        typer.echo(table, nl=False)


def _picture_sets(
    base: "Base", paths: list[Path], training: "TrainConfig"
) -> "dict[str, tuple[Path, PictureSet]]":
    """Every set by its name. Raises: ConfigError when two have one."""
    from ..bench.cell import cell_pictures

    sets = {path.resolve().stem: (path, cell_pictures(base, path, training)) for path in paths}
    if len(sets) < len(paths):
        raise ConfigError("two picture sets have one name", "rename one of them, or name it once")
    return sets


def _run(matrix: "Matrix", jobs: int) -> None:
    from .matrix_bar import MatrixBar

    with MatrixBar() as bar:
        matrix.run(jobs, bar)


def _write(comparison: "Comparison", options: CompareOptions) -> str:
    """The table; it and the page are written, and where they are is said on stderr."""
    from ..adapters import atomic_write
    from ..bench.cell_files import write_object
    from ..score.comparison_page import comparison_page
    from ..score.comparison_table import markdown

    out, document = options.out, options.document
    table = markdown(comparison)
    atomic_write(out / "comparison.md", table.encode())
    write_object(out / "comparison.json", comparison.to_dict())
    atomic_write(out / "index.html", comparison_page(comparison, options.trigger).encode())
    note(f"page: {out / 'index.html'}, table: {out / 'comparison.md'}, all of it: {out / 'comparison.json'}")
    if document is not None:
        atomic_write(document, _document(comparison).encode())
        note(f"document: {document}")
    return table


def _document(comparison: "Comparison") -> str:
    from ..bench.machine import commit, machine
    from ..score.comparison_document import comparison_document

    arguments = [argument for argument in sys.argv[1:] if argument != "--report"]
    return comparison_document(comparison, shlex.join(["sealsmith", *arguments]), machine(), commit())
