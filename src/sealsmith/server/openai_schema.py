"""OpenAI's Images dialect: requests and answers, as its clients of late 2026 send and read them.

What OpenAI has and we have not (transparent backgrounds, addresses of pictures, GIF) is refused by name. What other
servers added is taken: `negative_prompt`, `num_inference_steps`, `guidance_scale`, `seed`, `lora`.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, field_validator

from .limits import MAX_PROMPT_CHARACTERS, MAX_SEALS, MAX_SIDE_PX, MIN_SIDE_PX
from .picture_bytes import Format
from .schema import Guidance, Prompt, SamplerName, SealName, SealUseBody, Seed, Steps, Strict

MAX_N = 10
MAX_PARTIAL_IMAGES = 3
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")


class GenerationRequest(Strict):
    """What `client.images.generate` sends."""

    prompt: str = Field(min_length=1, max_length=MAX_PROMPT_CHARACTERS)
    model: SealName | None = Field(None, description="The base's name, or that of a seal to draw with.")
    n: int | None = Field(1, ge=1, le=MAX_N)
    size: str | None = Field("auto", max_length=20, description="`auto`, or as `512x512`.")
    response_format: Literal["b64_json"] | None = Field(
        None, description="Pictures come in the answer; there are no addresses to fetch them from."
    )
    output_format: Format | None = "png"
    output_compression: int | None = Field(None, ge=0, le=100, description="Quality of JPEG and WebP.")
    background: Literal["auto", "opaque"] | None = None
    quality: Literal["auto", "low", "medium", "high", "xhigh", "max", "standard", "hd"] | None = Field(
        None, description="Taken, and without effect: `num_inference_steps` decides."
    )
    moderation: Literal["auto", "low"] | None = Field(None, description="Taken, and without effect.")
    style: Literal["vivid", "natural"] | None = Field(None, description="Taken, and without effect.")
    user: str | None = Field(None, max_length=512, description="Taken, and without effect.")
    safety_identifier: str | None = Field(None, max_length=512, description="Taken, and without effect.")
    stream: bool | None = False
    partial_images: int | None = Field(0, ge=0, le=MAX_PARTIAL_IMAGES)
    negative_prompt: Prompt | None = None
    num_inference_steps: Steps | None = None
    guidance_scale: Guidance | None = None
    seed: Seed | None = None
    sampler: SamplerName | None = None
    lora: Annotated[list[SealUseBody], Field(max_length=MAX_SEALS)] = Field(default_factory=list)

    @field_validator("size")
    @classmethod
    def _is_size(cls, size: str | None) -> str | None:
        if size is None or size == "auto":
            return size
        found = _SIZE.fullmatch(size)
        if found is None:
            raise ValueError("give auto, or width and height as 512x512")
        if not all(MIN_SIDE_PX <= int(side) <= MAX_SIDE_PX for side in found.groups()):
            raise ValueError(f"give sides of {MIN_SIDE_PX} to {MAX_SIDE_PX} pixels")
        return size

    @property
    def sides_px(self) -> tuple[int, int] | None:
        """Width and height; None: the base decides."""
        if self.size in (None, "auto"):
            return None
        width, _, height = str(self.size).partition("x")
        return int(width), int(height)


class OpenAIError(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIErrorBody(BaseModel):
    """What OpenAI's routes answer when they cannot do what was asked."""

    error: OpenAIError


class GeneratedImage(BaseModel):
    b64_json: str


class GenerationBody(BaseModel):
    """Pictures, in the order of their seeds."""

    created: int = Field(description="Seconds since 1970.")
    data: list[GeneratedImage]
    size: str
    output_format: Format
    background: Literal["opaque"] = "opaque"


class ModelBody(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelsBody(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelBody]


def streamed(
    kind: str, b64_json: str, size: str, asked: GenerationRequest, created: int, **more: Any
) -> dict[str, Any]:
    """One event of a stream, whose `type` is `image_generation.<kind>`."""
    return {
        "type": f"image_generation.{kind}",
        "b64_json": b64_json,
        "background": "opaque",
        "created_at": created,
        "output_format": asked.output_format or "png",
        "quality": asked.quality or "auto",
        "size": size,
        **more,
    }
