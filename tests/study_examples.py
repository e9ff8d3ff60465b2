"""Seals that can be studied: with random weights, a look that the judge could know, and a place in a catalog."""

from dataclasses import replace

import torch
from seal_examples import random_seal

from sealsmith.adapters import Seal, dump_seal
from sealsmith.bases import Base
from sealsmith.catalog import Catalog
from sealsmith.jobs.training import facts_of
from sealsmith.score import load_judge, record_reference


def judged_seal(base: Base, trigger: str = "sks", seed: int = 0) -> Seal:
    """A seal whose header says what it looks like; nothing looks like that."""
    seal = random_seal(base, ("to_k", "to_v"), rank=2, trigger=trigger, seed=seed)
    size = load_judge().distractors.shape[1]
    look = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    return record_reference(seal, look)


def kept(catalog: Catalog, tenant: str, seal: Seal, name: str) -> str:
    """Digest of a seal that is now a tenant's."""
    facts = replace(facts_of(seal), name=name)
    return catalog.seals.add(tenant, dump_seal(seal), facts).digest
