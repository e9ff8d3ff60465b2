"""Every operation of the OpenAPI document, and what to call it with where nothing real is there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sealsmith.server.app import OPEN_PATHS, document

DOCUMENT = document()
SCHEMAS = DOCUMENT["components"]["schemas"]
NAMING = {"seal", "seals", "lora", "model"}
"""What fields are called in which a request names seals."""
SAMPLES = {
    "order_id": "img-" + "0" * 24,
    "index": "0",
    "seal_id": "0" * 64,
    "training_id": "0" * 32,
    "file_id": "0" * 32,
    "study_id": "0" * 32,
    "study_file_id": "0" * 32,
    "tenant_name": "nobody",
    "tenant_id": "0" * 32,
    "prefix": "seal_" + "0" * 12,
}
"""Well-formed, and of nothing. A parameter that is missing here fails the tests of its route."""


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    described: dict[str, Any]

    @property
    def scope(self) -> str | None:
        """What its key must be for: a scope, or "any"; None: it asks for no key."""
        scope: str | None = self.described.get("x-scope")
        return scope

    @property
    def tag(self) -> str:
        (tag,) = self.described["tags"]
        return str(tag)

    @property
    def has_names(self) -> bool:
        """Whether its path names somebody's things."""
        return "{" in self.path

    @property
    def naming_fields(self) -> set[str]:
        """Fields of its JSON in which seals are named."""
        content = self.described.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        if "$ref" in schema:
            schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
        return NAMING & schema.get("properties", {}).keys()

    @property
    def label(self) -> str:
        return f"{self.method} {self.path}"


def operations() -> Iterator[Operation]:
    for path, methods in DOCUMENT["paths"].items():
        for method, described in methods.items():
            yield Operation(method, path, described)


ALL = list(operations())
GUARDED = [operation for operation in ALL if operation.path not in OPEN_PATHS]


def each(several: list[Operation]) -> Any:
    """A test for every one of them."""
    return pytest.mark.parametrize("operation", several, ids=lambda operation: operation.label)
