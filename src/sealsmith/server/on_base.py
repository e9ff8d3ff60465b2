"""Questions about the base that want it opened, answered in a process of their own, which opens it once.

    fit = await on_base.fit(file, "mark")

Not for: drawing, which is the engine's.
"""

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .inspector import Inspector
from .limits import BASE_BYTES, BASE_WITHIN_S

if TYPE_CHECKING:
    from ..adapters import Fit, Seal
    from ..bases import Base

Verdict = Literal["fits", "partly", "no"]


@dataclass(frozen=True)
class FitFacts:
    """How a seal stands to the base."""

    base: str
    family: str
    verdict: Verdict
    matched: int
    total: int
    message: str


class OnBase:
    """Asks a process that holds the base. Belongs to one event loop."""

    def __init__(self, base: str, inspector: Inspector | None = None):
        """`base`: a word that `open_base` knows; it is opened when something is first asked."""
        self._base = base
        self._inspector = inspector or Inspector(BASE_WITHIN_S, BASE_BYTES)

    async def fit(self, file: Path, name: str) -> FitFacts:
        """Whether the seal in a file, which errors call `name`, belongs on the base.

        Raises: SealError, BusyError; BaseError for a base that cannot be opened.
        """
        return await self._inspector.ask(partial(fit_of, self._base, file, name), name)

    async def close(self) -> None:
        """Ends the process."""
        await self._inspector.close()


@cache
def _opened(base: str) -> "Base":
    """In the process: the base, for as long as the process lives."""
    from ..bases import open_base

    return open_base(base)


def fit_of(base: str, file: Path, name: str) -> FitFacts:
    """In the process: the seal in a file held against the base. Raises: SealError."""
    from ..adapters.fit import fit_seal
    from ..adapters.seal_file import parse_seal

    opened = _opened(base)
    seal = parse_seal(bytearray(file.read_bytes()), name)
    fit = fit_seal(opened.components, opened.family.name, seal)
    verdict, message = _judged(opened, seal, fit)
    return FitFacts(opened.name, opened.family.name, verdict, fit.matched, fit.total, message)


def _judged(base: "Base", seal: "Seal", fit: "Fit") -> tuple[Verdict, str]:
    """The verdict in the words of the service, and what it means, in a sentence."""
    from ..adapters.fit import FITS, PARTLY, advice

    if fit.verdict not in (FITS, PARTLY):
        return "no", f"{fit.verdict}: {advice(fit, seal)}"
    told = [] if fit.verdict == FITS else [advice(fit, seal)]
    if seal.header.base_digest not in ("", base.digest):
        told.append(f"it was trained on {seal.header.base or 'another base'}, and may look different here")
    return ("fits" if fit.verdict == FITS else "partly"), "; ".join(told)
