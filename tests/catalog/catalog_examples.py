"""What catalogs in tests are filled with."""

import random

from sealsmith.catalog import SealFacts

BASE = "b" * 64


def content(number: int, num_bytes: int = 100) -> bytes:
    """Bytes of a file; another number, other bytes."""
    return random.Random(number).randbytes(num_bytes)


def facts(name: str = "lion", trigger: str = "zwx", base: str = BASE, **more: object) -> SealFacts:
    return SealFacts(name=name, base_digest=base, family="sealworld", trigger=trigger, **more)  # type: ignore[arg-type]
