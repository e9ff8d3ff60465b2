"""The native routes' requests and answers, with every limit."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..errors import SealsmithError
from .limits import (
    MAX_GUIDANCE,
    MAX_NAME_CHARACTERS,
    MAX_PICTURES,
    MAX_PROMPT_CHARACTERS,
    MAX_SEALS,
    MAX_SEED,
    MAX_SIDE_PX,
    MAX_STEPS,
    MAX_STRENGTH_CHARACTERS,
    MAX_WAIT_S,
    MIN_SIDE_PX,
)
from .order import Order, PictureState
from .wishes import Asked, AskedSeal

Prompt = Annotated[str, Field(max_length=MAX_PROMPT_CHARACTERS)]
Side = Annotated[int, Field(ge=MIN_SIDE_PX, le=MAX_SIDE_PX)]
Steps = Annotated[int, Field(ge=1, le=MAX_STEPS)]
Guidance = Annotated[float, Field(ge=0, le=MAX_GUIDANCE, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
SamplerName = Annotated[str, Field(min_length=1, max_length=100)]
SealName = Annotated[str, Field(min_length=1, max_length=4 * MAX_NAME_CHARACTERS)]


class Strict(BaseModel):
    """What a client sends: a field that does not exist is an error."""

    model_config = ConfigDict(extra="forbid")


class SealUseBody(Strict):
    """A seal in a picture."""

    name: SealName
    """Its name, or its digest."""
    strength: (
        Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
        | Annotated[str, Field(max_length=MAX_STRENGTH_CHARACTERS)]
    ) = Field(1.0, description="A number, or as in a prompt's tag: `0.8:lbw=MIDALL:stop=0.5`.")

    @property
    def asked(self) -> AskedSeal:
        return AskedSeal(self.name, self.strength if isinstance(self.strength, str) else repr(self.strength))


class ImageRequest(Strict):
    """Pictures that are wanted. What is left out, the base decides."""

    prompt: Prompt = Field(description="May hold seals as tags: `<lora:name:0.8>`.")
    negative: Prompt = ""
    seals: list[SealUseBody] = Field(default_factory=list, max_length=MAX_SEALS)
    n: int = Field(1, ge=1, le=MAX_PICTURES, description="How many pictures; the seeds are counted up.")
    seed: Seed | None = Field(None, description="Of the first picture; random if left out.")
    steps: Steps | None = None
    guidance: Guidance | None = None
    sampler: SamplerName | None = None
    width: Side | None = None
    height: Side | None = None
    use_trigger: bool = Field(True, description="Insert a seal's trigger where the prompt lacks it.")
    long_prompts: Literal["chunks", "cut"] = "chunks"
    mix: Literal["auto", "sum", "switch", "composite", "masked"] = Field(
        "auto",
        description="How several seals act together: `auto` masks or sums them, as the base was measured.",
    )
    preview_every: int = Field(
        0, ge=0, le=MAX_STEPS, description="A preview after every so many steps; 0: none."
    )
    begin_within_s: float | None = Field(
        None, ge=0, le=MAX_WAIT_S, allow_inf_nan=False, description="Fail if it is not begun by then."
    )

    @property
    def asked(self) -> Asked:
        return Asked(
            self.prompt, self.negative, [seal.asked for seal in self.seals], self.n, self.seed, self.steps,
            self.guidance, self.sampler, self.width, self.height, self.use_trigger, self.long_prompts, self.mix,
            self.preview_every, self.begin_within_s,
        )  # fmt: skip


class ErrorDetail(BaseModel):
    code: str
    """Stable, of the project's tree of errors."""
    message: str
    remedy: str
    parameter: str | None
    retry_after_s: float | None
    request_id: str


class ErrorBody(BaseModel):
    """What every native route answers when it cannot do what was asked."""

    error: ErrorDetail


class PictureBody(BaseModel):
    """One picture of an order."""

    index: int
    seed: int
    state: Literal["waiting", "loading", "drawing", "done", "failed"]
    step: int
    num_steps: int | None
    url: str | None = Field(description="Where the PNG is, once it is done.")
    recipe: str | None = Field(description="JSON; the PNG carries it, too.")
    warnings: list[str]
    error: ErrorDetail | None


class OrderBody(BaseModel):
    """Pictures on their way."""

    id: str
    state: Literal["waiting", "loading", "drawing", "done", "failed"]
    created: float = Field(description="Seconds since 1970.")
    prompt: str = Field(description="As it was asked for, without the tags of seals.")
    events_url: str
    pictures: list[PictureBody]


class OrdersBody(BaseModel):
    """Some orders, the newest first."""

    orders: list[OrderBody]
    next: str | None = Field(description="What to send as `after` for the rest.")


class BaseBody(BaseModel):
    """The base that pictures are drawn on, and what it does where a request leaves it open."""

    name: str
    digest: str
    family: str
    precision: str
    device: str
    steps: int
    guidance: float
    side_px: int
    side_step_px: int = Field(description="Width and height are multiples of this.")
    sampler: str
    samplers: list[str]


class BasesBody(BaseModel):
    bases: list[BaseBody]


class HealthBody(BaseModel):
    status: Literal["ok"]
    version: str


class ReadyBody(BaseModel):
    status: Literal["ready"]
    engine_starts: int


class RecipeBody(BaseModel):
    """How a picture was made."""

    recipe: dict[str, Any]
    parameters: str = Field(description="As A1111's text.")


class PictureSetBody(BaseModel):
    """What a training would make of some pictures."""

    kind: Literal["folder", "zip", "logo"]
    num_pictures: int
    num_captions: int
    num_masks: int
    class_noun: str | None
    digest: str
    warnings: list[str]


def order_body(order: Order) -> OrderBody:
    return OrderBody(
        id=order.id,
        state=order.state,
        created=order.created,
        prompt=order.wish.first.prompt,
        events_url=f"/v1/images/{order.id}/events",
        pictures=[picture_body(order, picture) for picture in order.pictures],
    )


def picture_body(order: Order, picture: PictureState) -> PictureBody:
    error, drawn = picture.error, picture.drawn
    return PictureBody(
        index=picture.index,
        seed=picture.seed,
        state=picture.state,
        step=picture.step,
        num_steps=picture.num_steps,
        url=f"/v1/images/{order.id}/pictures/{picture.index}" if drawn else None,
        recipe=drawn.recipe if drawn else None,
        warnings=list(drawn.warnings) if drawn else [],
        error=None if error is None else error_detail(error, order.request_id),
    )


def error_detail(error: SealsmithError, request_id: str) -> ErrorDetail:
    return ErrorDetail(
        code=error.code, message=str(error), remedy=error.remedy, parameter=None,
        retry_after_s=error.retry_after_s, request_id=request_id,
    )  # fmt: skip
