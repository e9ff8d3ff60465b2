"""The progress of a comparison on stderr: one line for all of it, and one for each training at work."""

from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from .console import console


class MatrixBar:
    """Lines that are gone when it is left."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                   TextColumn("left"), TimeRemainingColumn(elapsed_when_finished=True))  # fmt: skip
        self._bar = Progress(*columns, console=console, transient=True)
        self._all = self._bar.add_task("trainings", total=None)
        self._noted: set[str] = set()

    def __enter__(self) -> "MatrixBar":
        self._bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.stop()

    def count(self, done: int, total: int) -> None:
        self._bar.update(self._all, completed=done, total=total)

    def begin(self, name: str) -> "CellBar":
        return CellBar(self._bar, name, self)

    def note(self, message: str) -> None:
        """Every training finds the same fault in the pictures; it is said once."""
        if message in self._noted:
            return
        self._noted.add(message)
        console.print(f"warning: {message}")


class CellBar:
    """One training's line: the stage it is in."""

    def __init__(self, bar: Progress, name: str, matrix: MatrixBar):
        self._bar = bar
        self._name = name
        self._matrix = matrix
        self._task: TaskID = bar.add_task(f"{name}: opening the base", total=None)

    def start(self, stage: str, total: int, done: int = 0) -> None:
        self._bar.reset(self._task, description=f"{self._name}: {stage}", total=total, completed=done)

    def advance(self, done: int, loss: float | None = None) -> None:
        self._bar.update(self._task, completed=done)

    def note(self, message: str) -> None:
        self._matrix.note(message)

    def end(self) -> None:
        self._bar.remove_task(self._task)
