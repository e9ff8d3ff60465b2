"""Every route of the document asks for a valid key of its scope, and gives nobody another's things."""

import json
import socket
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from operations import GUARDED, SAMPLES, Operation, each
from shared import Headers, Shared

from sealsmith.catalog import ArtefactKind, NewArtefact, Scope
from sealsmith.jobs import TRAIN, Queue
from sealsmith.jobs.queue import SCORE

BODIES: dict[str, dict[str, Any]] = {
    "patch /v1/seals/{seal_id}": {"json": {"name": "mine"}},
}
"""What operations on somebody's things take, where they take something."""
WITH_SEALS: dict[str, dict[str, Any]] = {
    "post /v1/images": {"prompt": "x", "seals": [{"name": "SEAL"}]},
    "post /v1/scores": {"seal": "SEAL"},
    "post /v1/attention": {"prompt": "x", "seals": [{"name": "SEAL"}]},
    "post /v1/sweeps": {"seal": "SEAL"},
    "post /v1/conflicts": {"seals": ["SEAL", "0" * 64]},
    "post /v1/images/generations": {"prompt": "x", "model": "SEAL", "lora": [{"name": "SEAL"}]},
    "post /sdapi/v1/txt2img": {"prompt": "x <lora:SEAL:1>"},
}
"""What operations take that name seals, `SEAL` among them. Prompts may hold tags as A1111's do."""
NOBODY_S = ("/v1/admin/",)
"""Paths whose things belong to no tenant: only the scope decides."""


@pytest.fixture(scope="module")
def http(shared: Shared) -> Any:
    with shared.running.client() as client:
        yield client


@pytest.fixture(scope="module")
def bad_keys(shared: Shared) -> list[Headers]:
    good = shared.key("ann")["authorization"]
    forged = good[:-1] + ("A" if good[-1] != "A" else "B")
    return [
        {},
        {"authorization": "Bearer seal_0123456789ab_nothing"},
        {"authorization": forged},
        shared.revoked_key("ann"),
        shared.outdated_key("ann"),
    ]


@pytest.fixture(scope="module")
def key_without(shared: Shared) -> Callable[[str], Headers]:
    """A key for everything but one scope."""
    keys = {
        scope.value: shared.key("ann", *(other for other in Scope if other is not scope)) for scope in Scope
    }
    return keys.__getitem__


@pytest.fixture(scope="module")
def things(shared: Shared, http: httpx2.Client, seal_bytes: bytes) -> dict[str, str]:
    """One of everything that is named in a path, all of it Carol's."""
    carol, headers = shared.tenant("carol"), shared.key("carol")
    data = seal_bytes.replace(b"seal of sks", b"seal of cas")
    added = http.post("/v1/seals", files={"file": ("carols.safetensors", data)}, headers=headers).json()
    order = http.post("/v1/images", json={"prompt": "x", "steps": 1}, headers=headers).json()
    with http.stream("GET", order["events_url"], headers=headers) as events:
        events.read()
    payload = {"pictures": "", "name": "carols", "is_scored": False, "settings": {"trigger": "cas"}}
    job = Queue(shared.catalog).submit(carol, TRAIN, payload)
    preview = NewArtefact(ArtefactKind.PREVIEW, b"a picture", "image/png", "step-1.png", job=job.id)
    file = shared.catalog.artefacts.add(carol, preview)
    study = Queue(shared.catalog).submit(carol, SCORE, {"seals": [{"digest": added["id"]}]})
    after = NewArtefact(ArtefactKind.STUDY, b"a picture", "image/png", "after-1.png", job=study.id)
    return {
        **SAMPLES,
        "study_id": study.id,
        "study_file_id": shared.catalog.artefacts.add(carol, after).id,
        "seal_id": added["id"],
        "order_id": order["id"],
        "training_id": job.id,
        "file_id": file.id,
        "tenant_name": "bob",
    }


@each(GUARDED)
def test_every_route_refuses_what_is_no_valid_key(
    http: httpx2.Client, bad_keys: list[Headers], operation: Operation
) -> None:
    for headers in bad_keys:
        answer = http.request(operation.method, operation.path.format(**SAMPLES), headers=headers)
        assert (answer.status_code, answer.headers.get("www-authenticate")) == (401, "Bearer"), answer.text


@each(GUARDED)
def test_no_scope_includes_another(
    http: httpx2.Client, key_without: Callable[[str], Headers], operation: Operation
) -> None:
    assert operation.scope is not None
    for scope in Scope:
        answer = http.request(operation.method, operation.path.format(**SAMPLES), headers=key_without(scope))
        assert (answer.status_code == 403) == (scope == operation.scope), (scope, answer.text)


@each([operation for operation in GUARDED if "requestBody" in operation.described])
def test_no_body_is_read_for_a_key_that_is_not_good_for_it(shared: Shared, operation: Operation) -> None:
    """Whoever announces much and sends a little is answered at once; a file may be half a gigabyte."""
    (kind, *_) = operation.described["requestBody"]["content"]
    path, others = operation.path.format(**SAMPLES), [scope for scope in Scope if scope != operation.scope]
    for key, status in (({}, 401), (shared.key("ann", *others), 403)):
        lines = [f"{operation.method.upper()} {path} HTTP/1.1", "host: x", "content-length: 1000000"]
        lines += [f"content-type: {kind}; boundary=x", *(f"{name}: {value}" for name, value in key.items())]
        with socket.create_connection(("127.0.0.1", shared.running.port), timeout=15) as connection:
            connection.sendall("\r\n".join([*lines, "", "--x\r\n"]).encode())
            answer = connection.recv(4096)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
        assert b"connection: close" in answer


def test_a_small_body_is_read_and_its_connection_lives_on(http: httpx2.Client) -> None:
    answer = http.post("/v1/images", json={"prompt": "x" * 1000})
    assert answer.status_code == 401
    assert "connection" not in answer.headers


@each([operation for operation in GUARDED if operation.has_names and not operation.path.startswith(NOBODY_S)])
def test_another_tenant_s_things_are_not_there(
    shared: Shared, http: httpx2.Client, things: dict[str, str], operation: Operation
) -> None:
    """With a key for everything, and everything it could take: what is missing is Carol's consent."""
    asked = BODIES[operation.label] if "requestBody" in operation.described else {}
    path = operation.path.format(**things)
    answer = http.request(operation.method, path, headers=shared.key("bob", *Scope), **asked)
    assert answer.status_code == 404, answer.text
    if operation.method == "get":
        mine = http.request("get", path, headers=shared.key("carol")) if not _endless(operation) else None
        assert mine is None or mine.status_code == 200 or "has no picture" in mine.text, mine.text


@each([operation for operation in GUARDED if operation.naming_fields or operation.label in WITH_SEALS])
@pytest.mark.parametrize("by", ["digest", "name"])
def test_another_tenant_s_seal_is_used_by_no_operation_that_names_seals(
    shared: Shared, http: httpx2.Client, things: dict[str, str], operation: Operation, by: str
) -> None:
    body = WITH_SEALS[operation.label]
    assert operation.naming_fields <= body.keys()
    name = things["seal_id"] if by == "digest" else "carols"
    asked = json.loads(json.dumps(body).replace("SEAL", name))
    answer = http.request(operation.method, operation.path, headers=shared.key("bob", *Scope), json=asked)
    assert answer.status_code == 404, answer.text
    assert name[:12] in answer.text


@each([operation for operation in GUARDED if not operation.has_names and operation.method == "get"])
def test_no_list_names_another_tenant_s_things(
    shared: Shared, http: httpx2.Client, things: dict[str, str], operation: Operation
) -> None:
    if operation.path.startswith(NOBODY_S):
        return
    asked = {"params": {"word": "sks"}} if operation.path == "/v1/triggers/check" else {}
    answer = http.get(operation.path, headers=shared.key("bob", *Scope), **asked)
    assert answer.status_code == 200, answer.text
    named = [name for name, thing in things.items() if thing not in SAMPLES.values() and thing != "bob"]
    assert len(named) == 6
    assert not [name for name in named if things[name] in answer.text]


def _endless(operation: Operation) -> bool:
    """Whether it goes on until a job that nobody does has ended."""
    return operation.path in ("/v1/trainings/{training_id}/events", "/v1/studies/{study_id}/events")
