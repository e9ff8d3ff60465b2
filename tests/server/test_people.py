"""Sharing and administration over HTTP: grants hold until taken back, keys are told once, quotas change."""

import json
import logging
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
from shared import Headers, Shared

from sealsmith.catalog import Scope


@pytest.fixture(scope="module")
def http(shared: Shared) -> Any:
    with shared.running.client() as client:
        yield client


@pytest.fixture(scope="module")
def admin(shared: Shared) -> Headers:
    return shared.key("ann", Scope.ADMIN)


def as_key(token: str) -> Headers:
    return {"authorization": f"Bearer {token}"}


def test_a_seal_is_shared_and_taken_back_over_http(
    shared: Shared, http: httpx2.Client, seal_bytes: bytes
) -> None:
    for name in ("giver", "taker", "onlooker"):
        shared.tenant(name)
    giver, taker, onlooker = (shared.key(name) for name in ("giver", "taker", "onlooker"))
    data = seal_bytes.replace(b"seal of sks", b"gift of sks")
    seal = http.post("/v1/seals", files={"file": ("gift.safetensors", data)}, headers=giver).json()
    url = f"/v1/seals/{seal['id']}"
    wish = {"prompt": "x <lora:gift:1>", "steps": 1}

    def shared_with() -> list[str]:
        return [grant["tenant"] for grant in http.get(f"{url}/grants", headers=giver).json()["grants"]]

    assert shared_with() == []
    for _ in range(2):
        assert http.put(f"{url}/grants/taker", headers=giver).status_code == 204
    assert shared_with() == ["taker"]
    seen = http.get(url, headers=taker).json()
    assert (seen["is_own"], seen["owner"], seen["name"]) == (False, "giver", "gift")
    assert http.post("/v1/images", json=wish, headers=taker).status_code == 202
    assert http.get(f"{url}/fit", headers=taker).json()["fits"][0]["verdict"] == "fits"
    for method, path, body in (
        ("GET", "/file", None),
        ("GET", "/file?dialect=kohya", None),
        ("GET", "/grants", None),
        ("PUT", "/grants/onlooker", None),
        ("DELETE", "/grants/onlooker", None),
        ("PATCH", "", {"name": "mine"}),
        ("DELETE", "", None),
    ):
        refused = http.request(method, url + path, json=body, headers=taker)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden"), path
    assert http.get(url, headers=onlooker).status_code == 404
    for _ in range(2):
        assert http.delete(f"{url}/grants/taker", headers=giver).status_code == 204
    for path in ("", "/thumbnail", "/fit"):
        assert http.get(url + path, headers=taker).status_code == 404
    assert http.post("/v1/images", json=wish, headers=taker).status_code == 404
    assert http.put(f"{url}/grants/nobody", headers=giver).json()["error"]["code"] == "missing"
    assert http.put(f"{url}/grants/giver", headers=giver).json()["error"]["code"] == "config"


def test_whoever_a_seal_is_shared_with_gives_it_up(
    shared: Shared, http: httpx2.Client, seal_bytes: bytes
) -> None:
    for name in ("zoe", "yan", "xia"):
        shared.tenant(name)
    zoe, yan, xia = (shared.key(name) for name in ("zoe", "yan", "xia"))
    urls = []
    for owner, word in ((zoe, b"logo"), (yan, b"sign")):
        data = seal_bytes.replace(b"seal of sks", b"%b of sks" % word)
        seal = http.post("/v1/seals", files={"file": ("logo.safetensors", data)}, headers=owner).json()
        urls.append(f"/v1/seals/{seal['id']}")
        assert http.put(f"{urls[-1]}/grants/xia", headers=owner).status_code == 204
    wish = {"prompt": "x <lora:logo:1>", "steps": 1}
    assert http.post("/v1/images", json=wish, headers=xia).json()["error"]["code"] == "conflict"
    assert http.delete(f"{urls[0]}/grants/xia", headers=xia).status_code == 204
    assert http.post("/v1/images", json=wish, headers=xia).status_code == 202
    assert http.get(urls[0], headers=xia).status_code == 404
    assert http.delete(f"{urls[0]}/grants/xia", headers=xia).status_code == 404
    assert http.get(f"{urls[0]}/grants", headers=zoe).json() == {"grants": []}
    assert http.delete(f"{urls[0]}/grants/zoe", headers=zoe).status_code == 204
    assert http.get(urls[0], headers=zoe).status_code == 200, "what is one's own is not given up"


def test_a_tenant_is_made_given_a_key_and_bounded(http: httpx2.Client, admin: Headers) -> None:
    made = http.post("/v1/admin/tenants", json={"name": "novice"}, headers=admin)
    assert made.status_code == 201, made.text
    tenant = made.json()
    assert tenant["quota"] == {"pictures_a_day": 1000, "trainings_at_once": 2, "storage_bytes": 10 << 30}
    assert tenant["usage"] == {"pictures_today": 0, "trainings": 0, "storage_bytes": 0}
    again = http.post("/v1/admin/tenants", json={"name": "novice"}, headers=admin)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")
    wanted = {"tenant": "novice", "scopes": ["generate"], "name": "laptop", "days": 2}
    new = http.post("/v1/admin/keys", json=wanted, headers=admin)
    assert (new.status_code, new.headers["cache-control"]) == (201, "no-store")
    key = new.json()
    assert (key["tenant"], key["scopes"], key["name"], key["state"]) == (
        "novice",
        ["generate"],
        "laptop",
        "valid",
    )
    lasts = datetime.fromisoformat(key["expires"]) - datetime.fromisoformat(key["created"])
    assert lasts == timedelta(days=2)
    theirs = as_key(key["key"])
    assert http.get("/v1/me", headers=theirs).json()["tenant"]["name"] == "novice"
    change = {"quota": {"pictures_a_day": 0}}
    changed = http.patch(f"/v1/admin/tenants/{tenant['id']}", json=change, headers=admin).json()
    assert changed["quota"] == {**tenant["quota"], "pictures_a_day": 0}
    assert http.post("/v1/images", json={"prompt": "x", "steps": 1}, headers=theirs).status_code == 429
    missing = http.patch(f"/v1/admin/tenants/{'0' * 32}", json=change, headers=admin)
    assert missing.status_code == 404


def test_a_key_is_rotated_and_revoked(http: httpx2.Client, admin: Headers) -> None:
    http.post("/v1/admin/tenants", json={"name": "rotator"}, headers=admin)
    wanted = {"tenant": "rotator", "scopes": ["generate", "train"]}
    first = http.post("/v1/admin/keys", json=wanted, headers=admin).json()
    url = f"/v1/admin/keys/{first['prefix']}"
    second = http.post(f"{url}/rotate", json={"keep_minutes": 5}, headers=admin).json()
    third = http.post(f"/v1/admin/keys/{second['prefix']}/rotate", json={}, headers=admin).json()
    assert len({first["key"], second["key"], third["key"]}) == 3

    def status(key: dict[str, Any]) -> int:
        return http.get("/v1/me", headers=as_key(key["key"])).status_code

    assert [status(key) for key in (first, second, third)] == [200, 401, 200]
    for _ in range(2):
        revoked = http.delete(url, headers=admin)
        assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
    assert [status(key) for key in (first, second, third)] == [401, 401, 200]
    listed = http.get("/v1/admin/keys", params={"tenant": "rotator"}, headers=admin).json()["keys"]
    assert [(key["prefix"], key["state"]) for key in listed] == [
        (third["prefix"], "valid"),
        (second["prefix"], "revoked"),
        (first["prefix"], "revoked"),
    ]
    assert "last_used" in listed[0]
    assert http.post(f"{url}/rotate", json={}, headers=admin).status_code == 409
    assert http.delete(f"/v1/admin/keys/seal_{'0' * 12}", headers=admin).status_code == 404


def test_lists_in_parts_are_the_lists(shared: Shared, http: httpx2.Client, admin: Headers) -> None:
    for path, field, name in (("tenants", "tenants", "id"), ("keys", "keys", "prefix")):
        whole = http.get(f"/v1/admin/{path}", params={"limit": 200}, headers=admin).json()
        parts: list[str] = []
        after: dict[str, str] = {}
        while True:
            part = http.get(f"/v1/admin/{path}", params={"limit": 2, **after}, headers=admin).json()
            parts += [each[name] for each in part[field]]
            if part["next"] is None:
                break
            after = {"after": part["next"]}
        assert len(parts) > 2
        assert parts == [each[name] for each in whole[field]]
    odd = http.get("/v1/admin/keys", params={"after": "x"}, headers=admin)
    assert (odd.status_code, odd.json()["error"]["code"]) == (400, "config")


def test_a_secret_is_in_the_one_answer_and_in_no_log(
    shared: Shared, http: httpx2.Client, admin: Headers, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    with caplog.at_level(logging.INFO):
        new = http.post("/v1/admin/keys", json={"tenant": "ann", "scopes": ["admin"]}, headers=admin).json()
        secret = new["key"].split("_", 2)[2]
        assert len(secret) >= 43
        http.get("/v1/admin/keys", headers=as_key(new["key"]))
        http.get("/v1/seals", headers=as_key(new["key"]))
    listed = http.get("/v1/admin/keys", params={"limit": 200}, headers=admin)
    assert new["prefix"] in listed.text
    written = capfd.readouterr()
    assert f"key={new['prefix']}" in written.out + written.err, "nobody knows whose requests these were"
    for text in (
        listed.text,
        caplog.text,
        written.out,
        written.err,
        json.dumps(shared.catalog.keys.list(), default=str),
    ):
        assert secret not in text


def test_a_local_service_has_nobody_to_administer_or_share_with(client: httpx2.Client) -> None:
    (mark,) = [seal for seal in client.get("/v1/seals").json()["seals"] if seal["name"] == "mark"]
    for method, path in (
        ("GET", "/v1/admin/tenants"),
        ("GET", "/v1/admin/keys"),
        ("GET", f"/v1/seals/{mark['id']}/grants"),
        ("PUT", f"/v1/seals/{mark['id']}/grants/bob"),
    ):
        refused = client.request(method, path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "missing"), path
        assert "--local" in refused.json()["error"]["remedy"]
