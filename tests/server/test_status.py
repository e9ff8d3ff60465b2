"""How the service is: what is counted is what is there, for `/metrics` without a name of anybody."""

import errno
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import structlog
from shared import Shared

from sealsmith.catalog import Scope
from sealsmith.errors import DatabaseError
from sealsmith.jobs import TRAIN, Queue
from sealsmith.server import metrics
from sealsmith.server.metrics import Metrics, Recent


def counted(http: httpx2.Client) -> dict[str, float]:
    text = http.get("/metrics").text
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_status_and_metrics_count_what_is_there(shared: Shared, seal_bytes: bytes) -> None:
    tenant = shared.tenant("counted", trainings_at_once=5)
    before = shared.running.run(shared.running.service.trainings.backlog())  # type: ignore[union-attr]
    payload = {"pictures": "", "name": "x", "settings": {"trigger": "x"}}
    for _ in range(2):
        Queue(shared.catalog).submit(tenant, TRAIN, payload)
    with shared.running.client(headers=shared.key("counted", *Scope)) as http:
        seal = http.post("/v1/seals", files={"file": ("mark.safetensors", seal_bytes)}).json()
        order = http.post("/v1/images", json={"prompt": "x <lora:mark:1>", "steps": 2}).json()
        with http.stream("GET", order["events_url"]) as events:
            assert "event: done" in events.read().decode()
        status: dict[str, Any] = http.get("/v1/admin/status").json()
        values = counted(http)
    engine = status["engine"]
    assert (engine["is_ready"], engine["starts"], engine["drawing"]) == (True, 1, 0)
    for tier in (engine["pool"], engine["tiers"]["ram"]):
        assert tier["seals"] >= 1
        assert 0 < tier["used_bytes"] <= tier["total_bytes"]
    assert engine["tiers"]["disk"] is None
    assert status["jobs"]["queued"] == before.num_queued + 2
    assert status["orders"]["open"] == 0
    assert status["pictures_per_s_1m"] > 0
    assert status["workers"] == []
    assert values['sealsmith_tier_seals{tier="pool"}'] == engine["pool"]["seals"]
    assert values['sealsmith_tier_bytes{kind="used",tier="ram"}'] == engine["tiers"]["ram"]["used_bytes"]
    assert values['sealsmith_jobs{state="queued"}'] == status["jobs"]["queued"]
    assert values['sealsmith_seals_found{where="store"}'] >= 1
    assert values["sealsmith_tenants_underway"] == 0
    for stage in ("queue", "load", "draw", "encode", "total"):
        assert values[f'sealsmith_stage_seconds_count{{stage="{stage}"}}'] >= 1
    assert seal["id"][:12] not in str(values)


def full_disk(*_: Any) -> Any:
    raise OSError(errno.ENOSPC, "no space left on device")


@pytest.fixture
def full_log() -> Iterator[None]:
    """Where the log goes, the disk is full."""
    before = structlog.get_config()
    structlog.configure(processors=[full_disk])
    try:
        yield
    finally:
        structlog.configure(**before)


@pytest.mark.usefixtures("full_log")
def test_a_log_that_cannot_be_written_fails_no_request(shared: Shared, seal_bytes: bytes) -> None:
    shared.tenant("unlogged")
    with shared.running.client(headers=shared.key("unlogged")) as http:
        for _ in range(3):
            assert http.get("/v1/seals").json()["seals"] == []
        assert http.post("/v1/seals", files={"file": ("x.safetensors", b"no seal")}).status_code == 400
        assert http.get("/v1/none").status_code == 404
        order = http.post("/v1/images", json={"prompt": "x", "steps": 1}).json()
        with http.stream("GET", order["events_url"]) as events:
            assert "event: done" in events.read().decode()


def test_metrics_name_nobody(shared: Shared) -> None:
    tenant = shared.tenant("very secret club")
    with shared.running.client(headers=shared.key("very secret club")) as http:
        order = http.post("/v1/images", json={"prompt": "x", "steps": 150, "n": 3}).json()
        values = counted(http)
        text = http.get("/metrics").text
        http.delete(f"/v1/images/{order['id']}")
    assert values["sealsmith_tenants_underway"] >= 1
    assert values['sealsmith_tenant_pictures_underway{place="1"}'] >= 1
    assert tenant not in text
    assert "secret" not in text


def test_tenants_are_shown_by_how_much_they_have_underway() -> None:
    shown = Metrics()
    shown.show_tenants([2, 9, 4])

    def places() -> list[float | None]:
        name = "sealsmith_tenant_pictures_underway"
        return [shown.registry.get_sample_value(name, {"place": str(place)}) for place in range(1, 5)]

    assert places() == [9, 4, 2, 0]
    shown.show_tenants([1])
    assert places() == [1, 0, 0, 0]


def test_metrics_answer_without_a_database(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise DatabaseError("the database does not answer")

    monkeypatch.setattr(Queue, "backlog", gone)
    with shared.running.client() as http:
        assert http.get("/metrics").status_code == 200


def test_lately_is_the_last_minute() -> None:
    now = 0.0
    recent = Recent(60.0, lambda: now)
    for second in range(120):
        now = float(second)
        recent.add()
    assert recent.per_s == 1.0
    now += 30.0
    assert recent.per_s == pytest.approx(0.5, abs=1 / 60)
    now += 60.0
    assert recent.per_s == 0.0


def test_every_metric_is_described(client: httpx2.Client) -> None:
    described = set(
        re.findall(r"^\| `(\w+?)(?:_total)?(?:\{[\w,]+\})?` \|", metrics.__doc__ or "", re.MULTILINE)
    )
    families = re.findall(r"^# TYPE (\w+?)(?:_total|_created)? ", client.get("/metrics").text, re.MULTILINE)
    assert set(families) == described
