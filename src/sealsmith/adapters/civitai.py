"""Civitai's description of one version of a model, as its API answers and as `NAME.civitai.info` keeps it.

Only the fields that are used here; all others are let through unread.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from .family_names import family_named
from .hashes import FileHashes


def _none_to_empty(value: Any) -> Any:
    return [] if value is None else value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class ModelFile(_Part):
    """One file of a version."""

    name: str = ""
    hashes: dict[str, str | None] = Field(default_factory=dict)
    """AutoV1, AutoV2, AutoV3, SHA256, CRC32, BLAKE3, in hex of either case."""


class ModelName(_Part):
    name: str = ""
    type: str = ""
    """"LORA", "Checkpoint", ..."""


class ModelVersion(_Part):
    """One version of a model. `id` and `modelId` are the registry's own numbers."""

    id: int
    model_id: int | None = Field(None, alias="modelId")
    name: str = ""
    base_model: str = Field("", alias="baseModel")
    """The registry's word for the family: "SD 1.5", "SDXL 1.0", "Pony", "Flux.1 D"."""
    air: str | None = None
    trained_words: Annotated[tuple[str, ...], BeforeValidator(_none_to_empty)] = Field(
        (), alias="trainedWords"
    )
    model: ModelName = ModelName()
    files: Annotated[tuple[ModelFile, ...], BeforeValidator(_none_to_empty)] = ()

    @property
    def family(self) -> str:
        """Our family's name; empty for one we do not have."""
        return family_named(self.base_model)

    @property
    def triggers(self) -> tuple[str, ...]:
        """Every word or phrase it was trained on, once, in order: "a, b" is two of them."""
        words = (word.strip() for phrase in self.trained_words for word in phrase.split(","))
        return tuple(dict.fromkeys(word for word in words if word))

    def has_file(self, hashes: FileHashes) -> bool:
        """Whether one of its files is this one: same bytes, or same tensors under another header."""
        own = {hashes.sha256, hashes.tensors, hashes.autov3}
        stated = (file.hashes.get(name) for file in self.files for name in ("SHA256", "AutoV3"))
        return any(digits.lower() in own for digits in stated if digits)


_VERSION = TypeAdapter(ModelVersion)


def parse_version(data: Mapping[str, Any] | bytes) -> ModelVersion:
    """The version in an answer's JSON, or in a table read from it.

    Raises: ValueError in one line: which field, and what is wrong with it.
    """
    try:
        return _VERSION.validate_json(data) if isinstance(data, bytes) else _VERSION.validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "answer"
        raise ValueError(f"{where}: {first['msg']}") from error
