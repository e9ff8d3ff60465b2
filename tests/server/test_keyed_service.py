"""Who may what, once keys are asked for: by the document, every route; and nobody sees another's."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace

import httpx2
import pytest
from keyed import KEYS, KeyedLibrary
from operations import ALL, SAMPLES, Operation, each
from running import Running, beside

from sealsmith.server.app import OPEN_PATHS

DIALECTS = {"openai": {"error"}, "a1111": {"error", "detail", "body", "errors"}}


@pytest.fixture(scope="module")
def keyed(served: Running) -> Iterator[httpx2.Client]:
    service = replace(served.service, library=KeyedLibrary(served.service.library, KEYS))
    with beside(served, service) as running, running.client() as client:
        yield client


def as_(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer key-of-{name}"}


NO_KEYS = [{}, as_("nobody"), {"authorization": "Basic ???"}, {"authorization": "Bearer"}]


@each(ALL)
@pytest.mark.parametrize("headers", NO_KEYS)
def test_every_route_but_the_open_ones_answers_401_without_a_key(
    keyed: httpx2.Client, operation: Operation, headers: dict[str, str]
) -> None:
    answer = keyed.request(operation.method, operation.path.format(**SAMPLES), headers=headers)
    if operation.path in OPEN_PATHS:
        assert answer.status_code == 200
        return
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"] == "Bearer"
    assert set(answer.json()) == DIALECTS.get(operation.tag, {"error"})


def test_a_key_comes_as_bearer_or_as_a_password(keyed: httpx2.Client) -> None:
    basic = b64encode(b"anybody:key-of-ann").decode()
    for value in ("Bearer key-of-ann", "bearer  key-of-ann", f"Basic {basic}"):
        assert keyed.get("/v1/seals", headers={"authorization": value}).status_code == 200


def test_a_key_is_for_what_it_is_for(keyed: httpx2.Client, seal_bytes: bytes) -> None:
    files = {"file": ("bobs.safetensors", seal_bytes)}
    refused = keyed.post("/v1/seals", files=files, headers=as_("bob"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    assert keyed.get("/v1/seals", headers=as_("bob")).json() == {"seals": [], "next": None}


def test_nobody_draws_with_or_sees_another_s(keyed: httpx2.Client) -> None:
    seals = keyed.get("/v1/seals", headers=as_("ann")).json()["seals"]
    (mark,) = [seal for seal in seals if seal["name"] == "mark"]
    quick = {"prompt": "x", "steps": 1}
    for name in ("mark", mark["id"]):
        wish = {**quick, "seals": [{"name": name}]}
        assert keyed.post("/v1/images", json=wish, headers=as_("ann")).status_code == 202
        assert keyed.post("/v1/images", json=wish, headers=as_("bob")).status_code == 404
    tagged = {"prompt": "x <lora:mark:1>", "steps": 1}
    assert keyed.post("/sdapi/v1/txt2img", json=tagged, headers=as_("bob")).status_code == 404
    generation = {"prompt": "x", "model": "mark", "num_inference_steps": 1}
    assert keyed.post("/v1/images/generations", json=generation, headers=as_("bob")).status_code == 404
    order = keyed.post("/v1/images", json=quick, headers=as_("ann")).json()
    url = f"/v1/images/{order['id']}"
    reading = [("GET", path) for path in ("", "/events", "/pictures/0")]
    for method, path in (*reading, ("DELETE", ""), ("POST", "/cancel")):
        assert keyed.request(method, url + path, headers=as_("bob")).status_code == 404
    assert keyed.get(url, headers=as_("ann")).status_code == 200
    assert keyed.get("/v1/images", headers=as_("bob")).json() == {"orders": [], "next": None}


def test_interrupting_ends_one_s_own_pictures_alone(keyed: httpx2.Client) -> None:
    long = {"prompt": "x", "steps": 150, "n": 4}
    order = keyed.post("/v1/images", json=long, headers=as_("ann")).json()
    keyed.post("/sdapi/v1/interrupt", headers=as_("bob"))
    assert keyed.get(f"/v1/images/{order['id']}", headers=as_("ann")).json()["state"] != "failed"
    assert keyed.get("/sdapi/v1/progress", headers=as_("bob")).json()["state"]["job_count"] == 0
    keyed.post("/sdapi/v1/interrupt", headers=as_("ann"))
    with keyed.stream("GET", order["events_url"], headers=as_("ann")) as events:
        assert "cancelled" in "".join(events.iter_text())
