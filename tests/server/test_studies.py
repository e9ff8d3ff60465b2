"""Studies over HTTP, from a seal to what was found; a real worker does them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from shared import Headers, Shared, told, working
from study_examples import judged_seal, kept

from sealsmith.bases import open_base
from sealsmith.catalog import Scope
from sealsmith.jobs.queue import STUDIES_AT_ONCE
from sealsmith.server.axis_values import AXES, AxisName, axis_values

QUICK = {"num_prompts": 1, "num_seeds": 1, "steps": 1}


@pytest.fixture(scope="module")
def http(shared: Shared) -> Iterator[httpx2.Client]:
    with shared.running.client() as client:
        yield client


@pytest.fixture(scope="module")
def owner(shared: Shared) -> str:
    """Id of a tenant, scholar, who has the seals mine and other."""
    scholar = shared.tenant("scholar")
    base = open_base(shared.base)
    kept(shared.catalog, scholar, judged_seal(base), "mine")
    kept(shared.catalog, scholar, judged_seal(base, "zwx", seed=1), "other")
    return scholar


@pytest.fixture(scope="module")
def key(shared: Shared, owner: str) -> Headers:
    return shared.key("scholar")


def finished(http: httpx2.Client, key: Headers, url: str) -> dict[str, Any]:
    """The study at its end."""
    events = told(http, key, f"{url}/events")
    kinds = [kind for _, kind in events]
    assert [number for number, _ in events] == list(range(1, len(events) + 1))
    assert (kinds[0], kinds[-1]) == ("queued", "done"), kinds
    assert {"started", "progress"} <= set(kinds)
    study: dict[str, Any] = http.get(url, headers=key).json()
    assert study["state"] == "done"
    return study


def test_a_study_of_each_kind_from_a_seal_to_what_was_found(
    shared: Shared, http: httpx2.Client, owner: str, key: Headers, tmp_path: Path
) -> None:
    wanted = {
        "scores": {"seal": "mine", **QUICK},
        "attention": {"prompt": "a coin of sks emblem on wood <lora:mine:0.8>", "steps": 1},
        "sweeps": {"seal": "mine", "values": [0.5, 1], "num_prompts": 1, "steps": 1},
        "conflicts": {"seals": ["mine", "other"], "num_search": 0, **QUICK},
    }
    answers = {kind: http.post(f"/v1/{kind}", json=body, headers=key) for kind, body in wanted.items()}
    for answer in answers.values():
        assert answer.status_code == 202, answer.text
        assert answer.json()["state"] == "queued"
    urls = {kind: answer.headers["location"] for kind, answer in answers.items()}
    other = shared.key("bob")
    for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("DELETE", "")):
        assert http.request(method, urls["scores"] + path, headers=other).status_code == 404
    with working(shared, tmp_path):
        found = {kind: finished(http, key, url) for kind, url in urls.items()}
    for study in found.values():
        for file in study["files"]:
            assert http.get(file["url"], headers=key).headers["content-type"] == file["media_type"]
            assert http.get(file["url"], headers=other).status_code == 404
    listed = http.get("/v1/studies", headers=key).json()["studies"]
    assert {study["id"] for study in listed} == {study["id"] for study in found.values()}
    assert all(study["result"] is None and not study["files"] for study in listed)
    [score] = http.get("/v1/studies?kind=score", headers=key).json()["studies"]
    assert score["id"] == found["scores"]["id"]
    assert http.get("/v1/studies", headers=other).json()["studies"] == []
    of_score(shared, owner, found["scores"])
    of_attention(found["attention"])
    of_sweep(found["sweeps"])
    of_conflicts(found["conflicts"])
    for url in urls.values():
        assert http.delete(url, headers=key).status_code == 204
        assert http.get(url, headers=key).status_code == 404
    stored = sum(seal.size_bytes for seal in shared.catalog.seals.page(owner).items)
    assert shared.catalog.tenants.usage(owner).storage_bytes == stored
    assert shared.catalog.verify().is_sound


def of_score(shared: Shared, owner: str, study: dict[str, Any]) -> None:
    card, [pair] = study["result"]["scorecard"], study["result"]["pairs"]
    assert card["verdict"] in ("pass", "fail")
    assert card["settings"]["num_prompts"] == 1
    assert set(pair) == {"prompt", "seed", "before", "after"}
    assert [file["name"] for file in study["files"]] == ["before-1.png", "after-1.png"]
    [digest] = study["seals"]
    assert shared.catalog.seals.usable(owner, digest).scorecard == card


def names_of(study: dict[str, Any]) -> list[str]:
    return [file["name"] for file in study["files"]]


def of_attention(study: dict[str, Any]) -> None:
    words = study["result"]["words"]
    assert [word["word"] for word in words] == ["sks", "coin", "emblem", "wood"]
    assert [word["is_trigger"] for word in words] == [True, False, False, False]
    assert (
        set(words[0]["before"])
        == {"mass_in_region", "overlap", "entropy", "weight"}
        == set(words[0]["after"])
    )
    assert {"picture-before.png", "overlay-before-0.png", "overlay-after-3.png"} <= set(names_of(study))
    assert "<lora" not in study["result"]["prompt"]


def of_sweep(study: dict[str, Any]) -> None:
    result = study["result"]
    assert (result["axis"], result["second_axis"]) == ("strength", None)
    assert [cell["value"] for cell in result["cells"]] == [0.5, 1]
    assert [cell["file"] for cell in result["cells"]] == names_of(study)[:2]
    assert names_of(study)[2:] == ["sheet.png"]
    assert result["recommended"]["value"] in (0.5, 1)


def of_conflicts(study: dict[str, Any]) -> None:
    result = study["result"]
    assert len(study["seals"]) == 2
    assert result["pictures"]["advice"].startswith("keep ")
    assert result["advised"] == {
        "seals": [{"name": digest, "strength": "1"} for digest in study["seals"]],
        "mix": result["pictures"]["before"]["mix"],
        "guidance": None,
        "is_better": False,
        "is_sure": False,
    }
    [scene] = result["scenes"]
    assert [view["what"] for view in scene["views"]] == ["mine alone", "other alone", "together"]
    assert names_of(study) == [*(view["file"] for view in scene["views"]), "weights.json"]


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("scores", {"seal": "mine"}),
        ("attention", {"prompt": "x <lora:mine:1>"}),
        ("attention", {"prompt": "x", "seals": [{"name": "mine"}]}),
        ("sweeps", {"seal": "mine"}),
        ("conflicts", {"seals": ["mine", "other"]}),
    ],
)
def test_a_seal_that_is_not_one_s_own_nor_granted_is_studied_by_nobody(
    http: httpx2.Client, shared: Shared, key: Headers, route: str, body: dict[str, Any]
) -> None:
    drawing = shared.key("scholar", Scope.GENERATE)
    assert http.post(f"/v1/{route}", json=body, headers=drawing).status_code == 403
    refused = http.post(f"/v1/{route}", json=body, headers=shared.key("bob"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "seal-missing")


@pytest.mark.parametrize(
    ("route", "body", "words"),
    [
        ("attention", {"prompt": "x"}, "no seal is asked for"),
        ("attention", {"prompt": "x", "seals": [{"name": "mine", "strength": "much"}]}, "much"),
        ("attention", {"prompt": "<lora:mine:1>" * 5}, "5 seals are asked for"),
        ("sweeps", {"seal": "mine", "values": [11]}, "strength cannot be 11"),
        ("sweeps", {"seal": "mine", "values": [1, 1]}, "there twice"),
        ("sweeps", {"seal": "mine", "axis": "steps", "values": [1.5]}, "steps cannot be 1.5"),
        ("sweeps", {"seal": "mine", "axis": "prompt"}, "axis cannot be 'prompt'"),
        ("sweeps", {"seal": "mine", "second_axis": "strength"}, "both axes are strength"),
        ("sweeps", {"seal": "mine", "second_values": [1]}, "without a second_axis"),
        (
            "sweeps",
            {"seal": "mine", "second_axis": "seed", "second_values": [*range(7)]},
            "the sweep has 56 places",
        ),
        (
            "sweeps",
            {
                "seal": "mine",
                "values": [*range(10)],
                "num_prompts": 8,
                "num_seeds": 2,
                "axis": "seed",
                "second_axis": "strength",
                "second_values": [0, 1],
            },
            "the sweep has 320 pictures",
        ),
        ("conflicts", {"seals": ["mine", "mine"]}, "triggers are 'sks', 'sks'"),
        ("conflicts", {"seals": ["mine"]}, "seals cannot be"),
        ("scores", {"seal": "mine", "steps": 51}, "steps cannot be 51"),
    ],
)
def test_what_cannot_be_studied_is_refused_at_once(
    shared: Shared,
    http: httpx2.Client,
    owner: str,
    key: Headers,
    route: str,
    body: dict[str, Any],
    words: str,
) -> None:
    refused = http.post(f"/v1/{route}", json=body, headers=key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "config"), refused.text
    assert words in refused.json()["error"]["message"]
    assert http.get("/v1/studies", headers=key).json()["studies"] == []


def test_an_axis_has_usual_values_which_are_within_its_bounds() -> None:
    for name, axis in AXES.items():
        assert axis_values(cast(AxisName, name), axis.usual) == axis_values(cast(AxisName, name), None)


def test_a_study_is_cancelled_done_again_and_bounded(
    shared: Shared, http: httpx2.Client, key: Headers
) -> None:
    def handed_in() -> httpx2.Response:
        return http.post("/v1/scores", json={"seal": "mine", **QUICK}, headers=key)

    urls = [handed_in().headers["location"] for _ in range(STUDIES_AT_ONCE)]
    refused = handed_in()
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota")
    assert http.delete(urls[0], headers=key).status_code == 409
    for url in urls:
        assert http.post(f"{url}/cancel", headers=key).json()["state"] == "cancelled"
    assert told(http, key, f"{urls[0]}/events") == [(1, "queued"), (2, "cancelled")]
    assert http.post(f"{urls[0]}/resume", headers=key).json()["state"] == "queued"
    http.post(f"{urls[0]}/cancel", headers=key)
    for url in urls:
        assert http.delete(url, headers=key).status_code == 204


def test_trainings_and_studies_are_not_each_other_s(
    shared: Shared, http: httpx2.Client, key: Headers
) -> None:
    study = http.post("/v1/scores", json={"seal": "mine", **QUICK}, headers=key).json()["id"]
    for method, path in (
        ("GET", ""),
        ("GET", "/events"),
        ("POST", "/cancel"),
        ("POST", "/resume"),
        ("DELETE", ""),
    ):
        answer = http.request(method, f"/v1/trainings/{study}{path}", headers=key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "missing")
    assert http.get("/v1/trainings", headers=key).json()["trainings"] == []
    assert http.post(f"/v1/studies/{study}/cancel", headers=key).json()["state"] == "cancelled"
    assert http.delete(f"/v1/studies/{study}", headers=key).status_code == 204


def test_a_local_service_says_that_it_studies_nothing(client: httpx2.Client) -> None:
    answer = client.get("/v1/studies")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "missing")
