"""The job `sweep`: one seal along one or two axes, as `sealsmith sweep` measures it, and the strength to use.

Every place's picture is there to see as soon as it is measured. An attempt that is interrupted is made anew; what
it showed stays, for it would be the same.
"""

from collections.abc import Sequence
from typing import Any

from ..score import ScoreSettings, judge_of
from ..score.axes import Axis, axis_of
from ..score.sheet import contact_sheet, title_of
from ..score.sweep import RULE, Cell, Sweep, sweep
from ..train.progress import Counted
from .opening import opened_base, opened_seal
from .payload import parse_payload
from .study_files import image_file, picture_file
from .study_payload import NAMES, SweepPayload
from .values import Outcome
from .work import Work


def run(work: Work) -> Outcome:
    """Measures every place. Raises: what opening the seal and scoring it raise; ConfigError, SealMissingError."""
    payload = parse_payload(work.job.payload, SweepPayload, NAMES[work.job.kind])
    [use] = payload.seals
    seal = opened_seal(work, use).seal
    base = opened_base(work, payload.base)
    x, *more = [axis_of(name, values) for name, values in payload.axes]
    y = more[0] if more else None
    counted = Counted("cells", work.progress)

    def show(cells: Sequence[Cell], total: int) -> None:
        work.keep(picture_file(_name(len(cells)), cells[-1].picture))
        counted(len(cells), total)

    settings = ScoreSettings.of_cell(payload.num_prompts, payload.num_seeds, num_steps=payload.num_steps)
    found = sweep(base, seal, x, y, settings, judge_of(base.family), on_cell=show)
    sheet = image_file("sheet.png", contact_sheet(found, title_of(seal, (x, y))))
    return Outcome(result=_told(found, x, y), artefacts=(sheet,))


def _told(found: Sweep, x: Axis, y: Axis | None) -> dict[str, Any]:
    """Cells row by row; the second axis is the rows."""
    return {
        "axis": x.name,
        "second_axis": None if y is None else y.name,
        "cells": [
            {
                "value": cell.at[x.name],
                "second_value": None if y is None else cell.at[y.name],
                "figures": cell.figures,
                "file": _name(number),
            }
            for number, cell in enumerate(found.cells, 1)
        ],
        "recommended": {"value": found.recommended.strength, "reason": found.recommended.reason},
        "rule": RULE,
    }


def _name(number: int) -> str:
    return f"cell-{number}.png"
