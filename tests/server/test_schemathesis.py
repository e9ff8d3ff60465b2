"""Whatever follows the OpenAPI document, or does not, is answered as it says: never with a 5xx."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from running import Running
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sealsmith.server.app import OPEN_PATHS, document

CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance, status_code_conformance]
SMALL = {
    "steps": 2,
    "num_inference_steps": 2,
    "n": 1,
    "batch_size": 1,
    "n_iter": 1,
    "width": 64,
    "height": 64,
}
"""In place of what is drawn: the law is about answers, and large pictures take minutes."""
SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = {result.ok().label: result.ok() for result in SCHEMA.get_all_operations()}


def shrunk(body: Any) -> Any:
    """A body whose pictures are small where they were to be large; what breaks the schema stays as it is."""
    if not isinstance(body, dict):
        return body
    size = {"size": "64x64"} if isinstance(body.get("size"), str) and body["size"][:1].isdigit() else {}
    large = {key: small for key, small in SMALL.items() if type(body.get(key)) is int and body[key] > small}
    return {**body, **large, **size}


def test_the_document_has_every_dialect() -> None:
    assert len(OPERATIONS) >= 28
    assert {"POST /v1/images", "POST /v1/images/generations", "POST /sdapi/v1/txt2img"} <= OPERATIONS.keys()


@pytest.mark.parametrize(
    ("label", "mode"),
    [
        pytest.param(label, mode, id=f"{label} {mode.value}")
        for label, operation in OPERATIONS.items()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        if mode is GenerationMode.POSITIVE or operation.path not in OPEN_PATHS  # which take nothing at all
    ],
)
def test_every_answer_is_as_the_document_says(served: Running, label: str, mode: GenerationMode) -> None:
    operation = OPERATIONS[label]

    @seed(0)
    @settings(
        max_examples=6,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def answered(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        case.body = shrunk(case.body)
        response = case.call(base_url=served.url, timeout=120)
        case.validate_response(response, checks=CHECKS)

    answered()
