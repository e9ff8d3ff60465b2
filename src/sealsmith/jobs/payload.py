"""A job's payload as a value: the one way from JSON to it, which names whatever is wrong."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from ..errors import ConfigError

P = TypeVar("P", bound=msgspec.Struct)


def parse_payload(payload: Mapping[str, Any], kind: type[P], name: str) -> P:
    """The payload as a value; `name` is what errors call it. Raises: ConfigError naming what is wrong."""
    try:
        return msgspec.convert(dict(payload), kind)
    except msgspec.ValidationError as error:
        fields = ", ".join(field.name for field in msgspec.structs.fields(kind))
        raise ConfigError(f"the {name} asked for is not one: {error}", f"its fields are {fields}") from error
