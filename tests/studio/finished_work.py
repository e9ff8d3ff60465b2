"""Trainings and studies that a tenant has, as they are in the catalog when a worker has done them."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image
from shared import Shared

from sealsmith.adapters import parse_seal
from sealsmith.catalog import ArtefactKind, NewArtefact
from sealsmith.engine.messages import SealAt
from sealsmith.inspect.conflict import LayerConflict, WeightConflict
from sealsmith.inspect.conflict import Shared as Alike
from sealsmith.jobs import Leases, Outcome, Queue
from sealsmith.jobs.conflicts_study import found_of
from sealsmith.jobs.queue import MAX_PRIORITY
from sealsmith.jobs.study_payload import PAYLOADS
from sealsmith.jobs.train_payload import TrainPayload
from sealsmith.jobs.training import facts_of
from sealsmith.score.company import CompanyStudy
from sealsmith.score.conflicts import ConflictReport, Meeting, Rise, Scene, Share, Trial, View

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


def meeting(seals: Sequence[str], is_better: bool = True) -> dict[str, Any]:
    """Result of a study of the seals fox and owl, of these digests, in one picture."""
    lbw = ",".join("0.4" if block == 5 else "1" for block in range(10))
    plain = ("<lora:fox:1>", "<lora:owl:1>")
    before = Meeting(plain, "sum", None, (_share(0.5, 0.41), _share(0.88, 0.6)), _share(0.44, 0.4))
    tried = (f"<lora:fox:1.25:lbw={lbw}>", "<lora:owl:0.94>")
    after = Meeting(tried, "masked", 6.0, (_share(0.81, 0.58), _share(0.88, 0.6)), _share(0.75, 0.55))
    rise = 0.31 if is_better else -0.06
    views = ("fox alone", "owl alone", "together", "with the advice")
    found = ((True, False), (False, True), (False, True), (True, True))
    picture = Image.new("RGB", (64, 64))
    scenes = tuple(
        Scene(f"a wax seal of zwx emblem beside sks emblem on {where}", 7000 + number, tuple(
            View(what, picture, seen) for what, seen in zip(views, found, strict=True)
        ))
        for number, where in enumerate(("moss", "slate"))
    )  # fmt: skip
    report = ConflictReport(
        ("fox", "owl"), (_share(0.94, 0.7), _share(0.88, 0.62)), before, after, Rise(rise, (-0.1, 0.5)),
        Rise(0.15, (0.05, 0.25)), (Trial(plain, "sum", None, 0.4, 0.4),) * 18, "use it", 200, scenes,
    )  # fmt: skip
    return found_of(CompanyStudy((_crossing(),), report), seals)


def _share(value: float, likeness: float) -> Share:
    return Share(value, (max(0, value - 0.2), min(1, value + 0.1)), likeness)


def _crossing() -> WeightConflict:
    shares = {"MID": 0.41, "OUT03": 0.27, "IN03": 0.2, "OUT01": 0.12}
    layers = tuple(
        LayerConflict(
            f"unet.{block.lower()}.attentions.0.transformer_blocks.0.attn2.to_v", block,
            Alike(0.3, 0.05, 40.0), Alike(0.6, 0.05, 12.0), -0.1, (0.3, 0.2), share, (0.2, 0.3),
        )
        for block, share in shares.items()
    )  # fmt: skip
    return WeightConflict(("fox", "owl"), (4, 4), (0.34, 0.2), -0.12, shares, layers)


def seal_of(world: Shared, tenant: str, data: bytes, name: str) -> str:
    """Digest of a seal that is the tenant's, by its name, from now on."""
    owner, facts = world.catalog.tenants.named(tenant).id, facts_of(parse_seal(data), name)
    return world.catalog.seals.add(owner, data, facts).digest


def study(
    world: Shared,
    tenant: str,
    kind: str,
    seals: Sequence[str],
    result: Mapping[str, Any] | None = None,
    **asked: Any,
) -> str:
    """Id of a study of seals; without a result it waits for its turn."""
    payload = PAYLOADS[kind](
        seals=tuple(SealAt(seal, "1") for seal in seals), base=world.base, **asked
    ).to_dict()
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
