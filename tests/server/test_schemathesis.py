"""Whatever follows the OpenAPI document, or does not, is answered as it says: never with a 5xx.

Twice: a local service is asked about what is nowhere, and one for many, with a key, about what is there, so that
what an operation answers when it succeeds is held against the document, too.
"""

from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from operations import SAMPLES
from running import Running
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from shared import Headers, Shared
from study_examples import judged_seal

from sealsmith.adapters import Seal, dump_seal
from sealsmith.bases import open_base
from sealsmith.catalog import ArtefactKind, NewArtefact, Scope, Tenant
from sealsmith.jobs import TRAIN, Queue
from sealsmith.jobs.queue import SCORE
from sealsmith.jobs.train_payload import TrainPayload
from sealsmith.jobs.training import facts_of
from sealsmith.server.app import OPEN_PATHS, document

CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance, status_code_conformance]
SMALL = {
    "steps": 2,
    "num_inference_steps": 2,
    "n": 1,
    "batch_size": 1,
    "n_iter": 1,
    "width": 64,
    "height": 64,
}
"""In place of what is drawn: the law is about answers, and large pictures take minutes."""
SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = {result.ok().label: result.ok() for result in SCHEMA.get_all_operations()}
REPEATABLE = settings(
    deadline=None, database=None, phases=(Phase.generate,), suppress_health_check=list(HealthCheck)
)
ASKED = {"GET /v1/triggers/check": {"word": "zwx"}}
"""What an operation without a body has to be asked with."""
THUMBNAIL = "data:image/jpeg;base64,/9j/"


def shrunk(body: Any) -> Any:
    """A body whose pictures are small where they were to be large; what breaks the schema stays as it is."""
    if not isinstance(body, dict):
        return body
    size = {"size": "64x64"} if isinstance(body.get("size"), str) and body["size"][:1].isdigit() else {}
    large = {key: small for key, small in SMALL.items() if type(body.get(key)) is int and body[key] > small}
    return {**body, **large, **size}


def test_the_document_has_every_dialect() -> None:
    assert len(OPERATIONS) >= 28
    assert {"POST /v1/images", "POST /v1/images/generations", "POST /sdapi/v1/txt2img"} <= OPERATIONS.keys()


@pytest.mark.parametrize(
    ("label", "mode"),
    [
        pytest.param(label, mode, id=f"{label} {mode.value}")
        for label, operation in OPERATIONS.items()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        if mode is GenerationMode.POSITIVE or operation.path not in OPEN_PATHS  # which take nothing at all
    ],
)
def test_every_answer_is_as_the_document_says(served: Running, label: str, mode: GenerationMode) -> None:
    operation = OPERATIONS[label]

    @seed(0)
    @settings(REPEATABLE, max_examples=6)
    @given(st.data())
    def answered(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        case.body = shrunk(case.body)
        response = case.call(base_url=served.url, timeout=120)
        case.validate_response(response, checks=CHECKS)

    answered()


@pytest.fixture(scope="module")
def seal(shared: Shared) -> Seal:
    return judged_seal(open_base(shared.base))


@pytest.fixture(scope="module")
def guest(shared: Shared) -> Tenant:
    """Whom seals are granted to; no other module's guest."""
    return shared.catalog.tenants.create("guest-of-the-document")


@pytest.fixture
def real(
    shared: Shared, seal: Seal, guest: Tenant, request: pytest.FixtureRequest
) -> tuple[dict[str, str], Headers]:
    """One of everything that a path can name, all of a new tenant's, and a key of theirs for everything."""
    label = request.node.callspec.params["label"]
    tenant, key = shared.tenant(label), shared.key(label, *Scope)
    facts = replace(facts_of(seal), name="mine", thumbnail=THUMBNAIL)
    digest = shared.catalog.seals.add(tenant, dump_seal(seal), facts).digest
    shared.catalog.seals.grant(tenant, digest, seal.header.base_digest, guest.id)
    queue, artefacts = Queue(shared.catalog), shared.catalog.artefacts
    payload = TrainPayload(pictures="", name="other", settings={"trigger": "zwx"}).to_dict()
    pictures = NewArtefact(ArtefactKind.UPLOAD, b"pictures", "application/zip")
    training = queue.submit(tenant, TRAIN, payload, files={"pictures": pictures})
    study = queue.submit(tenant, SCORE, {"seals": [{"digest": digest}]})
    for job in (training, study):
        queue.cancel(tenant, job.id)  # at rest: its events end, and it may be resumed or removed
    preview = NewArtefact(ArtefactKind.PREVIEW, b"a picture", "image/png", "1.png", job=training.id)
    after = NewArtefact(ArtefactKind.STUDY, b"a picture", "image/png", "after-1.png", job=study.id)
    with shared.running.client(headers=key) as http:
        order = http.post("/v1/images", json={"prompt": "x", "steps": 1}).json()
        with http.stream("GET", order["events_url"]) as events:
            events.read()
    things = {
        "seal_id": digest,
        "order_id": order["id"],
        "index": "0",
        "training_id": training.id,
        "file_id": artefacts.add(tenant, preview).id,
        "study_id": study.id,
        "study_file_id": artefacts.add(tenant, after).id,
        "tenant_name": guest.name,
        "tenant_id": tenant,
        "prefix": "_".join(shared.key(label)["authorization"].removeprefix("Bearer ").split("_")[:2]),
    }
    assert things.keys() == SAMPLES.keys()
    return things, key


@pytest.mark.parametrize("label", OPERATIONS)
def test_what_is_there_is_answered_as_the_document_says(
    shared: Shared, real: tuple[dict[str, str], Headers], label: str
) -> None:
    """What has no body, and nothing made up in its query, succeeds."""
    operation, (things, key) = OPERATIONS[label], real
    names = {parameter.name for parameter in operation.path_parameters}

    def answered(case: schemathesis.Case) -> int:
        case.path_parameters = {name: things[name] for name in names}
        response = case.call(base_url=shared.running.url, headers=key, timeout=120)
        case.validate_response(response, checks=CHECKS)
        return int(response.status_code)

    @seed(0)
    @settings(REPEATABLE, max_examples=3)
    @given(st.data())
    def made_up_is_answered(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        case.body = shrunk(case.body)
        answered(case)

    if not operation.body:
        status = answered(operation.Case(query=ASKED.get(label, {})))
        assert status < 400, status
    made_up_is_answered()
