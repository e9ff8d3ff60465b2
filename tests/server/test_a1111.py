"""A1111's dialect, spoken by the unchanged `webuiapi` client to a running server."""

import io
import json
import threading
from typing import Any

import httpx2
import numpy as np
import pytest
import webuiapi
from PIL import Image
from running import Running

from sealsmith.bases import Base
from sealsmith.generate.recipe import parse_parameters


@pytest.fixture
def api(served: Running) -> Any:
    sampler = served.service.welcome.about["sampler"]
    with_client = webuiapi.WebUIApi("127.0.0.1", served.port, sampler=sampler, steps=3)
    yield with_client
    with_client.session.close()


def test_pictures_with_a_seal_from_the_prompt(api: Any, client: httpx2.Client) -> None:
    result = api.txt2img(
        prompt="a coin <lora:mark:0.5>", seed=3, batch_size=2, width=32, height=32, cfg_scale=3
    )
    assert [image.size for image in result.images] == [(32, 32)] * 2
    assert result.info["all_seeds"] == [3, 4]
    recipe = parse_parameters(result.images[1].info["parameters"])
    assert [(use.name, use.strength) for use in recipe.seals] == [("mark", 0.5)]
    assert result.info["infotexts"][1] == result.images[1].info["parameters"]
    asked = {
        "prompt": "a coin <lora:mark:0.5>", "seed": 3, "steps": 3, "width": 32, "height": 32, "guidance": 3,
    }  # fmt: skip
    placed = client.post("/v1/images", json=asked).json()
    with client.stream("GET", placed["events_url"]) as events:
        assert "event: end" in "".join(events.iter_text())
    ours = Image.open(io.BytesIO(client.get(f"/v1/images/{placed['id']}/pictures/0").content))
    assert np.array_equal(np.asarray(ours), np.asarray(result.image))


def test_png_info_reads_what_was_written(api: Any) -> None:
    image = api.txt2img(prompt="a coin", seed=3, width=32, height=32).image
    assert api.png_info(image).info == image.info["parameters"]


def test_progress_and_interrupt(api: Any, served: Running) -> None:
    results: list[object] = []

    def draw() -> None:
        try:
            results.append(api.txt2img(prompt="a coin", steps=150, batch_size=3, seed=1, width=64, height=64))
        except RuntimeError as error:
            results.append(error)

    drawing = threading.Thread(target=draw)
    drawing.start()
    other = webuiapi.WebUIApi("127.0.0.1", served.port)
    progress = other.get_progress()
    while not (progress["progress"] > 0 and progress["current_image"]):
        assert drawing.is_alive(), results
        progress = other.get_progress()
    assert progress["state"]["job_count"] >= 3
    assert 0 < progress["state"]["sampling_step"] <= progress["state"]["sampling_steps"] == 150
    assert progress["eta_relative"] > 0
    other.interrupt()
    drawing.join(120)
    (result,) = results
    if isinstance(result, RuntimeError):  # not one was finished
        assert result.args[0] == 499
    else:
        assert isinstance(result, webuiapi.webuiapi.WebUIApiResult)
        assert len(result.images) < 3
    assert other.get_progress()["state"]["job_count"] == 0
    other.session.close()


def test_what_there_is(api: Any, tiny_base: Base) -> None:
    assert "mark" in [lora["name"] for lora in api.get_loras()]
    assert api.util_get_sampler_names()
    assert api.util_get_scheduler_names() == ["automatic", "karras"]
    (model,) = api.get_sd_models()
    assert model["sha256"] == tiny_base.digest
    assert api.util_get_current_model() == model["title"]
    api.util_set_model(model["title"].lower())
    api.util_wait_for_ready()


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"enable_hr": True}, "enable_hr"),
        ({"styles": ["bold"]}, "styles"),
        ({"alwayson_scripts": {"x": {"args": [1]}}}, "alwayson_scripts"),
        ({"scheduler": "sideways"}, "sideways"),
        ({"sampler_name": "sideways"}, "sideways"),
        ({"steps": 1000}, "steps"),
        ({"n_iter": 5, "batch_size": 5}, "25"),
        ({"prompt": "<lora:nobody:1>"}, "nobody"),
    ],
)
def test_what_cannot_be_done_is_refused(api: Any, wish: dict[str, Any], said: str) -> None:
    with pytest.raises(RuntimeError, match=said) as raised:
        api.txt2img(**{"prompt": "x", "width": 32, "height": 32, **wish})
    status, text = raised.value.args
    assert status in (400, 404)
    assert set(json.loads(text)) == {"error", "detail", "body", "errors"}


def test_settings_of_everybody_stay_as_they_are(client: httpx2.Client) -> None:
    assert client.post("/sdapi/v1/options", json={"samples_format": "png"}).status_code == 200
    refused = client.post("/sdapi/v1/options", json={"sd_model_checkpoint": "other"})
    assert refused.status_code == 400
    assert "other" in refused.json()["detail"]
