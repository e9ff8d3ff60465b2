"""A1111's dialect: what its clients send, all of it, and what they are answered.

A field that asks for something this server cannot do is refused when it asks for it, and taken when it does not:
clients send every field every time.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ..errors import ConfigError
from .limits import (
    MAX_GUIDANCE,
    MAX_PICTURE_BYTES,
    MAX_PICTURES,
    MAX_SEED,
    MAX_SIDE_PX,
    MAX_STEPS,
    MAX_TEXT_CHARACTERS,
    MIN_SIDE_PX,
)
from .schema import Prompt
from .wishes import Asked

SCHEDULERS = {"automatic": "", "karras": " Karras"}
"""By the name in lower case, what is put behind a sampler's title."""
DEFAULT_STEPS, DEFAULT_GUIDANCE = 20, 7.0
PREVIEWS = 10
"""Of a picture, for whoever asks for its progress."""
CANNOT: dict[str, tuple[Any, str]] = {
    "enable_hr": (False, "a second pass in a higher resolution"),
    "restore_faces": (False, "restoring faces"),
    "tiling": (False, "pictures that tile"),
    "styles": ([], "styles"),
    "subseed_strength": (0, "variation seeds"),
    "seed_resize_from_w": (0, "seeds of another size"),
    "seed_resize_from_h": (0, "seeds of another size"),
    "s_churn": (0, "a sampler's churn"),
    "script_name": (None, "scripts"),
    "script_args": ([], "scripts"),
    "alwayson_scripts": ({}, "extensions"),
    "override_settings": ({}, "settings of one request"),
}
"""Field, the value that asks for nothing, what any other asks for."""

Small = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=-1, le=MAX_SEED)]
Word = Annotated[str, Field(max_length=200)]


class Txt2ImgRequest(BaseModel):
    """What `txt2img` takes. Of fields that are not described here nothing is read."""

    model_config = ConfigDict(extra="ignore")

    prompt: Prompt = Field("", description="Seals as `<lora:NAME:WEIGHT>`.")
    negative_prompt: Prompt = ""
    seed: Whole = Field(-1, description="-1: random.")
    steps: int = Field(DEFAULT_STEPS, ge=1, le=MAX_STEPS)
    cfg_scale: float = Field(DEFAULT_GUIDANCE, ge=0, le=MAX_GUIDANCE, allow_inf_nan=False)
    width: int | None = Field(None, ge=MIN_SIDE_PX, le=MAX_SIDE_PX, description="The base's own if left out.")
    height: int | None = Field(
        None, ge=MIN_SIDE_PX, le=MAX_SIDE_PX, description="The base's own if left out."
    )
    batch_size: int = Field(1, ge=1, le=MAX_PICTURES)
    n_iter: int = Field(1, ge=1, le=MAX_PICTURES)
    sampler_name: Word | None = Field(
        None, description="As `samplers` lists them; the base's own if left out."
    )
    sampler_index: Word | None = Field(None, description="As `sampler_name`, which goes before it.")
    scheduler: Word | None = Field(None, description="`Automatic` or `Karras`.")
    send_images: bool = True
    enable_hr: bool | None = Field(None, description="Only false.")
    restore_faces: bool | None = Field(None, description="Only false.")
    tiling: bool | None = Field(None, description="Only false.")
    styles: list[Word] | None = Field(None, max_length=100, description="Only none.")
    subseed_strength: Small | None = Field(None, description="Only 0.")
    seed_resize_from_w: Whole | None = Field(None, description="Only 0.")
    seed_resize_from_h: Whole | None = Field(None, description="Only 0.")
    s_churn: Small | None = Field(None, description="Only 0.")
    script_name: Word | None = Field(None, description="Only none.")
    script_args: list[Any] | None = Field(None, max_length=1000, description="Only none.")
    alwayson_scripts: dict[str, Any] | None = Field(None, description="Only none.")
    override_settings: dict[str, Any] | None = Field(None, description="Only none.")

    @property
    def num_pictures(self) -> int:
        return self.batch_size * self.n_iter

    def asked(self) -> Asked:
        """Raises: ConfigError for what cannot be done here."""
        for name, (neutral, what) in CANNOT.items():
            value = getattr(self, name)
            if value not in (None, neutral, -1, ""):
                raise ConfigError(
                    f"{name} is {str(value)[:100]!r}: {what} cannot be had here", "leave it out"
                )
        if self.num_pictures > MAX_PICTURES:
            raise ConfigError(
                f"batch_size times n_iter is {self.num_pictures}", f"ask for at most {MAX_PICTURES} pictures"
            )
        return Asked(
            prompt=self.prompt,
            negative=self.negative_prompt,
            num_pictures=self.num_pictures,
            seed=None if self.seed == -1 else self.seed,
            num_steps=self.steps,
            guidance=self.cfg_scale,
            sampler=self._sampler(),
            width=self.width,
            height=self.height,
            preview_every=max(1, self.steps // PREVIEWS),
        )

    def _sampler(self) -> str | None:
        name = self.sampler_name or self.sampler_index
        scheduler = (self.scheduler or "automatic").lower()
        if scheduler not in SCHEDULERS:
            raise ConfigError(f"there is no scheduler {self.scheduler!r}", f"give {' or '.join(SCHEDULERS)}")
        if name is None or name.lower().endswith(SCHEDULERS[scheduler].lower() or "\0"):
            return name
        return f"{name}{SCHEDULERS[scheduler]}"


class Txt2ImgBody(BaseModel):
    images: list[str] = Field(description="PNGs in base64 that carry their recipe.")
    parameters: dict[str, Any] = Field(description="What was asked for.")
    info: str = Field(description="JSON: seeds, texts and settings of the pictures.")


class ProgressState(BaseModel):
    skipped: bool = False
    interrupted: bool = False
    job: str
    job_count: int
    job_timestamp: str
    job_no: int
    sampling_step: int
    sampling_steps: int


class ProgressBody(BaseModel):
    progress: float
    eta_relative: float = Field(description="Seconds that are left, about.")
    state: ProgressState
    current_image: str | None = Field(description="The latest preview, a PNG in base64.")
    textinfo: str | None = None


class PngInfoRequest(BaseModel):
    image: str = Field(
        max_length=MAX_PICTURE_BYTES * 4 // 3 + 100,
        description="A PNG in base64, with `data:image/png;base64,` in front or without; "
        f"{MAX_TEXT_CHARACTERS} characters of text in it at most.",
    )


class PngInfoBody(BaseModel):
    info: str
    items: dict[str, Any]
    parameters: dict[str, Any]


class LoraBody(BaseModel):
    name: str
    alias: str
    path: str = Field(description="Its file's name; where it lies is nobody's business.")
    metadata: dict[str, Any]


class SamplerBody(BaseModel):
    name: str
    aliases: list[str]
    options: dict[str, str]


class SchedulerBody(BaseModel):
    name: str
    label: str
    aliases: list[str] | None = None


class SdModelBody(BaseModel):
    title: str
    model_name: str
    hash: str
    sha256: str
    filename: str
    config: str | None = None


class OptionsBody(BaseModel):
    """The settings that clients look at."""

    sd_model_checkpoint: str
    sd_checkpoint_hash: str
    samples_format: str = "png"
    enable_pnginfo: bool = True


class SetOptionsRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sd_model_checkpoint: Word | None = Field(None, description="Only the base that is there.")
    samples_format: Word | None = Field(None, description="Only png.")
    enable_pnginfo: bool | None = Field(None, description="Only true.")


class ScriptsBody(BaseModel):
    txt2img: list[str]
    img2img: list[str]


class A1111ErrorBody(BaseModel):
    """What A1111's routes answer when they cannot do what was asked."""

    error: str
    detail: str
    body: str
    errors: str
