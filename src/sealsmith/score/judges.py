"""Which judge knows the pictures of which family. A new judge is one line here.

Not for: the judges themselves (judge.py).
"""

from collections.abc import Callable, Mapping

from ..bases import Family
from .judge import LoadedJudge, load_judge

JUDGES: Mapping[str, Callable[[], LoadedJudge]] = {"sealworld": load_judge}
"""By the family's name."""


def judge_of(family: Family) -> LoadedJudge | None:
    """The judge of a family's pictures; None where there is none, and then nothing is judged.

    Raises: BaseError when there should be one and its files are missing.
    """
    load = JUDGES.get(family.name)
    return load() if load else None
