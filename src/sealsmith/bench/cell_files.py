"""The files of one cell of a comparison: what its training cost, its scorecard or why it has none, its pictures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..adapters import atomic_write
from ..errors import ConfigError
from ..generate import write_picture
from ..score import Scorecard, Shot
from ..score.cells import Cell, CellPicture, TrainingFacts
from ..score.figures import Observation
from ..score.learning import Curve

FACTS, SCORECARD, FAILURE, PICTURES = "facts.json", "scorecard.json", "failure.json", "pictures"
ERRORS = "errors.log"
"""What the cell's process said on stderr."""
NUM_SHOWN = 6
"""Pictures of a cell that are kept: the first one of each of so many prompts."""


def is_finished(folder: Path) -> bool:
    """Whether the cell has its scorecard."""
    return (folder / SCORECARD).exists()


def write_facts(folder: Path, facts: TrainingFacts) -> None:
    write_object(folder / FACTS, asdict(facts))


def read_facts(folder: Path) -> TrainingFacts | None:
    """What the training cost; None before it is done. Raises: ConfigError for a damaged file."""
    path = folder / FACTS
    return TrainingFacts(**read_object(path)) if path.exists() else None


def write_scores(
    folder: Path, card: Scorecard, observations: Mapping[str, Sequence[Observation]], curve: Curve = ()
) -> None:
    """The pictures first, the scorecard last: where it lies, the cell is finished."""
    first_of_prompt: dict[str, Shot] = {}
    for shot in card.shots:
        if shot.subject == "trigger":
            first_of_prompt.setdefault(shot.prompt, shot)
    shown = []
    for number, shot in enumerate(list(first_of_prompt.values())[:NUM_SHOWN]):
        name = f"{number}.png"
        write_picture(shot.drawn, folder / PICTURES / name)
        is_seal = None if shot.sight is None else shot.sight.is_seal
        shown.append({"path": name, "prompt": shot.prompt, "seed": shot.seed, "is_seal": is_seal})
    known = {"observations": dict(observations), "pictures": shown, "curve": [list(point) for point in curve]}
    write_object(folder / SCORECARD, card.to_dict() | known)
    (folder / FAILURE).unlink(missing_ok=True)


def write_failure(folder: Path, reason: str) -> None:
    """Why the cell has no scorecard, one sentence."""
    write_object(folder / FAILURE, {"reason": reason})


def read_failure(folder: Path) -> str:
    """Why the cell has no scorecard; "" when nothing is known to have failed."""
    path = folder / FAILURE
    return "" if is_finished(folder) or not path.exists() else str(read_object(path)["reason"])


def read_cell(folder: Path, method: str, subject: str, seed: int) -> Cell:
    """The cell as far as its folder holds it. Raises: ConfigError for a damaged file."""
    facts = read_facts(folder)
    if not is_finished(folder):
        return Cell(method, seed, facts, subject=subject, failure=read_failure(folder))
    found = read_object(folder / SCORECARD)
    observations = {
        key: [(prompt, value) for prompt, value in rows] for key, rows in found["observations"].items()
    }
    return Cell(
        method,
        seed,
        facts,
        found["verdict"],
        tuple(found["reasons"]),
        observations,
        tuple(CellPicture(**each | {"path": folder / PICTURES / each["path"]}) for each in found["pictures"]),
        subject=subject,
        curve=tuple((step, value) for step, value in found["curve"]),
    )


def write_object(path: Path, value: Mapping[str, Any]) -> None:
    atomic_write(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False).encode())


def read_object(path: Path) -> dict[str, Any]:
    """The object in a file that `write_object` wrote. Raises: ConfigError when it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "remove it; it is made again") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds no object", "remove it; it is made again")
    return found
