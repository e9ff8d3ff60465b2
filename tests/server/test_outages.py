"""What the service stands on goes and comes back: clear errors meanwhile, then all is well without a restart."""

import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from databases import database_of
from full_disk import files_of_at_most
from gates import Gate, gate_before
from PIL import Image
from pydantic import SecretStr
from running import running
from shared import Headers, Shared
from stores import s3_environment, s3_folder

from sealsmith.catalog import ArtefactKind, Catalog, open_catalog
from sealsmith.catalog.database import Database
from sealsmith.jobs import TRAIN, Queue
from sealsmith.server.catalog_service import catalog_service
from sealsmith.server.drawing_service import EngineSettings

PICTURE = {"prompt": "x", "steps": 1}
IN_A_WHILE_S = 120


@dataclass(frozen=True)
class Platform:
    """A service on PostgreSQL and S3, each behind a gate."""

    shared: Shared
    database: Gate
    store: Gate
    direct: Catalog
    """The same catalog past the gates, to see what is there."""
    tenant: str
    headers: Headers


@pytest.fixture(scope="module")
def platform(tiny_base_folder: Path, tmp_path_factory: pytest.TempPathFactory, s3: str) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("platform")
    with (
        database_of("postgresql", folder) as url,
        gate_before(url) as (database, guarded_url),
        gate_before(s3) as (store, guarded_s3),
        open_catalog(url, address := s3_folder()) as direct,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in s3_environment(guarded_s3).items():
            patch.setenv(name, value)
        with open_catalog(guarded_url, address) as catalog:
            opening = catalog_service(EngineSettings(str(tiny_base_folder)), catalog, address)
            with running(opening) as service:
                shared = Shared(service, catalog, SecretStr(url), address, str(tiny_base_folder))
                tenant = shared.tenant("maker")
                yield Platform(shared, database, store, direct, tenant, shared.key("maker"))


@pytest.fixture
def http(platform: Platform) -> Iterator[httpx2.Client]:
    with platform.shared.running.client(headers=platform.headers) as client:
        yield client


@contextmanager
def shut(gate: Gate) -> Iterator[None]:
    gate.shut()
    try:
        yield
    finally:
        gate.open()


def is_refused(answer: httpx2.Response, status: int, code: str) -> bool:
    """Whether an answer is this error in our words, with when to come again."""
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code), answer.text
    assert float(answer.headers["retry-after"]) == error["retry_after_s"] > 0
    assert error["message"]
    assert error["remedy"]
    return True


def drawn(http: httpx2.Client, **wish: Any) -> dict[str, Any]:
    """The first picture of an order, once it has ended."""
    placed = http.post("/v1/images", json=PICTURE | wish)
    assert placed.status_code == 202, placed.text
    with http.stream("GET", placed.json()["events_url"]) as events:
        events.read()
    picture: dict[str, Any] = http.get(f"/v1/images/{placed.json()['id']}").json()["pictures"][0]
    return picture


def added(http: httpx2.Client, data: bytes, name: str) -> httpx2.Response:
    return http.post("/v1/seals", files={"file": (f"{name}.safetensors", data)})


def another(seal: bytes, trigger: bytes) -> bytes:
    """The same seal in another file; `trigger`: three letters."""
    return seal.replace(b"seal of sks", b"seal of " + trigger)


def handed_in(http: httpx2.Client, name: str) -> httpx2.Response:
    rng, packed, picture = np.random.default_rng(0), io.BytesIO(), io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(picture, "PNG")
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("0.png", picture.getvalue())
        archive.writestr("0.txt", "a red wax seal of [trigger] emblem on wood")
    fields = {"trigger": "zwx", "name": name, "is_scored": "false", "settings": json.dumps({"num_steps": 2})}
    return http.post("/v1/trainings", files={"file": ("x.zip", packed.getvalue())}, data=fields)


def test_a_database_that_is_gone_is_said_and_one_that_is_back_is_used(
    platform: Platform, http: httpx2.Client, seal_bytes: bytes
) -> None:
    assert added(http, seal_bytes, "mark").status_code == 201
    before = platform.direct.tenants.usage(platform.tenant)
    with shut(platform.database):
        for path in ("/v1/me", "/v1/seals", "/v1/trainings", "/v1/images"):
            assert is_refused(http.get(path), 503, "database")
        assert is_refused(http.post("/v1/images", json=PICTURE), 503, "database")
        assert is_refused(added(http, another(seal_bytes, b"abc"), "other"), 503, "database")
        assert is_refused(handed_in(http, "new"), 503, "database")
        theirs = http.post("/v1/images/generations", json={"prompt": "x"})
        assert (theirs.status_code, theirs.json()["error"]["type"]) == (503, "server_error")
        assert http.get("/sdapi/v1/loras").status_code == 503
        assert http.get("/healthz").status_code == 200
        assert http.get("/readyz").status_code == 200  # restarting this process would help nobody
    assert [seal["name"] for seal in http.get("/v1/seals").json()["seals"]] == ["mark"]
    assert drawn(http, prompt="x <lora:mark:1>")["state"] == "done"
    after = platform.direct.tenants.usage(platform.tenant)
    assert after.storage_bytes == before.storage_bytes
    assert after.pictures_today == before.pictures_today + 1


def test_pictures_on_their_way_are_finished_without_a_database(
    platform: Platform, http: httpx2.Client
) -> None:
    order = http.post("/v1/images", json=PICTURE | {"steps": 40, "n": 2}).json()
    with shut(platform.database):
        platform.shared.running.run(platform.shared.running.service.orders.find(
            platform.tenant, order["id"]).wait()
        )  # fmt: skip
    pictures = http.get(f"/v1/images/{order['id']}").json()["pictures"]
    assert [picture["state"] for picture in pictures] == ["done", "done"]


def listened(http: httpx2.Client, url: str, heard: list[tuple[int, str]]) -> None:
    """Hears a training's events to its last one, coming again with the last number as often as the stream ends."""
    while not heard or heard[-1][1] not in ("done", "failed", "cancelled"):
        last = str(heard[-1][0] if heard else 0)
        with http.stream("GET", f"{url}/events", headers={"last-event-id": last}) as events:
            number = 0
            for line in events.iter_lines():
                field, _, value = line.partition(": ")
                number = int(value) if field == "id" else number
                heard.extend([(number, value)] if field == "event" else [])
        time.sleep(0.2)


def test_who_listens_to_a_training_misses_nothing_of_it(platform: Platform, http: httpx2.Client) -> None:
    payload = {"pictures": "", "name": "x", "is_scored": False, "settings": {"trigger": "zwx"}}
    url = f"/v1/trainings/{Queue(platform.direct).submit(platform.tenant, TRAIN, payload).id}"
    heard: list[tuple[int, str]] = []
    listener = threading.Thread(target=listened, args=(http, url, heard))
    listener.start()
    began = time.monotonic()
    while not heard:
        assert time.monotonic() - began < IN_A_WHILE_S
        time.sleep(0.05)
    with shut(platform.database):
        assert is_refused(http.post(f"{url}/cancel"), 503, "database")
    assert http.post(f"{url}/cancel").json()["state"] == "cancelled"
    listener.join(IN_A_WHILE_S)
    assert [kind for _, kind in heard] == ["queued", "cancelled"]


def test_a_store_that_is_gone_is_said_and_one_that_is_back_is_used(
    platform: Platform, http: httpx2.Client, seal_bytes: bytes
) -> None:
    near, far = (added(http, another(seal_bytes, name), name.decode()).json() for name in (b"nea", b"far"))
    assert drawn(http, prompt="x <lora:nea:1>")["state"] == "done"
    before = platform.direct.tenants.usage(platform.tenant).storage_bytes
    with shut(platform.store):
        assert is_refused(added(http, another(seal_bytes, b"new"), "new"), 503, "store")
        assert is_refused(handed_in(http, "new"), 503, "store")
        assert is_refused(http.get(f"/v1/seals/{near['id']}/file"), 503, "store")
        assert drawn(http)["state"] == "done"
        assert drawn(http, prompt="x <lora:nea:1>")["state"] == "done"  # the engine has it
        failed = drawn(http, prompt="x <lora:far:1>")
        assert (failed["state"], failed["error"]["code"]) == ("failed", "store")
        assert http.delete(f"/v1/seals/{near['id']}").status_code == 204  # it is, though its file stays
    assert platform.direct.tenants.usage(platform.tenant).storage_bytes < before
    assert platform.direct.artefacts.page(platform.tenant, ArtefactKind.UPLOAD).items == ()
    assert added(http, another(seal_bytes, b"new"), "new").status_code == 201
    assert drawn(http, prompt="x <lora:far:1>")["state"] == "done"
    assert http.get(f"/v1/seals/{far['id']}/file").status_code == 200
    found = platform.direct.verify(repair=True, deep=True)
    assert found.is_sound
    assert found.num_removed == 1


def test_a_full_disk_is_said_and_room_is_used(
    shared: Shared, seal_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the store, and where uploads rest while they are looked at."""
    tenant = shared.tenant("large")
    new = another(seal_bytes, b"ful")
    with shared.running.client(headers=shared.key("large")) as http:
        assert http.get("/v1/seals").status_code == 200  # which notes the key's use
        catalog, room = shared.catalog, len(new) - 1
        monkeypatch.setattr(
            type(catalog.files), "put", in_at_most(room, type(catalog.files).put)
        )  # the file alone: an upload is as large, on the same disk
        assert is_refused(added(http, new, "full"), 507, "full")
        monkeypatch.undo()
        with files_of_at_most(100):
            refused = added(http, new + bytes(2 << 20), "full")
        assert is_refused(refused, 507, "full")
        assert http.get("/v1/seals").json()["seals"] == []
        assert catalog.tenants.usage(tenant).storage_bytes == 0
        assert catalog.verify().leftovers == ()
        assert added(http, new, "full").status_code == 201


def in_at_most(num_bytes: int, put: Any) -> Any:
    """What writes a file, on a disk where none may be larger."""

    def limited(*given: Any) -> None:
        with files_of_at_most(num_bytes):
            put(*given)

    return limited


def test_a_database_that_others_hold_is_waited_for_and_then_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: Shared
) -> None:
    """SQLite: one writer at a time. Who only reads is not kept out."""
    import sqlite3

    headers = shared.key("ann")
    monkeypatch.setattr("sealsmith.catalog.database.BUSY_TIMEOUT_MS", 50)
    catalog = shared.catalog
    catalog.close()  # its connections have the old patience
    path = shared.database.get_secret_value().removeprefix("sqlite:///")
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        with shared.running.client(headers=headers) as http:
            holder.execute("BEGIN IMMEDIATE")
            assert is_refused(http.post("/v1/images", json=PICTURE), 503, "database")
            assert http.get("/v1/seals").status_code == 200
            holder.execute("ROLLBACK")
            assert drawn(http)["state"] == "done"
    finally:
        holder.close()
        monkeypatch.undo()
        catalog.close()


def test_the_patience_with_a_database_can_be_said_in_its_address(tmp_path: Path) -> None:
    with database_of("postgresql", tmp_path) as url:
        database = Database(f"{url}&connect_timeout=9")
        parameters = database._engine.url.query
        database.close()
    assert (parameters["connect_timeout"], parameters["tcp_user_timeout"]) == ("9", "20000")
