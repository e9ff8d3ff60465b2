"""The library over HTTP, in a folder as in a catalog: seals found, renamed, shown, exported, held against bases."""

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load, save
from seal_examples import random_seal
from shared import Headers, Shared

from sealsmith.adapters import dump_seal, parse_seal, tensor_hash
from sealsmith.adapters.thumbnail import thumbnail
from sealsmith.bases import Base
from sealsmith.catalog import Scope

NAMES = ("lion", "Lion two", "bear", "owl")


def variant(seal_bytes: bytes, title: str, trigger: str, picture: str = "") -> bytes:
    seal = parse_seal(bytearray(seal_bytes), "seal")
    card = {"verdict": "pass", "fidelity": {"top1": 0.9}}
    header = replace(
        seal.header, title=title, trigger=trigger, thumbnail=picture, scorecard=card if picture else None
    )
    factor = 1 + sum(title.encode()) / 10_000  # other tensors, so that no two have the same hash of these
    layers = {path: replace(change, up=change.up * factor) for path, change in seal.layers.items()}
    return dump_seal(replace(seal, header=header, layers=layers))


@pytest.fixture(scope="module", params=["folder", "catalog"])
def library(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, seal_bytes: bytes
) -> Iterator[tuple[httpx2.Client, list[dict[str, Any]]]]:
    """A client, and four seals that it brought, the newest first."""
    running = request.getfixturevalue("served" if request.param == "folder" else "shared")
    headers: Headers = {}
    if request.param == "catalog":
        running.tenant("librarian")
        headers, running = running.key("librarian", *Scope), running.running
    with running.client(headers=headers) as client:
        for seal in client.get("/v1/seals", params={"limit": 200}).json()["seals"]:
            assert seal["name"] == "mark"
        picture = thumbnail(Image.new("RGB", (300, 200), "red"))
        brought = []
        for name in NAMES:
            data = variant(
                seal_bytes, f"the {name}", f"{name[:3].lower()}x", picture if name == "owl" else ""
            )
            file = {"file": (f"{name}.safetensors", data)}
            answer = client.post("/v1/seals", files=file, data={"name": name})
            assert answer.status_code == 201, answer.text
            brought.append({**answer.json(), "data": data})
        yield client, brought[::-1]
        for seal in brought:
            client.delete(f"/v1/seals/{seal['id']}")


def found(client: httpx2.Client, **asked: Any) -> list[str]:
    answer = client.get("/v1/seals", params=asked)
    assert answer.status_code == 200, answer.text
    return [seal["name"] for seal in answer.json()["seals"] if seal["name"] != "mark"]


Stocked = tuple[httpx2.Client, list[dict[str, Any]]]


def test_in_parts_of_any_size_the_list_is_the_same(library: Stocked) -> None:
    client, seals = library

    @settings(max_examples=8)
    @given(st.integers(1, 6))
    def same(limit: int) -> None:
        named: list[str] = []
        after: str | None = None
        while True:
            asked = {"limit": limit, **({"after": after} if after else {})}
            page = client.get("/v1/seals", params=asked).json()
            assert len(page["seals"]) <= limit
            named += [seal["name"] for seal in page["seals"] if seal["name"] != "mark"]
            after = page["next"]
            if after is None:
                break
        assert named == [seal["name"] for seal in seals]

    same()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"q": "LION"}, ["Lion two", "lion"]),
        ({"q": "the be"}, ["bear"]),
        ({"q": "owlx"}, ["owl"]),
        ({"q": "%"}, []),
        ({"trigger": "LIOX"}, ["Lion two", "lion"]),
        ({"trigger": "lio"}, []),
        ({"trigger": "liox", "q": "two"}, ["Lion two"]),
        ({"hash": "0" * 8}, []),
    ],
)
def test_seals_are_found_by_their_words(library: Stocked, asked: dict[str, str], expected: list[str]) -> None:
    assert found(library[0], **asked) == expected


def test_seals_are_found_by_every_hash_that_people_show(library: Stocked) -> None:
    client, seals = library
    for seal in seals:
        autov2, autov3 = seal["id"][:10], tensor_hash(seal["data"])[:12]
        for shown in (seal["id"], autov2.upper(), autov3, autov3.upper(), seal["id"][:8]):
            assert found(client, hash=shown) == [seal["name"]], shown
    assert client.get("/v1/seals", params={"hash": "abc"}).status_code == 400


def test_a_seal_says_what_it_is(library: Stocked) -> None:
    client, seals = library
    owl, bear = (client.get(f"/v1/seals/{seal['id']}").json() for seal in seals[:2])
    assert (owl["verdict"], owl["has_thumbnail"], owl["is_own"]) == ("pass", True, True)
    assert owl["scorecard"]["fidelity"] == {"top1": 0.9}
    assert (bear["verdict"], bear["has_thumbnail"], bear["scorecard"]) == (None, False, None)
    assert owl["owner"] == client.get("/v1/me").json()["tenant"]["name"]
    listed = client.get("/v1/seals", params={"q": "owl"}).json()["seals"][0]
    assert listed == {**owl, "scorecard": None}


def test_a_thumbnail_is_a_picture_or_not_there(library: Stocked) -> None:
    client, seals = library
    answer = client.get(f"/v1/seals/{seals[0]['id']}/thumbnail")
    assert answer.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (256, 256))
    missing = client.get(f"/v1/seals/{seals[1]['id']}/thumbnail")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "missing")


@pytest.mark.parametrize(
    "picture",
    [
        "data:image/jpeg;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
        "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
        "javascript:alert(1)",
        "data:image/jpeg;base64,A",
        "data:image/svg+xml;base64,"
        + base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'/>").decode(),
    ],
)
def test_what_is_no_picture_is_no_thumbnail(
    shared: Shared, seal_bytes: bytes, tmp_path: Path, picture: str
) -> None:
    seal = parse_seal(bytearray(seal_bytes), "seal")
    data = dump_seal(
        replace(seal, header=replace(seal.header, title=f"number {len(picture)}", thumbnail=picture))
    )
    with shared.running.client(headers=shared.key("ann")) as client:
        added = client.post("/v1/seals", files={"file": (f"t{len(picture)}.safetensors", data)}).json()
        assert not added["has_thumbnail"]
        assert client.get(f"/v1/seals/{added['id']}/thumbnail").status_code == 404
        client.delete(f"/v1/seals/{added['id']}")


def test_a_seal_is_renamed_and_drawn_with_by_its_new_name(library: Stocked) -> None:
    client, seals = library
    url = f"/v1/seals/{seals[1]['id']}"
    taken = client.patch(url, json={"name": "owl"})
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "seal-exists")
    assert client.patch(url, json={"name": "../x"}).status_code == 400
    assert client.patch(url, json={"name": "bear"}).json()["name"] == "bear"
    renamed = client.patch(url, json={"name": "polar bear"})
    assert renamed.json() == {**client.get(url).json(), "name": "polar bear"}
    wish = {"prompt": "x <lora:polar bear:1>", "steps": 1}
    assert client.post("/v1/images", json=wish).status_code == 202
    assert client.post("/v1/images", json={**wish, "prompt": "x <lora:bear:1>"}).status_code == 404
    assert client.patch(url, json={"name": "bear"}).status_code == 200


def test_an_export_is_the_file_itself_or_the_same_seal_in_another_dialect(library: Stocked) -> None:
    client, seals = library
    seal = seals[2]
    url = f"/v1/seals/{seal['id']}/file"
    own = client.get(url)
    assert own.content == seal["data"]
    assert own.headers["content-disposition"].endswith("Lion%20two.safetensors")
    was = parse_seal(bytearray(seal["data"]), "was")
    for dialect in ("diffusers", "kohya"):
        answer = client.get(url, params={"dialect": dialect})
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-sealsmith-left-out"] == "0"
        now = parse_seal(bytearray(answer.content), "now")
        assert now.dialect == dialect
        assert now.layers.keys() == was.layers.keys()
        for path, change in was.layers.items():
            assert now.layers[path].delta().allclose(change.delta()), path
    assert client.get(url, params={"dialect": "morse"}).status_code == 400


def test_what_a_dialect_cannot_hold_is_refused_or_counted(library: Stocked) -> None:
    client, seals = library
    foreign = dump_seal(parse_seal(bytearray(seals[0]["data"]), "owl"), "kohya")
    data = save(load(foreign) | {"strange.thing": torch.ones(3)})
    added = client.post("/v1/seals", files={"file": ("strange.safetensors", data)}).json()
    url = f"/v1/seals/{added['id']}/file"
    assert client.get(url).content == data
    refused = client.get(url, params={"dialect": "kohya"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "seal-format")
    assert "'strange.thing'" in refused.json()["error"]["message"]
    partly = client.get(url, params={"dialect": "kohya", "partly": True})
    assert (partly.status_code, partly.headers["x-sealsmith-left-out"]) == (200, "1")
    assert client.get(f"/v1/seals/{added['id']}/fit").json()["fits"][0]["verdict"] == "partly"
    client.delete(f"/v1/seals/{added['id']}")


def test_a_seal_is_held_against_the_base_that_is_served(library: Stocked, tiny_sd1: Base) -> None:
    client, seals = library
    (fit,) = client.get(f"/v1/seals/{seals[0]['id']}/fit").json()["fits"]
    assert (fit["verdict"], fit["matched"], fit["family"]) == ("fits", seals[0]["num_layers"], "sealworld")
    assert (fit["total"], fit["message"]) == (fit["matched"], "")
    data = dump_seal(random_seal(tiny_sd1, ("to_q",)))
    added = client.post("/v1/seals", files={"file": ("foreign.safetensors", data)}).json()
    (fit,) = client.get(f"/v1/seals/{added['id']}/fit").json()["fits"]
    assert fit["verdict"] == "no"
    assert "other family: open" in fit["message"]
    client.delete(f"/v1/seals/{added['id']}")


def test_a_local_service_is_one_person_s_and_says_so(client: httpx2.Client) -> None:
    me = client.get("/v1/me").json()
    assert (me["is_local"], me["scopes"]) == (True, ["admin", "generate", "train"])
    assert set(me["quota"].values()) == {None}


def test_a_key_says_whose_it_is_and_what_is_used(shared: Shared, seal_bytes: bytes) -> None:
    tenant = shared.tenant("curious", pictures_a_day=7, trainings_at_once=3, storage_bytes=10_000_000)
    headers = shared.key("curious", Scope.TRAIN)
    with shared.running.client(headers=headers) as client:
        client.post("/v1/seals", files={"file": ("mark.safetensors", seal_bytes)})
        shared.catalog.tenants.take_pictures(tenant, 2)
        assert client.get("/v1/me").json() == {
            "tenant": {"id": tenant, "name": "curious"},
            "scopes": ["train"],
            "quota": {"pictures_a_day": 7, "trainings_at_once": 3, "storage_bytes": 10_000_000},
            "usage": {"pictures_today": 2, "trainings": 0, "storage_bytes": len(seal_bytes)},
            "is_local": False,
        }
