"""Where a file's tensors belong, and the taking apart of names whose dots were replaced by underscores."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """The layers that one module of a file stands for, in the order of its output rows.

    One path is a layer as it is; three are a fused q, k and v of equal size; four are q, k and v of the input's
    size and the rest.
    """

    paths: tuple[str, ...]
    swapped: bool = False
    """Whether the two halves of its rows stand the other way round here (the original's shift and scale)."""


class Grammar:
    """The words of a family's module paths. `roots` are those that a path can begin with."""

    def __init__(self, roots: frozenset[str], words: frozenset[str]):
        self.roots = roots
        longest_first = sorted(roots | words, key=len, reverse=True)
        self._word = re.compile(rf"(?:{'|'.join(longest_first)}|[0-9]+)(?=_|$)")

    def dotted(self, name: str) -> str | None:
        """`a_b_0_c` with its dots back, `a_b.0.c`; None when it is not made of this grammar's words."""
        segments: list[str] = []
        position = 0
        while position < len(name) or not segments:
            match = self._word.match(name, position)
            if match is None:
                return None
            segments.append(match[0])
            position = match.end() + 1
        if segments[0] not in self.roots or name.endswith("_"):
            return None
        return ".".join(segments)
