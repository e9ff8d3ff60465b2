"""The service on a catalog: quotas hold, and nobody reaches another's seals."""

import time
from typing import Any

import httpx2
import pytest
from shared import Headers, Shared

from sealsmith.catalog import Scope
from sealsmith.server.catalog_service import first_key


@pytest.fixture(scope="module")
def http(shared: Shared) -> Any:
    with shared.running.client() as client:
        yield client


def uploaded(http: httpx2.Client, headers: Headers, data: bytes, name: str) -> httpx2.Response:
    return http.post("/v1/seals", files={"file": (f"{name}.safetensors", data)}, headers=headers)


def names(http: httpx2.Client, headers: Headers) -> list[str]:
    return [seal["name"] for seal in http.get("/v1/seals", headers=headers).json()["seals"]]


def ended(http: httpx2.Client, headers: Headers, order: dict[str, Any]) -> dict[str, Any]:
    with http.stream("GET", order["events_url"], headers=headers) as events:
        assert "event: end" in "".join(events.iter_text()).replace("\r", "")
    body: dict[str, Any] = http.get(f"/v1/images/{order['id']}", headers=headers).json()
    return body


def test_a_seal_is_drawn_with_by_its_owner_and_by_whom_it_is_shared_with(
    shared: Shared, http: httpx2.Client, seal_bytes: bytes
) -> None:
    ann, bob = shared.key("ann"), shared.key("bob")
    added = uploaded(http, ann, seal_bytes, "mark")
    assert added.status_code == 201, added.text
    seal = added.json()
    assert (seal["name"], seal["trigger"], seal["rank"]) == ("mark", "sks", 4)
    assert seal["num_layers"] > 0
    assert http.get(f"/v1/seals/{seal['id']}", headers=ann).json() == seal
    assert uploaded(http, ann, seal_bytes, "mark").json() == seal
    assert uploaded(http, ann, seal_bytes, "other").json()["error"]["code"] == "seal-exists"
    different = seal_bytes.replace(b"seal of sks", b"mark of sks")
    assert uploaded(http, ann, different, "mark").status_code == 409
    wish = {"prompt": "x <lora:mark:1>", "steps": 1, "n": 2}
    by_digest = {"prompt": "x", "steps": 1, "seals": [{"name": seal["id"]}]}
    drawn = ended(http, ann, http.post("/v1/images", json=wish, headers=ann).json())
    assert drawn["state"] == "done", drawn
    assert names(http, bob) == []
    for asked in (wish, by_digest):  # the engine has the file at hand now, and must not be asked
        assert http.post("/v1/images", json=asked, headers=bob).status_code == 404
    assert http.delete(f"/v1/seals/{seal['id']}", headers=bob).status_code == 404
    owner, other = (shared.catalog.tenants.named(name).id for name in ("ann", "bob"))
    base = shared.catalog.seals.usable(owner, seal["id"]).base_digest
    shared.catalog.seals.grant(owner, seal["id"], base, other)
    assert names(http, bob) == ["mark"]
    assert http.post("/v1/images", json=wish, headers=bob).status_code == 202
    assert http.delete(f"/v1/seals/{seal['id']}", headers=bob).status_code == 403
    shared.catalog.seals.ungrant(owner, seal["id"], base, other)
    for asked in (wish, by_digest):
        assert http.post("/v1/images", json=asked, headers=bob).status_code == 404
    assert http.delete(f"/v1/seals/{seal['id']}", headers=ann).status_code == 204
    assert http.post("/v1/images", json=by_digest, headers=ann).status_code == 404
    assert shared.catalog.verify().is_sound


def test_a_key_holds_until_it_is_revoked(shared: Shared, http: httpx2.Client) -> None:
    ann = shared.key("ann")
    order = http.post("/v1/images", json={"prompt": "x", "steps": 1}, headers=ann).json()
    ended(http, ann, order)
    shared.catalog.keys.revoke("_".join(ann["authorization"].split()[1].split("_")[:2]))
    for path in ("", "/events", "/pictures/0"):
        assert http.get(f"/v1/images/{order['id']}{path}", headers=ann).status_code == 401


def test_pictures_a_day_are_counted_and_those_not_drawn_given_back(
    shared: Shared, http: httpx2.Client
) -> None:
    tenant = shared.tenant("frugal", pictures_a_day=3)
    key = shared.key("frugal", Scope.GENERATE)

    def place(**wish: Any) -> httpx2.Response:
        return http.post("/v1/images", json={"prompt": "x", "steps": 1, **wish}, headers=key)

    assert ended(http, key, place(n=2).json())["state"] == "done"
    refused = place(n=2)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota")
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert shared.catalog.tenants.usage(tenant).pictures_today == 2
    failed = place(sampler="sideways")
    assert ended(http, key, failed.json())["state"] == "failed"
    begin = time.monotonic()
    while shared.catalog.tenants.usage(tenant).pictures_today != 2:
        assert time.monotonic() - begin < 60, "the picture was never given back"
        time.sleep(0.02)
    assert ended(http, key, place().json())["state"] == "done"
    generation = {"prompt": "x", "num_inference_steps": 1}
    for path, body in (("/v1/images/generations", generation), ("/sdapi/v1/txt2img", {"prompt": "x"})):
        assert http.post(path, json=body, headers=key).status_code == 429


def test_storage_is_bounded(shared: Shared, http: httpx2.Client, seal_bytes: bytes) -> None:
    shared.tenant("tiny", storage_bytes=100)
    refused = uploaded(http, shared.key("tiny"), seal_bytes, "mark")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota")


def test_the_first_key_is_made_once(shared: Shared, catalog: Any) -> None:
    assert first_key(shared.catalog) is None
    new = first_key(catalog)
    assert new is not None
    assert catalog.keys.authenticate(new.token.get_secret_value()).scopes == set(Scope)
    assert first_key(catalog) is None
