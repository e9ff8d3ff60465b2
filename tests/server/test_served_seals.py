"""Seals over HTTP: what is uploaded can be listed, drawn with and removed; what is no seal is refused."""

from pathlib import Path

import httpx2
import pytest


def upload(client: httpx2.Client, data: bytes, file_name: str, **fields: str) -> httpx2.Response:
    return client.post("/v1/seals", files={"file": (file_name, data)}, data=fields)


def names(client: httpx2.Client) -> list[str]:
    return sorted(seal["name"] for seal in client.get("/v1/seals").json()["seals"])


def test_a_seal_s_life(client: httpx2.Client, seal_bytes: bytes, seals_folder: Path) -> None:
    other = seal_bytes.replace(b"seal of sks", b"mark of sks")
    added = upload(client, other, "C:\\marks\\neu.safetensors")
    assert added.status_code == 201, added.text
    seal = added.json()
    assert (seal["name"], seal["trigger"], seal["rank"], seal["title"]) == ("neu", "sks", 4, "mark of sks")
    assert (seals_folder / "neu.safetensors").read_bytes() == other
    assert names(client) == ["mark", "neu"]
    assert client.get(added.headers["location"]).json() == seal
    assert upload(client, other, "neu.safetensors").json() == seal
    taken = upload(client, seal_bytes, "x.safetensors", name="neu")
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "seal-exists")
    asked = {"prompt": "x <lora:neu:0.5>", "steps": 1, "seals": [{"name": seal["id"]}]}
    assert client.post("/v1/images", json=asked).status_code == 202
    assert client.delete(f"/v1/seals/{seal['id']}").status_code == 204
    assert names(client) == ["mark"]
    assert client.get(added.headers["location"]).status_code == 404
    assert client.delete(f"/v1/seals/{seal['id']}").status_code == 404


@pytest.mark.parametrize(
    ("data", "file_name", "code"),
    [
        (b"", "a.safetensors", "config"),
        (b"no seal", "a.safetensors", "seal-format"),
        (b"PK\x03\x04" + bytes(600), "a.safetensors", "seal-format"),
        (b"\x80\x02" + bytes(600), "a.pt", "seal-format"),
        (b"no seal", "../../etc/passwd", "seal-format"),
        (b"no seal", "..safetensors", "config"),
        (b"no seal", "con.safetensors", "config"),
    ],
)
def test_what_is_no_seal_is_refused_and_nothing_is_left(
    client: httpx2.Client, seals_folder: Path, data: bytes, file_name: str, code: str
) -> None:
    before = sorted(seals_folder.rglob("*"))
    refused = upload(client, data, file_name)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)
    assert sorted(seals_folder.rglob("*")) == before


def test_files_put_into_the_folder_by_hand_are_found(
    client: httpx2.Client, seals_folder: Path, seal_bytes: bytes
) -> None:
    own = seals_folder / "deep" / "own.safetensors"
    own.parent.mkdir()
    own.write_bytes(seal_bytes)
    (seals_folder / "torn.safetensors").write_bytes(seal_bytes[:-8])
    assert names(client) == ["mark", "own"]
    (seals_folder / "torn.safetensors").unlink()
    own.unlink()
    assert names(client) == ["mark"]
