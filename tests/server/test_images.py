"""The native dialect end to end: a real app, a real engine, pictures that are those of the plain path."""

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image
from running import Running
from seal_examples import random_seal

from sealsmith.adapters import dump_seal, read_seal
from sealsmith.bases import Base
from sealsmith.generate import Request, generate
from sealsmith.generate.picture_file import picture_texts, recipe_in

SMALL = {"prompt": "a red wax seal", "steps": 3, "guidance": 3.0, "seed": 5}


def events_of(client: httpx2.Client, url: str, after: int | None = None) -> Iterator[dict[str, Any]]:
    headers = {} if after is None else {"last-event-id": str(after)}
    with client.stream("GET", url, headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        event: dict[str, Any] = {}
        for line in response.iter_lines():
            key, _, value = line.partition(": ")
            if key == "data":
                event["data"] = json.loads(value)
            elif key in ("id", "event"):
                event[key] = int(value) if key == "id" else value
            elif not line and event:
                yield event
                event = {}


def drawn(client: httpx2.Client, **wish: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An order that has ended, and all its events."""
    placed = client.post("/v1/images", json={**SMALL, **wish})
    assert placed.status_code == 202, placed.text
    events = list(events_of(client, placed.json()["events_url"]))
    return client.get(placed.headers["location"]).json(), events


def test_pictures_are_those_of_the_plain_path_and_carry_their_recipe(
    client: httpx2.Client, tiny_base: Base, seals_folder: Path
) -> None:
    order, events = drawn(client, prompt="a red wax seal <lora:mark:0.8>", n=2, preview_every=2)
    assert order["state"] == "done"
    seal = read_seal(seals_folder / "mark.safetensors")
    expected = generate(tiny_base, Request("a red wax seal", "", 5, 2, 3, 3.0), [(seal, 0.8)])
    for picture, plain in zip(order["pictures"], expected, strict=True):
        png = client.get(picture["url"])
        assert png.headers["content-type"] == "image/png"
        levels = np.asarray(Image.open(io.BytesIO(png.content)), int)
        assert np.abs(levels - np.asarray(plain.image, int)).max() <= 1
        recipe = recipe_in(picture_texts(png.content, "it"), "it")
        assert [(use.name, use.strength, use.trigger) for use in recipe.seals] == [("mark", 0.8, "sks")]
        assert (recipe.seed, recipe.prompt_typed) == (plain.recipe.seed, "a red wax seal")
    kinds = {event["event"] for event in events}
    assert {"step", "preview", "done", "end"} <= kinds
    assert [event["id"] for event in events] == sorted({event["id"] for event in events})
    previews = [event["data"] for event in events if event["event"] == "preview"]
    assert all(data["png"] for data in previews)


def test_two_seals_are_mixed_as_asked_and_masked_where_nothing_is(
    client: httpx2.Client, tiny_base: Base, seals_folder: Path
) -> None:
    other = random_seal(tiny_base, ("to_q", "to_v"), trigger="ohwx", seed=1)
    added = client.post("/v1/seals", files={"file": ("other.safetensors", dump_seal(other))})
    pair = [(read_seal(seals_folder / "mark.safetensors"), 1.0), (other, 0.5)]
    wish = {
        "prompt": "a wax seal and a coin",
        "seals": [{"name": "mark"}, {"name": "other", "strength": 0.5}],
    }
    for asked, mix in (({}, "masked"), ({"mix": "composite"}, "composite"), ({"mix": "sum"}, "sum")):
        order, _ = drawn(client, **wish, **asked)
        png = client.get(order["pictures"][0]["url"]).content
        (plain,) = generate(tiny_base, Request(wish["prompt"], "", 5, 1, 3, 3.0, mix=mix), pair)
        assert recipe_in(picture_texts(png, "it"), "it").mix == mix
        levels = np.asarray(Image.open(io.BytesIO(png)), int)
        assert np.abs(levels - np.asarray(plain.image, int)).max() <= 1, mix
    assert client.post("/v1/images", json={**SMALL, "mix": "stir"}).status_code == 400
    assert client.delete(f"/v1/seals/{added.json()['id']}").status_code == 204


def test_a_prompt_of_backslashes_holds_nobody_up(client: httpx2.Client) -> None:
    wish = {**SMALL, "prompt": "\\" * 32_000, "negative": "\\" * 32_000, "steps": 1}
    began = time.monotonic()
    placed = client.post("/v1/images", json=wish)
    assert placed.status_code == 202, placed.text
    assert time.monotonic() - began < 2
    events = list(events_of(client, placed.json()["events_url"]))
    assert events[-1]["event"] == "end"
    png = client.get(client.get(placed.headers["location"]).json()["pictures"][0]["url"]).content
    recipe = recipe_in(picture_texts(png, "it"), "it")
    assert (recipe.prompt_typed, recipe.negative) == (wish["prompt"], wish["negative"])


def test_who_accepts_a_png_has_it_in_the_answer(client: httpx2.Client) -> None:
    order, _ = drawn(client)
    answer = client.post("/v1/images", json=SMALL, headers={"accept": "image/png"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.content == client.get(order["pictures"][0]["url"]).content
    kept = client.get(answer.headers["location"]).json()
    assert kept["state"] == "done"
    assert client.get(kept["pictures"][0]["url"]).content == answer.content


@pytest.mark.parametrize("prefer", ["wait", "wait=60", "respond-async, WAIT=60", 'foo=bar; wait = "60"'])
def test_who_prefers_to_wait_has_an_order_that_is_over(client: httpx2.Client, prefer: str) -> None:
    answer = client.post("/v1/images", json={**SMALL, "n": 2}, headers={"prefer": prefer})
    assert (answer.status_code, answer.json()["state"]) == (200, "done")
    assert client.get(answer.headers["location"]).json() == answer.json()


@pytest.mark.parametrize("prefer", ["", "wait=soon", "await", "wait=-1", "waiting=60", "x" * 2000])
def test_other_preferences_are_nothing_to_us(client: httpx2.Client, prefer: str) -> None:
    answer = client.post("/v1/images", json=SMALL, headers={"prefer": prefer})
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")


@pytest.mark.parametrize("accept", ["application/json", "image/png"])
def test_who_waits_too_short_has_the_order_as_it_stands(client: httpx2.Client, accept: str) -> None:
    headers = {"prefer": "wait=0", "accept": accept}
    answer = client.post("/v1/images", json={**SMALL, "steps": 150}, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (202, "application/json")
    assert client.delete(answer.headers["location"]).status_code == 204


def test_a_png_that_cannot_be_drawn_is_answered_with_why(client: httpx2.Client) -> None:
    headers = {"accept": "image/png"}
    answer = client.post("/v1/images", json={**SMALL, "sampler": "sideways"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "config")
    several = client.post("/v1/images", json={**SMALL, "n": 2}, headers=headers)
    assert (several.status_code, several.json()["error"]["code"]) == (400, "config")


def test_who_leaves_while_waiting_finds_the_picture_later(client: httpx2.Client) -> None:
    with pytest.raises(httpx2.ReadTimeout):
        client.post(
            "/v1/images",
            json={**SMALL, "prompt": "a coin", "steps": 150},
            headers={"prefer": "wait"},
            timeout=httpx2.Timeout(60, read=0.05),
        )
    until = time.monotonic() + 60  # it may not have been read yet
    while (newest := client.get("/v1/images", params={"limit": 1}).json()["orders"][0])["prompt"] != "a coin":
        assert time.monotonic() < until
    assert [event["event"] for event in events_of(client, newest["events_url"])][-1] == "end"
    assert client.get(f"/v1/images/{newest['id']}").json()["state"] == "done"


def test_who_comes_back_hears_what_was_missed_and_no_more(client: httpx2.Client) -> None:
    order, events = drawn(client, n=2)
    for place in (0, 1, len(events) - 1):
        after = events[place]["id"]
        later = list(events_of(client, f"/v1/images/{order['id']}/events", after))
        assert later == [
            event for event in events_of(client, f"/v1/images/{order['id']}/events") if event["id"] > after
        ]
    assert list(events_of(client, f"/v1/images/{order['id']}/events", events[-1]["id"])) == []


def test_the_same_request_is_the_same_bytes(client: httpx2.Client) -> None:
    pictures = [client.get(drawn(client)[0]["pictures"][0]["url"]).content for _ in range(2)]
    assert pictures[0] == pictures[1]


def test_cancelling_ends_what_is_not_finished(client: httpx2.Client) -> None:
    placed = client.post("/v1/images", json={**SMALL, "steps": 150, "n": 16}).json()
    order = client.post(f"/v1/images/{placed['id']}/cancel").json()
    assert order["state"] == "failed"
    codes = {picture["error"]["code"] for picture in order["pictures"] if picture["state"] == "failed"}
    assert codes == {"cancelled"}
    assert client.post(f"/v1/images/{placed['id']}/cancel").json() == order
    assert client.delete(f"/v1/images/{placed['id']}").status_code == 204
    assert client.get(f"/v1/images/{placed['id']}").status_code == 404


def test_too_much_underway_is_refused_with_when_to_come_again(client: httpx2.Client) -> None:
    placed = [client.post("/v1/images", json={**SMALL, "steps": 150, "n": 16}) for _ in range(5)]
    assert [answer.status_code for answer in placed] == [202] * 4 + [429]
    assert placed[-1].json()["error"]["code"] == "busy"
    assert int(placed[-1].headers["retry-after"]) >= 1
    for answer in placed[:4]:
        client.delete(f"/v1/images/{answer.json()['id']}")


@pytest.mark.parametrize(
    ("wish", "status", "code", "parameter"),
    [
        ({"prompt": "x", "steps": 0}, 400, "config", "steps"),
        ({"prompt": "x", "colour": "red"}, 400, "config", "colour"),
        ({"n": 1}, 400, "config", "prompt"),
        ({"prompt": "x <lora:nobody:1>"}, 404, "seal-missing", None),
        ({"prompt": "x", "seals": [{"name": "mark", "strength": "loud"}]}, 400, "config", None),
        ({"prompt": "x <lora:mark"}, 400, "config", None),
        ({"prompt": "x", "negative": "<lora:mark:1>"}, 400, "config", None),
        ({"prompt": "x", "seed": 2**53 - 1, "n": 2}, 400, "config", None),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(
    client: httpx2.Client, wish: dict[str, Any], status: int, code: str, parameter: str | None
) -> None:
    answer = client.post("/v1/images", json=wish)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["parameter"]) == (status, code, parameter)
    assert error["message"]
    assert error["remedy"]
    assert error["request_id"] == answer.headers["x-request-id"]


def test_what_the_base_cannot_draw_fails_alone(client: httpx2.Client) -> None:
    order, events = drawn(client, sampler="sideways")
    (picture,) = order["pictures"]
    assert (order["state"], picture["error"]["code"]) == ("failed", "config")
    assert "sideways" in picture["error"]["message"]
    assert [event["event"] for event in events][-2:] == ["failed", "end"]
    assert client.get(f"/v1/images/{order['id']}/pictures/0").status_code == 404


def test_a_request_id_is_kept_and_else_made(client: httpx2.Client) -> None:
    assert client.get("/healthz", headers={"x-request-id": "mine-1"}).headers["x-request-id"] == "mine-1"
    odd = client.get("/healthz", headers={"x-request-id": "a b\tc"}).headers["x-request-id"]
    assert odd.startswith("req-")


def test_status_and_base(client: httpx2.Client, served: Running, tiny_base: Base) -> None:
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/readyz").json() == {
        "status": "ready",
        "engine_starts": served.service.engine.num_starts,
    }
    (base,) = client.get("/v1/bases").json()["bases"]
    assert (base["digest"], base["side_px"]) == (tiny_base.digest, tiny_base.picture_px)
    assert base["steps"] == tiny_base.family.num_steps
    order, _ = drawn(client, sampler=base["samplers"][-1])
    assert order["state"] == "done"


def test_metrics_count_what_happened(client: httpx2.Client) -> None:
    def value(line: str) -> float:
        text = client.get("/metrics").text
        found = [each for each in text.splitlines() if each.startswith(line)]
        return float(found[0].rpartition(" ")[2]) if found else 0.0

    stages = [f'sealsmith_stage_seconds_count{{stage="{stage}"}}' for stage in ("queue", "draw", "encode")]
    counters = ['sealsmith_pictures_total{outcome="done"}', *stages]
    before = [value(line) for line in counters]
    drawn(client, n=2)
    assert [value(line) - earlier for line, earlier in zip(counters, before, strict=True)] == [2] * 4
    assert value("sealsmith_pictures_underway") == value("sealsmith_pictures_waiting") == 0
    order = client.post("/v1/images", json={**SMALL, "steps": 150, "n": 16}).json()
    assert value("sealsmith_pictures_underway") >= value("sealsmith_pictures_waiting") > 0
    client.delete(f"/v1/images/{order['id']}")
    client.request("MADE-UP", "/v1/images")
    assert "MADE-UP" not in client.get("/metrics").text
    assert value('sealsmith_http_requests_total{method="POST",route="/v1/images",status="202"}') >= 1


def test_another_path_or_method_has_the_same_shape(client: httpx2.Client) -> None:
    for answer, status in ((client.get("/v2/nothing"), 404), (client.put("/v1/images"), 405)):
        assert answer.status_code == status
        assert set(answer.json()["error"]) == {
            "code", "message", "remedy", "parameter", "retry_after_s", "request_id",
        }  # fmt: skip


def test_a_list_in_parts_is_the_whole_list_whatever_comes_and_goes_meanwhile(client: httpx2.Client) -> None:
    placed = [client.post("/v1/images", json={**SMALL, "steps": 1}).json()["id"] for _ in range(7)]
    whole = [order["id"] for order in listed(client, limit=200)["orders"]]
    assert whole[:7] == placed[::-1]
    told: list[str] = []
    mark: dict[str, str] = {}
    while mark.get("after", "") is not None:
        part = listed(client, limit=2, **mark)
        told += [order["id"] for order in part["orders"]]
        mark = {"after": part["next"]}
        if len(told) == 4:
            client.delete(f"/v1/images/{told[-1]}")  # the mark's own order goes, and a newer one comes
            client.post("/v1/images", json={**SMALL, "steps": 1})
    assert told == whole
    assert listed(client, limit=200)["next"] is None
    for wrong in ({"limit": 0}, {"limit": 201}, {"after": "x"}, {"after": "-1"}, {"after": "1" * 19}):
        assert client.get("/v1/images", params=wrong).status_code == 400


def listed(client: httpx2.Client, **asked: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.get("/v1/images", params=asked).json()
    return answer
