"""Methods side by side on the same pictures with the same budget, several seeds each: the work of `compare`.

    for every cell (a method, a seed):  train -> facts.json -> score -> scorecard.json

What a cell's folder holds is not done again, so that a comparison that was stopped goes on where it was. Not for:
what the figures of many cells say together (score/comparison.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ..adapters import Seal
from ..adapters.hashes import file_hash
from ..bases import Base
from ..errors import Cancelled, ConfigError
from ..score import LoadedJudge, ScoreSettings, reference_embedding
from ..score.comparison import Cell, Comparison
from ..score.record import reference_of
from ..train import Progress, TrainConfig
from ..train.config import INITS
from ..train.methods import METHODS
from ..train.pictures import PictureSet
from .cell import Workplace
from .cell_files import read_object, write_object

IDENTITY = "identity.json"
OF_ONE_CELL = ("method", "init", "seed", "num_steps", "checkpoint_every", "preview_every", "preview_prompts")
"""Settings of a training that are not the comparison's: they differ from cell to cell, or change nothing."""


class MatrixProgress(Progress, Protocol):
    """A training's progress, within a matrix of them."""

    def cell(self, name: str, done: int, total: int) -> None:
        """The cell of that name begins; `done` of `total` are finished."""


@dataclass(frozen=True)
class Variant:
    """One row to be: a method, and how its change starts where that is what is compared."""

    name: str
    method: str
    init: str | None = None


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

    def __post_init__(self) -> None:
        if not self.variants or not self.seeds:
            raise ConfigError("there is nothing to compare", "name a method and a seed at least")
        if self.seconds is not None and not self.seconds > 0:
            raise ConfigError(f"the time for each training is {self.seconds} s", "give a time above 0")
        if self.second is not None:
            _check_second(self.second, self.training.trigger)

    @property
    def cells(self) -> list[tuple[Variant, int]]:
        """Every method at the first seed, then at the second: stopped early, what is there can be compared."""
        return [(variant, seed) for seed in self.seeds for variant in self.variants]

    def identity(self, base: Base, pictures: PictureSet) -> dict[str, Any]:
        """What all cells have in common, JSON-able: cells of equal identity may stand in one table."""
        common = {key: v for key, v in self.training.to_dict().items() if key not in OF_ONE_CELL}
        budget = {"steps": self.training.num_steps} if self.seconds is None else {"seconds": self.seconds}
        second = None if self.second is None or self.second.path is None else file_hash(self.second.path)
        return {"base": base.digest, "pictures": pictures.digest, "budget": budget, "training": common,
                "scoring": self.scoring.for_family(base.family).to_dict(), "second": second}  # fmt: skip


def find_variants(names: Sequence[str]) -> tuple[Variant, ...]:
    """The methods of these names; a start's name ("pissa") means a LoRA that starts so. Raises: ConfigError."""
    found = []
    for name in dict.fromkeys(names):
        if name not in METHODS and name not in INITS:
            known = ", ".join((*METHODS, *INITS))
            raise ConfigError(f"unknown method {name!r}", f"known: {known}")
        found.append(Variant(name, "lora", name) if name in INITS else Variant(name, name))
    return tuple(found)


def run_matrix(
    base: Base,
    pictures: PictureSet,
    plan: MatrixPlan,
    folder: Path,
    judge: LoadedJudge | None,
    progress: MatrixProgress,
) -> Comparison:
    """The comparison; `folder` gets a folder for each cell, and those that are finished there are not run again.

    A cell that fails is in the comparison with its reason, and is tried again the next time.
    Raises: ConfigError when the folder holds a comparison on other terms; Cancelled on KeyboardInterrupt.
    """
    identity = plan.identity(base, pictures)
    check_identity(folder, identity)
    write_object(folder / IDENTITY, identity)
    images = [picture.image for picture in pictures.pictures]
    reference = None if judge is None else reference_embedding(judge, images)
    workplace = Workplace(base, pictures, plan.scoring, plan.seconds, plan.second, judge, reference, progress)
    cells: list[Cell] = []
    try:
        for variant, seed in plan.cells:
            progress.cell(f"{variant.name}, seed {seed}", len(cells), len(plan.cells))
            config = replace(plan.training, method=variant.method, init=variant.init, seed=seed)
            cells.append(workplace.cell(variant.name, config, folder / variant.name / f"seed-{seed}"))
    except (KeyboardInterrupt, Cancelled) as error:
        raise Cancelled(
            f"stopped after {len(cells)} of {len(plan.cells)} trainings; what is done lies in {folder}",
            "the same command goes on from there",
        ) from error
    return Comparison(identity, tuple(cells), _unmeasured(plan, judge))


def check_identity(folder: Path, identity: dict[str, Any]) -> None:
    """Raises: ConfigError when the folder holds a comparison on other terms, naming what differs."""
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


def _unmeasured(plan: MatrixPlan, judge: LoadedJudge | None) -> tuple[str, ...]:
    if judge is None:
        return ("drift alone was measured: no judge knows the pictures of this base",)
    if plan.second is None:
        return ("composition was not measured: no second seal was given",)
    return ()
