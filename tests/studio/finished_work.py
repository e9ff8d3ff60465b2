"""Trainings and studies that a tenant has, as they are in the catalog when a worker has done them."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image
from shared import Shared

from sealsmith.adapters import parse_seal
from sealsmith.catalog import ArtefactKind, NewArtefact
from sealsmith.engine.messages import SealAt
from sealsmith.jobs import Leases, Outcome, Queue
from sealsmith.jobs.queue import MAX_PRIORITY
from sealsmith.jobs.study_payload import PAYLOADS
from sealsmith.jobs.train_payload import TrainPayload
from sealsmith.jobs.training import facts_of

Card = dict[str, Any]
COLOURS = ("firebrick", "seagreen", "steelblue", "goldenrod")
NUM_STEPS = 120
DONE_FIRST = MAX_PRIORITY
"""Priority of what is done at once, before whatever waits."""


def scorecard(top1: float = 1.0, margin: float = 0.6) -> Card:
    """A scorecard as `score --json` prints it; it fails as those fail."""
    low = [round(top1 - 0.2, 2), 1.0]
    reasons = []
    if margin <= 0.2:
        reasons.append("The trigger makes no difference above noise.")
    if top1 < 0.5:
        reasons.append("The seal is recognised in too few of the pictures that call it.")
    return {
        "fidelity": {"top1": top1, "similarity": 0.7, "ci": low},
        "adherence": {"mark": 0.94, "surface": 0.5, "colour": 1.0, "all": 0.5, "ci": [0.3, 0.7]},
        "leak": {"rate": 0.0, "ci": [0.0, 0.12]},
        "bleeding": {"value": 0.01, "ci": [-0.01, 0.03]},
        "drift": {"value": 0.03, "noise_floor": 0.1},
        "margin": {"value": margin, "ci": [margin - 0.2, margin + 0.2]},
        "diversity": None,
        "verdict": "fail" if reasons else "pass",
        "reasons": reasons,
        "settings": {"num_prompts": 8, "num_seeds": 2, "num_distractors": 1000},
    }


def seal_of(world: Shared, tenant: str, data: bytes, name: str) -> str:
    """Digest of a seal that is the tenant's, by its name, from now on."""
    owner, facts = world.catalog.tenants.named(tenant).id, facts_of(parse_seal(data), name)
    return world.catalog.seals.add(owner, data, facts).digest


def study(
    world: Shared, tenant: str, kind: str, seal: str, result: Mapping[str, Any] | None = None, **asked: Any
) -> str:
    """Id of a study of a seal; without a result it waits for its turn."""
    payload = PAYLOADS[kind](seals=(SealAt(seal, "1"),), base=world.base, **asked).to_dict()
    names = [name for name in _strings(result) if name.endswith(".png")]
    return _job(world, tenant, kind, payload, result, [_picture(n, name) for n, name in enumerate(names)])


def training(world: Shared, tenant: str, result: Mapping[str, Any] | None = None, name: str = "fox") -> str:
    """Id of a training that has left previews and a curve."""
    owner = world.catalog.tenants.named(tenant).id
    upload = world.catalog.artefacts.add(owner, _picture(0, "logo.png", ArtefactKind.UPLOAD))
    settings = {"trigger": "zwx", "num_steps": NUM_STEPS}
    payload = TrainPayload(pictures=upload.id, base=world.base, name=name, settings=settings).to_dict()
    previews = [
        _picture(n, f"step-{step:06d}-0.png", ArtefactKind.PREVIEW)
        for n, step in enumerate(range(30, NUM_STEPS + 1, 30))
    ]
    rows = "".join(f'{{"step": {step}, "loss": {1 / step}}}\n' for step in range(1, NUM_STEPS + 1))
    curve = NewArtefact(ArtefactKind.CURVE, rows.encode(), "application/jsonl", "log.jsonl")
    return _job(world, tenant, "train", payload, result, [*previews, curve])


def _job(
    world: Shared,
    tenant: str,
    kind: str,
    payload: Mapping[str, Any],
    result: Mapping[str, Any] | None,
    files: Sequence[NewArtefact],
) -> str:
    priority = 0 if result is None else DONE_FIRST
    owner = world.catalog.tenants.named(tenant).id
    job = Queue(world.catalog).submit(owner, kind, payload, priority=priority)
    if result is None:
        return job.id
    leases = Leases(world.catalog)
    lease = leases.claim([kind], "a test", 600)
    assert lease is not None
    assert lease.job.id == job.id
    leases.finish(lease, Outcome(result, artefacts=tuple(files)))
    return job.id


def _picture(number: int, name: str, kind: ArtefactKind | None = None) -> NewArtefact:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), COLOURS[number % len(COLOURS)]).save(buffer, "PNG")
    return NewArtefact(kind or ArtefactKind.STUDY, buffer.getvalue(), "image/png", name)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [found for one in value.values() for found in _strings(one)]
    return [found for one in value for found in _strings(one)] if isinstance(value, list) else []
