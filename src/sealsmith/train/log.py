"""`log.jsonl` of a training folder: one JSON object a step, which training curves are drawn from."""

import json
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..errors import OutputError, TrainingError

LOG_NAME = "log.jsonl"


class Log:
    """An open log that holds the steps up to `num_steps_done` and is appended to.

    Later lines, which an interrupted training wrote after its last checkpoint, are dropped.
    Raises: OutputError when it cannot be written.
    """

    def __init__(self, folder: Path, num_steps_done: int):
        self.path = folder / LOG_NAME
        try:
            kept = [row for row in read_log(folder) if row["step"] <= num_steps_done]
            self._file = self.path.open("w", encoding="utf-8", buffering=1)
        except OSError as error:
            raise self._unwritable(error) from error
        for row in kept:
            self.append(row)

    def append(self, row: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(row) + "\n")
        except OSError as error:
            with suppress(OSError):  # closing tries to write the same line once more
                self._file.close()
            raise self._unwritable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(
            f"cannot write {self.path}: {error.strerror}", "free some space or choose another folder"
        )


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The steps of a training folder's log, in order; a last line cut short by a crash is left out.

    Raises: TrainingError when a line is not what a training writes.
    """
    path = folder / LOG_NAME
    if not path.exists():
        return []
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
        if all(type(row["step"]) is int for row in rows):
            return rows
        problem = "a step is no number"
    except (ValueError, TypeError, KeyError) as error:
        problem = str(error)
    raise TrainingError(
        f"{path} is damaged: {problem}",
        "remove that file and resume: only its curve is lost, not the training",
    )
