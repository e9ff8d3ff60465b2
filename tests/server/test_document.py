"""The OpenAPI document says all: every route, every limit, every need of a key; and docs/api.md is made of it."""

from collections.abc import Iterator
from inspect import isasyncgenfunction, iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from sealsmith.server import document
from sealsmith.server.app import OPEN_PATHS, ROUTES

DOCUMENT = document.document()
PAGE = Path(__file__).parents[2] / "docs" / "api.md"


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_the_page_is_what_the_document_says() -> None:
    again = "write it again: python -m sealsmith.server.document > docs/api.md"
    assert PAGE.read_text() == document.page(DOCUMENT), again


def test_every_route_is_on_the_page() -> None:
    page = PAGE.read_text()
    assert all(f"### {method.upper()} {path}\n" in page for path, method, _ in operations())


def test_every_route_but_the_open_ones_wants_a_key() -> None:
    without = {path for path, _, operation in operations() if not operation.get("security")}
    assert without == OPEN_PATHS


def test_what_routes_need_is_asked_in_the_loop() -> None:
    """FastAPI asks for what is not async in a thread, once a request."""
    routes = [route for module in ROUTES for route in module.router.routes if isinstance(route, APIRoute)]
    assert len(routes) > 40
    asked = {call for route in routes for call in calls(route.dependant)}
    assert len(asked) > 5
    assert not [call for call in asked if not is_async(call)]


def calls(dependant: Dependant) -> Iterator[Any]:
    for each in dependant.dependencies:
        yield each.call
        yield from calls(each)


def is_async(call: Any) -> bool:
    """FastAPI asks generators that are async in the loop, too."""
    return iscoroutinefunction(call) or isasyncgenfunction(call) or iscoroutinefunction(type(call).__call__)


def test_every_route_says_how_it_fails() -> None:
    assert all({"4XX", "5XX"} <= operation["responses"].keys() for _, _, operation in operations())
    assert all("422" not in operation["responses"] for _, _, operation in operations())


def unlimited(schema: dict[str, Any], where: str) -> Iterator[str]:
    """Every text, number and list in what a client may send that has no bound."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    kind = schema.get("type")
    is_fixed = "enum" in schema or "const" in schema or "pattern" in schema
    if kind == "string" and not is_fixed and "maxLength" not in schema:
        yield where
    if kind in ("number", "integer") and not is_fixed and not {"minimum", "maximum"} <= schema.keys():
        yield where
    if kind == "array" and "maxItems" not in schema:
        yield where
    for name, field in schema.get("properties", {}).items():
        yield from unlimited(field, f"{where}.{name}")
    for each in schema.get("anyOf", ()):
        yield from unlimited(each, where)
    if "items" in schema:
        yield from unlimited(schema["items"], f"{where}[]")


@pytest.mark.parametrize(
    ("path", "method", "operation"), [pytest.param(*each, id=f"{each[1]} {each[0]}") for each in operations()]
)
def test_every_limit_is_in_the_schema(path: str, method: str, operation: dict[str, Any]) -> None:
    schemas = [content["schema"] for content in operation.get("requestBody", {}).get("content", {}).values()]
    schemas += [parameter["schema"] for parameter in operation.get("parameters", ())]
    assert [where for schema in schemas for where in unlimited(schema, f"{method} {path}")] == []
