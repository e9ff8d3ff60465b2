"""OpenAI's dialect, spoken by OpenAI's own unchanged client to a running server."""

import base64
import io
from typing import Any

import httpx2
import openai
import pytest
from PIL import Image
from running import Running

from sealsmith.bases import Base
from sealsmith.generate.picture_file import picture_texts, recipe_in

QUICK = {"num_inference_steps": 4, "seed": 7}


@pytest.fixture
def images(served: Running) -> Any:
    client = openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=120)
    yield client.images
    client.close()


def opened(b64_json: str | None) -> Image.Image:
    assert b64_json is not None
    return Image.open(io.BytesIO(base64.b64decode(b64_json)))


def test_pictures_come_in_the_answer(images: Any, tiny_base: Base) -> None:
    answer = images.generate(prompt="a red wax seal", n=2, extra_body=QUICK)
    assert len(answer.data) == 2
    assert opened(answer.data[0].b64_json).size == (tiny_base.picture_px,) * 2
    seeds = []
    for each in answer.data:
        recipe = recipe_in(picture_texts(base64.b64decode(each.b64_json), "it"), "it")
        seeds.append(recipe.seed)
        assert recipe.num_steps == 4
    assert seeds == [7, 8]
    assert (answer.size, answer.output_format) == (f"{tiny_base.picture_px}x{tiny_base.picture_px}", "png")


def test_the_native_dialect_draws_the_same(images: Any, client: httpx2.Client) -> None:
    theirs = images.generate(prompt="a coin", size="32x64", response_format="b64_json", extra_body=QUICK)
    asked = {"prompt": "a coin", "steps": 4, "seed": 7, "width": 32, "height": 64}
    placed = client.post("/v1/images", json=asked).json()
    with client.stream("GET", placed["events_url"]) as events:
        assert "event: end" in "".join(events.iter_text())
    ours = client.get(f"/v1/images/{placed['id']}/pictures/0").content
    assert base64.b64decode(theirs.data[0].b64_json) == ours
    assert opened(theirs.data[0].b64_json).size == (32, 64)


@pytest.mark.parametrize(
    "wish",
    [
        {"prompt": "a coin", "model": "mark"},
        {"prompt": "a coin <lora:mark:1>"},
        {"prompt": "a coin", "extra_body": {"lora": [{"name": "mark"}], **QUICK}},
    ],
)
def test_a_seal_is_asked_for_in_three_ways(images: Any, wish: dict[str, Any]) -> None:
    data = images.generate(**{"extra_body": QUICK, **wish}).data[0].b64_json
    (use,) = recipe_in(picture_texts(base64.b64decode(data), "it"), "it").seals
    assert (use.name, use.strength) == ("mark", 1.0)


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_other_formats(images: Any, kind: str) -> None:
    answer = images.generate(prompt="x", output_format=kind, output_compression=50, extra_body=QUICK)
    assert str(opened(answer.data[0].b64_json).format).lower() == kind
    assert answer.output_format == kind


@pytest.mark.parametrize("partial_images", [0, 1, 3])
def test_a_stream_has_partial_pictures_and_ends_with_the_whole(images: Any, partial_images: int) -> None:
    wish = {"prompt": "a red wax seal", "extra_body": QUICK}
    stream = list(images.generate(**wish, stream=True, partial_images=partial_images))
    kinds = [event.type for event in stream]
    assert kinds == ["image_generation.partial_image"] * partial_images + ["image_generation.completed"]
    assert [event.partial_image_index for event in stream[:-1]] == list(range(partial_images))
    sizes = {opened(event.b64_json).size for event in stream}
    assert len(sizes) == 1
    assert stream[-1].b64_json == images.generate(**wish).data[0].b64_json


@pytest.mark.parametrize(
    ("wish", "error", "param"),
    [
        ({"prompt": "x", "size": "1x1"}, openai.BadRequestError, "size"),
        ({"prompt": "x", "size": "large"}, openai.BadRequestError, "size"),
        ({"prompt": "x", "n": 11}, openai.BadRequestError, "n"),
        ({"prompt": "x", "response_format": "url"}, openai.BadRequestError, "response_format"),
        ({"prompt": "x", "background": "transparent"}, openai.BadRequestError, "background"),
        ({"prompt": "x", "extra_body": {"colour": 1}}, openai.BadRequestError, "colour"),
        ({"prompt": ""}, openai.BadRequestError, "prompt"),
        ({"prompt": "x", "model": "gpt-image-2"}, openai.NotFoundError, None),
        ({"prompt": "x", "size": "33x33"}, openai.BadRequestError, None),
    ],
)
def test_an_error_is_one_of_the_client_s_own(
    images: Any, wish: dict[str, Any], error: type[openai.APIStatusError], param: str | None
) -> None:
    with pytest.raises(error, match=r".") as raised:
        images.generate(**wish)
    body = raised.value.body
    assert isinstance(body, dict)
    assert set(body) == {"message", "type", "param", "code"}
    assert body["param"] == param
    assert raised.value.request_id is not None


def test_an_error_in_a_stream_is_raised(images: Any) -> None:
    with pytest.raises(openai.APIError, match="width"):
        list(images.generate(prompt="x", size="33x33", stream=True))


def test_models_are_the_base_and_the_seals(served: Running) -> None:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none") as client:
        models = [model.id for model in client.models.list()]
    assert models[0] == served.service.welcome.about["base"]
    assert "mark" in models
