"""What a job works with: a base that its worker has, and seals that its tenant may use, from the catalog's store.

Whether the tenant may is asked here once more: a grant may have been taken back since the job was handed in.
"""

from dataclasses import dataclass, replace

from ..adapters import Seal
from ..adapters.seal_file import parse_seal
from ..adapters.strength import Strength, parse_strength
from ..bases import EXACT, Base, Wanted, open_base
from ..catalog import SealRecord
from ..engine.messages import SealAt
from ..errors import ConfigError
from .work import Work


@dataclass(frozen=True)
class OpenedSeal:
    """A seal of a study."""

    seal: Seal
    strength: Strength
    record: SealRecord


def opened_base(work: Work, word: str, wanted: Wanted = EXACT) -> Base:
    """The base of this word. Raises: ConfigError for one that the worker does not have."""
    if word not in work.bases:
        raise ConfigError(f"there is no base {word[:80]!r} here", f"work on one of {', '.join(work.bases)}")
    return open_base(word, work.device, wanted)


def opened_seal(work: Work, use: SealAt) -> OpenedSeal:
    """A seal that the tenant may use now, called as the catalog calls it.

    Raises: SealMissingError, StoreError, SealError, ConfigError for a strength that means nothing.
    """
    record = work.catalog.seals.usable(work.job.tenant, use.digest)
    data = work.catalog.seals.read(work.job.tenant, use.digest)
    seal = parse_seal(data, record.name)
    named = replace(seal, header=replace(seal.header, title=record.name))
    return OpenedSeal(named, parse_strength(use.strength), record)
