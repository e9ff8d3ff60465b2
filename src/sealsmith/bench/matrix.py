"""Methods side by side on the same pictures with the same budget, several seeds each: the work of `compare`.

    for every seed, every picture set, every method:  a cell, in a process of its own

What a cell's folder holds is not done again, so that a comparison that was stopped goes on where it was, and can be
read at any time. Not for: what the figures of many cells say together (score/comparison.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..adapters import Seal
from ..adapters.hashes import file_hash
from ..bases import Base
from ..errors import Cancelled, ConfigError
from ..score import ScoreSettings
from ..score.cells import Cell
from ..score.comparison import Comparison
from ..score.judges import JUDGES
from ..score.record import reference_of
from ..train import TrainConfig
from ..train.pictures import PictureSet
from .cell import Job, run_cell
from .cell_files import is_finished, read_cell, read_object, write_object
from .cell_process import MatrixProgress, Work, run_cells
from .variants import COMMON, Variant

IDENTITY, BASE_PICTURES = "identity.json", "base-pictures"
COMPARED = (*(name for name in COMMON if name not in ("trigger", "class_noun")), "init")
"""Settings of a training that are no terms of the comparison: they differ from cell to cell, or change nothing."""


@dataclass(frozen=True)
class MatrixPlan:
    """What is compared, and on what terms."""

    variants: tuple[Variant, ...]
    seeds: tuple[int, ...]
    training: TrainConfig
    """What all trainings have in common; its `num_steps` are everyone's budget where `seconds` is None."""
    scoring: ScoreSettings
    seconds: float | None = None
    """Everyone's budget in time spent on steps."""
    second: Seal | None = None
    """The seal that each is to get on with; its file must be known."""
    num_points: int = 0
    """Of the curves of likeness along the trainings; 0: there are none."""

    def __post_init__(self) -> None:
        if not self.variants or not self.seeds:
            raise ConfigError("there is nothing to compare", "name a method and a seed at least")
        folders = [variant.folder_name for variant in self.variants]
        if len(set(folders)) < len(folders):
            raise ConfigError(f"two methods would share a folder: {', '.join(folders)}", "leave one out")
        if self.seconds is not None and not self.seconds > 0:
            raise ConfigError(f"the time for each training is {self.seconds} s", "give a time above 0")
        if self.second is not None:
            _check_second(self.second, self.training.trigger)
        for variant in self.variants:
            variant.of(self.training)

    def identity(self, base: Base, pictures: PictureSet) -> dict[str, Any]:
        """What all cells have in common, JSON-able: cells of equal identity may stand in one table."""
        common = {key: value for key, value in self.training.to_dict().items() if key not in COMPARED}
        budget = {"steps": self.training.num_steps} if self.seconds is None else {"seconds": self.seconds}
        second = None if self.second is None or self.second.path is None else file_hash(self.second.path)
        return {"base": base.digest, "pictures": pictures.digest, "budget": budget, "training": common,
                "scoring": self.scoring.for_family(base.family).to_dict(), "second": second,
                "curve": self.num_points}  # fmt: skip


@dataclass(frozen=True)
class Matrix:
    """A plan, held against a base and picture sets, in a folder."""

    plan: MatrixPlan
    base: Base
    sets: Mapping[str, tuple[Path, PictureSet]]
    """By name, which is that of a folder too: where they lie, and what is in them."""
    folder: Path
    device: str = "cpu"
    """Where cells compute."""

    def jobs(self, at_once: int) -> list[Job]:
        """Every cell. All methods on all picture sets at the first seed, then at the second: stopped early, what is
        there can be compared."""
        threads = max(1, torch.get_num_threads() // at_once)
        return [
            self._job(seed, subject, variant, threads)
            for seed in self.plan.seeds
            for subject in self.sets
            for variant in self.plan.variants
        ]

    def _job(self, seed: int, subject: str, variant: Variant, threads: int) -> Job:
        path, pictures = self.sets[subject]
        plan = self.plan
        return Job(
            method=variant.name,
            subject=subject,
            folder=self.folder / subject / variant.folder_name / f"seed-{seed}",
            base=self.base.ref,
            device=self.device,
            base_digest=self.base.digest,
            pictures=path,
            pictures_digest=pictures.digest,
            config=replace(variant.of(plan.training), seed=seed),
            scoring=plan.scoring,
            seconds=plan.seconds,
            num_points=plan.num_points,
            second=None if plan.second is None else plan.second.path,
            base_pictures=self.folder / BASE_PICTURES,
            num_threads=threads,
        )

    def check_folder(self) -> None:
        """Raises: ConfigError when the folder holds a comparison on other terms, naming what differs."""
        for name, (_, pictures) in self.sets.items():
            _check_identity(self.folder / name, self.plan.identity(self.base, pictures))

    def run(self, at_once: int, progress: MatrixProgress, work: Work = run_cell) -> None:
        """Makes what is missing, so many cells at once; what failed earlier is tried again.

        Raises: ConfigError when the folder holds a comparison on other terms; Cancelled on KeyboardInterrupt.
        """
        self.check_folder()
        for name, (_, pictures) in self.sets.items():
            write_object(self.folder / name / IDENTITY, self.plan.identity(self.base, pictures))
        jobs = self.jobs(at_once)
        missing = [job for job in jobs if not is_finished(job.folder)]
        progress.count(0, len(missing))
        try:
            run_cells(missing, at_once, progress, work)
        except KeyboardInterrupt as error:
            done = sum(is_finished(job.folder) for job in jobs)
            raise Cancelled(
                f"stopped after {done} of {len(jobs)} trainings; what is done lies in {self.folder}",
                "the same command goes on from there; with --report it shows what is done",
            ) from error

    def comparison(self) -> Comparison:
        """Of every cell that is finished or failed. Raises: ConfigError when there is none."""
        self.check_folder()
        jobs = self.jobs(1)
        cells = [read_cell(job.folder, job.method, job.subject, job.config.seed) for job in jobs]
        known = [cell for cell in cells if cell.failure or cell.verdict]
        if not known:
            raise ConfigError(
                f"no training in {self.folder} is finished yet", "run it without --report first"
            )
        settings = self.plan.identity(self.base, next(iter(self.sets.values()))[1])
        settings["pictures"] = {name: pictures.digest for name, (_, pictures) in self.sets.items()}
        settings["base_name"] = self.base.name
        settings["denoiser_parameters"] = sum(part.numel() for part in self.base.denoiser.parameters())
        return Comparison(settings, tuple(_in_order(known, self.plan)), self._notes(len(jobs) - len(known)))

    def _notes(self, num_missing: int) -> tuple[str, ...]:
        notes = []
        if num_missing:
            notes.append(f"trainings that are not done yet: {num_missing}")
        if self.base.family.name not in JUDGES:
            notes.append("drift alone was measured: no judge knows the pictures of this base")
        elif self.plan.second is None:
            notes.append("composition was not measured: no second seal was given")
        return tuple(notes)


def _in_order(cells: list[Cell], plan: MatrixPlan) -> list[Cell]:
    """The cells by method as they were asked for, whatever is there of each."""
    names = [variant.name for variant in plan.variants]
    return sorted(cells, key=lambda cell: names.index(cell.method))


def _check_identity(folder: Path, identity: Mapping[str, Any]) -> None:
    path = folder / IDENTITY
    if not path.exists():
        return
    earlier = read_object(path)
    different = [
        name for name in dict.fromkeys((*earlier, *identity)) if earlier.get(name) != identity.get(name)
    ]
    if different:
        raise ConfigError(
            f"{folder} holds a comparison with another {' and another '.join(different)}",
            "repeat its settings to go on with it, or choose another folder: --out FOLDER",
        )


def _check_second(second: Seal, trigger: str) -> None:
    """Raises: ConfigError when both seals would be called by one word; PictureSetError without a reference."""
    if second.header.trigger == trigger.strip():
        raise ConfigError(
            f"the second seal's trigger is {trigger!r} too", "give the trainings another one: --trigger WORD"
        )
    reference_of(second)
