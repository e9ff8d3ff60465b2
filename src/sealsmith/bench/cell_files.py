"""The files of one cell of a comparison: what its training cost, its scorecard, and the pictures for the page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..adapters import atomic_write
from ..errors import ConfigError
from ..generate import write_picture
from ..score import Scorecard, Shot
from ..score.comparison import Cell, CellPicture, TrainingFacts
from ..score.figures import Observation

FACTS, SCORECARD, PICTURES = "facts.json", "scorecard.json", "pictures"
NUM_SHOWN = 6
"""Pictures of a cell that are kept: the first one of each of so many prompts."""


def write_facts(folder: Path, facts: TrainingFacts) -> None:
    write_object(folder / FACTS, asdict(facts))


def write_scores(folder: Path, card: Scorecard, observations: Mapping[str, Sequence[Observation]]) -> None:
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
    known = {"observations": dict(observations), "pictures": shown}
    write_object(folder / SCORECARD, card.to_dict() | known)


def read_cell(folder: Path, method: str, seed: int) -> Cell:
    """The cell as far as its folder holds it. Raises: ConfigError for a damaged file."""
    facts, scores = folder / FACTS, folder / SCORECARD
    cell = Cell(method, seed, TrainingFacts(**read_object(facts)) if facts.exists() else None)
    if not scores.exists():
        return cell
    found = read_object(scores)
    pictures = [
        CellPicture(**each | {"path": folder / PICTURES / each["path"]}) for each in found["pictures"]
    ]
    observations = {
        key: [(prompt, value) for prompt, value in rows] for key, rows in found["observations"].items()
    }
    return Cell(
        method, seed, cell.facts, found["verdict"], tuple(found["reasons"]), observations, tuple(pictures)
    )


def write_object(path: Path, value: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
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
