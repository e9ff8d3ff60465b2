"""Trainings over HTTP, from a key to a seal that others draw with, and back; a real worker does them."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image
from shared import Headers, Shared, told, working

from sealsmith.catalog import ArtefactKind, NewArtefact, Scope, SealFacts
from sealsmith.catalog.paging import MAX_PAGE

SETTINGS = {"rank": 2, "targets": ["attention"], "num_steps": 4, "checkpoint_every": 2, "preview_every": 2}


@pytest.fixture(scope="module")
def http(shared: Shared) -> Iterator[httpx2.Client]:
    with shared.running.client() as client:
        yield client


@pytest.fixture(scope="module")
def pictures() -> bytes:
    """A zip of two."""
    rng, packed = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(2):
            picture = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(picture, "PNG")
            archive.writestr(f"{number}.png", picture.getvalue())
            archive.writestr(f"{number}.txt", "a red wax seal of [trigger] emblem on wood")
    return packed.getvalue()


def handed_in(http: httpx2.Client, key: Headers, data: bytes, **fields: Any) -> httpx2.Response:
    wanted = {"trigger": "zwx", "is_scored": "false", "settings": json.dumps(SETTINGS), **fields}
    return http.post("/v1/trainings", files={"file": ("My.ZIP", data)}, data=wanted, headers=key)


def test_from_a_key_to_a_shared_seal_and_back(
    shared: Shared, http: httpx2.Client, pictures: bytes, tmp_path: Path
) -> None:
    maker = shared.tenant("maker")
    key, other = shared.key("maker"), shared.key("bob")
    answer = handed_in(http, key, pictures, name="mine")
    assert answer.status_code == 202, answer.text
    url = answer.headers["location"]
    assert answer.json()["state"] == "queued"
    for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("DELETE", "")):
        assert http.request(method, url + path, headers=other).status_code == 404
    with working(shared, tmp_path):
        events = told(http, key, f"{url}/events")
    training = http.get(url, headers=key).json()
    assert training["state"] == "done", training
    assert training["settings"] == {**SETTINGS, "trigger": "zwx"}
    assert (training["chosen_step"], training["scores"]) == (4, {})
    kinds = [kind for _, kind in events]
    assert [number for number, _ in events] == list(range(1, len(events) + 1))
    assert (kinds[0], kinds[-1]) == ("queued", "done")
    assert {"started", "progress", "artefact"} <= set(kinds)
    assert told(http, key, f"{url}/events", after=len(events) - 2) == events[-2:]
    assert [file["kind"] for file in training["files"]] == ["preview", "preview", "curve"]
    for file in training["files"]:
        assert http.get(file["url"], headers=key).headers["content-type"] == file["media_type"]
        assert http.get(file["url"], headers=other).status_code == 404
    assert http.get("/v1/trainings", headers=key).json()["trainings"][0]["id"] == training["id"]
    seal = http.get(f"/v1/seals/{training['seal']}", headers=key).json()
    assert (seal["name"], seal["trigger"], seal["rank"]) == ("mine", "zwx", 2)
    assert handed_in(http, key, pictures, name="mine").json()["error"]["code"] == "seal-exists"

    wish = {"prompt": "x <lora:mine:1>", "steps": 1}
    assert http.post("/v1/images", json=wish, headers=key).status_code == 202
    assert http.post("/v1/images", json=wish, headers=other).status_code == 404
    base = shared.catalog.seals.usable(maker, seal["id"]).base_digest
    guest = shared.catalog.tenants.named("bob").id
    shared.catalog.seals.grant(maker, seal["id"], base, guest)
    order = http.post("/v1/images", json=wish, headers=other).json()
    with http.stream("GET", order["events_url"], headers=other) as stream:
        assert "event: done" in stream.read().decode()
    shared.catalog.seals.ungrant(maker, seal["id"], base, guest)
    assert http.post("/v1/images", json=wish, headers=other).status_code == 404

    assert http.delete(url, headers=key).status_code == 204
    assert http.get(url, headers=key).status_code == 404
    assert http.delete(f"/v1/seals/{seal['id']}", headers=key).status_code == 204
    assert shared.catalog.tenants.usage(maker).storage_bytes == 0
    assert shared.catalog.verify().is_sound


def test_a_training_is_cancelled_and_resumed(shared: Shared, http: httpx2.Client, pictures: bytes) -> None:
    shared.tenant("hesitant", trainings_at_once=1)
    key = shared.key("hesitant", Scope.TRAIN)
    url = handed_in(http, key, pictures).headers["location"]
    refused = handed_in(http, key, pictures)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota")
    assert http.post(f"{url}/resume", headers=key).status_code == 409
    assert http.delete(url, headers=key).status_code == 409
    assert http.post(f"{url}/cancel", headers=key).json()["state"] == "cancelled"
    assert told(http, key, f"{url}/events") == [(1, "queued"), (2, "cancelled")]
    assert http.post(f"{url}/resume", headers=key).json()["state"] == "queued"
    http.post(f"{url}/cancel", headers=key)
    assert told(http, key, f"{url}/events", after=2) == [(3, "queued"), (4, "cancelled")]
    assert http.delete(url, headers=key).status_code == 204


def test_all_files_of_a_training_are_listed_and_none_stays_of_one_that_is_removed(
    shared: Shared, http: httpx2.Client, pictures: bytes
) -> None:
    tenant, key = shared.tenant("diligent"), shared.key("diligent", Scope.TRAIN)
    url = handed_in(http, key, pictures).headers["location"]
    http.post(f"{url}/cancel", headers=key)
    job = url.rpartition("/")[2]
    drawn = [
        NewArtefact(ArtefactKind.PREVIEW, b"a picture", "image/png", f"{number}", {"step": number}, job)
        for number in range(MAX_PAGE + 5)
    ]
    shared.catalog.artefacts.put_files(drawn)
    with shared.catalog.database.writing() as session:
        shared.catalog.artefacts.insert(session, tenant, drawn)
    files = http.get(url, headers=key).json()["files"]
    assert [file["name"] for file in files] == [new.name for new in drawn]
    assert http.delete(url, headers=key).status_code == 204
    assert shared.catalog.tenants.usage(tenant).storage_bytes == 0
    assert shared.catalog.verify().is_sound


def test_what_others_share_keeps_nobody_from_a_name(
    shared: Shared, http: httpx2.Client, pictures: bytes
) -> None:
    tenant, key = shared.tenant("named"), shared.key("named", Scope.TRAIN)
    seals = shared.catalog.seals
    for number, name in enumerate(("generous", "liberal")):
        other = shared.tenant(name)
        seal = seals.add(other, b"%d" % number, SealFacts("logo", "b" * 64, "sealworld"))
        seals.grant(other, seal.digest, "b" * 64, tenant)
    answer = handed_in(http, key, pictures, name="logo")
    assert answer.status_code == 202, answer.text
    again = handed_in(http, key, pictures, name="logo")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "seal-exists")
    http.post(f"{answer.headers['location']}/cancel", headers=key)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"settings": "{"}, "config"),
        ({"settings": "[1]"}, "config"),
        ({"settings": '{"trigger": "other"}'}, "config"),
        ({"settings": '{"num_step": 4}'}, "config"),
        ({"settings": '{"num_steps": "many"}'}, "config"),
        ({"settings": '{"num_steps": 0}'}, "config"),
        ({"name": "../x"}, "config"),
        ({"data": b"no zip"}, "picture-set"),
    ],
)
def test_what_cannot_be_trained_is_refused_and_nothing_is_left(
    shared: Shared, http: httpx2.Client, pictures: bytes, fields: dict[str, Any], code: str
) -> None:
    key = shared.key("ann", Scope.TRAIN)
    refused = handed_in(http, key, **{"data": pictures, **fields})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, code), refused.text
    ann = shared.catalog.tenants.named("ann").id
    assert shared.catalog.artefacts.page(ann, ArtefactKind.UPLOAD).items == ()


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_loose_pictures_and_captions_are_a_set_as_a_zip_of_them_is(
    shared: Shared, http: httpx2.Client, pictures: bytes
) -> None:
    loose = unpacked(pictures)
    tenant, key = shared.tenant("loose"), shared.key("loose", Scope.TRAIN)
    sent = [("files", (f"C:\\my pictures\\{name}", data)) for name, data in loose.items()]
    as_zip = {"file": ("set.zip", pictures)}
    checked = [
        http.post("/v1/picture-sets/check", files=files, data={"trigger": "zwx"}, headers=key).json()
        for files in (sent, as_zip)
    ]
    assert checked[0] == checked[1]
    assert (checked[0]["num_pictures"], checked[0]["num_captions"]) == (2, 2)
    wanted = {"trigger": "zwx", "is_scored": "false", "settings": json.dumps(SETTINGS)}
    answer = http.post("/v1/trainings", files=sent, data=wanted, headers=key)
    assert answer.status_code == 202, answer.text
    [upload] = shared.catalog.artefacts.page(tenant, ArtefactKind.UPLOAD).items
    assert unpacked(shared.catalog.artefacts.read(tenant, upload.id)) == loose
    url = answer.headers["location"]
    http.post(f"{url}/cancel", headers=key)
    http.delete(url, headers=key)
    one = [("files", ("0.png", loose["0.png"]))]
    answer = http.post("/v1/trainings", files=one, data=wanted, headers=key)
    assert answer.status_code == 202, answer.text
    [upload] = shared.catalog.artefacts.page(tenant, ArtefactKind.UPLOAD).items
    assert shared.catalog.artefacts.read(tenant, upload.id) == loose["0.png"]
    http.post(f"{answer.headers['location']}/cancel", headers=key)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "there is no picture"),
        (["0.png", "0.PNG"], "two files have the same name"),
        (["0.png", "a/0.png"], "two files have the same name"),
        (["0.png", "1.exe"], "'1.exe' is neither a picture nor a caption"),
        (["0.png", "set.zip"], "'set.zip' is neither a picture nor a caption"),
        (["0.png", "1\u202e.png"], "is neither a picture nor a caption"),
    ],
)
def test_loose_files_that_are_no_set_are_refused(
    shared: Shared, http: httpx2.Client, pictures: bytes, names: list[str], words: str
) -> None:
    sent: list[Any] = [("files", (name, unpacked(pictures)["0.png"])) for name in names]
    sent += [("nothing", ("x", b"x"))]  # so that the form is one with files
    refused = http.post("/v1/trainings", files=sent, data={"trigger": "zwx"}, headers=shared.key("ann"))
    assert refused.status_code == 400, refused.text
    assert words in refused.json()["error"]["message"]
    assert http.get("/v1/trainings", headers=shared.key("ann")).json()["trainings"] == []
    both = [("files", ("0.png", b"x")), ("file", ("0.png", b"x"))]
    refused = http.post("/v1/trainings", files=both, data={"trigger": "zwx"}, headers=shared.key("ann"))
    assert "there are `file` and `files`" in refused.json()["error"]["message"]


def test_a_local_service_says_that_it_trains_nothing(client: httpx2.Client) -> None:
    answer = client.get("/v1/trainings")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "missing")
