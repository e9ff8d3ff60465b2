"""Where the commands write: data to stdout, everything for people to stderr.

Text is printed as it is: a seal may be called [bold], and `<lora:fire:1>` is no picture of a fire.
"""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console

console = Console(stderr=True, highlight=False, markup=False, emoji=False)
"""For progress, notes and tables. Shell pipes never see it."""

output = Console(highlight=False, markup=False, emoji=False)
"""For tables that are what was asked for: stdout."""


def print_rows(rows: Sequence[tuple[str, ...]]) -> None:
    """Lines of figures on stdout, the first one their heading. The last column is long and never folded."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for i, (*figures, name) in enumerate(rows):
        cells = [figure.rjust(width) for figure, width in zip(figures, widths, strict=True)]
        output.print("  ".join((*cells, name)), style="" if i else "dim", soft_wrap=True)


def print_json(data: Any) -> None:
    """One JSON document on stdout. Raises ValueError for NaN and infinity, which JSON does not have."""
    print(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def note(sentence: str) -> None:
    """One sentence on stderr, as it is: no markup, no wrapping."""
    console.print(sentence, soft_wrap=True)
