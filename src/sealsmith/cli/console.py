"""Where the commands write: data to stdout, everything for people to stderr."""

import json
from typing import Any

from rich.console import Console

console = Console(stderr=True, highlight=False)
"""For progress, notes and tables. Shell pipes never see it."""

output = Console(highlight=False)
"""For tables that are what was asked for: stdout."""


def print_json(data: Any) -> None:
    """One JSON document on stdout. Raises ValueError for NaN and infinity, which JSON does not have."""
    print(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def note(sentence: str) -> None:
    """One sentence on stderr, as it is: no markup, no wrapping."""
    console.print(sentence, markup=False, soft_wrap=True)
