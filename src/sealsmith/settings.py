"""Settings: what a user wants to say once instead of at every command.

A setting comes from `sealsmith.toml` in the current folder, else from the environment (`SEALSMITH_BASE=...`),
else from an option of the command line; the later one wins. Not for: what belongs to one training
(TrainConfig) or one picture (Request).
"""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from .errors import ConfigError

SETTINGS_FILE = "sealsmith.toml"
ENV_PREFIX = "SEALSMITH_"
OPTIONS = {"civitai_url": "--url"}
"""Options of the command line that are not named as the setting they replace."""


class Settings(BaseSettings):
    """All settings, frozen. None means: as the command or the base's family has it."""

    base: str | None = Field(None, min_length=1)
    """The base to work with: `sealworld`, a diffusers folder, a `.safetensors` checkpoint, or a hub id."""
    steps: int | None = Field(None, ge=1, le=1000)
    """Denoising steps of a picture."""
    guidance: float | None = Field(None, ge=0, le=100, allow_inf_nan=False)
    """Classifier-free guidance of a picture."""
    out: Path | None = None
    """Folder that generated pictures go to."""
    civitai_url: str | None = Field(None, min_length=1)
    """Address of the registry that `lookup` asks, one that speaks Civitai's API. Unset: none is asked."""
    cache: Path | None = None
    """Folder for answers worth keeping. Unset: a folder of ours among this system's caches."""
    seals_folder: Path | None = None
    """Folder in which prompts find seals by name."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] | None = None
    """Numbers to draw with. Unset: auto, the hardware decides."""
    memory: Literal["auto", "none", "model-offload", "sequential-offload"] | None = None
    """Where weights rest while pictures are drawn. Unset: auto, the free memory decides."""
    threads: int | None = Field(None, ge=1, le=1024)
    """CPU threads to compute with. Unset: PyTorch's own choice, one a core."""
    data: Path | None = None
    """Folder of what a server keeps. Unset: a folder of ours among this user's data."""
    database: SecretStr | None = Field(None, min_length=1)
    """Address of the catalog's database. Unset: a SQLite file in `data`."""
    store: str | None = Field(None, min_length=1)
    """Address of the store of files. Unset: a folder in `data`."""
    key_rate: int | None = Field(None, ge=0, le=1_000_000)
    """Requests a minute that one key may make of a server; 0: any number. Unset: 1200."""
    tenant_rate: int | None = Field(None, ge=0, le=1_000_000)
    stranger_rate: int | None = Field(None, ge=0, le=1_000_000)
    """Requests a minute without a valid key that one address may make of a server; 0: any number. Unset: 60."""
    """Requests a minute that all keys of a tenant may make of a server; 0: any number. Unset: 2400."""
    otel_endpoint: str | None = Field(None, min_length=1)
    """Address of an OpenTelemetry collector that takes OTLP over HTTP. Unset: as `OTEL_*` variables say."""
    debug: bool = False
    """Show tracebacks, and what the libraries beneath have to say."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, toml_file=SETTINGS_FILE
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flag, then environment, then file: the first that has a value wins."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def read_settings(**flags: Any) -> Settings:
    """The settings in force here: `sealsmith.toml` < `SEALSMITH_*` < `flags` (those that are not None).

    Raises: ConfigError for a key that does not exist (it names the nearest that does), a value out of range,
    or a file that is not TOML.
    """
    check_keys(
        (name.removeprefix(ENV_PREFIX).lower() for name in _own_variables(os.environ)), "the environment"
    )
    try:
        return Settings(**{key: value for key, value in flags.items() if value is not None})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{SETTINGS_FILE} is not valid TOML: {error}", "write one `key = value` a line, text in quotes"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{SETTINGS_FILE} cannot be read: {error}", "fix or remove the file") from error
    except ValidationError as error:
        raise _explained(error) from error


def option_of(key: str) -> str:
    """The option of the command line that replaces a setting."""
    return OPTIONS.get(key, f"--{key.replace('_', '-')}")


def check_keys(keys: Iterable[str], where: str) -> None:
    """Raises ConfigError naming the first key that is no setting, and the nearest that is one."""
    for key in keys:
        if key not in Settings.model_fields:
            raise ConfigError(f"unknown setting {key!r} in {where}", _nearest(key))


def _own_variables(environ: Mapping[str, str]) -> list[str]:
    return [name for name in environ if name.upper().startswith(ENV_PREFIX)]


def _nearest(key: str) -> str:
    close = difflib.get_close_matches(key, Settings.model_fields, n=1, cutoff=0.5)
    return f"did you mean `{close[0]}`?" if close else f"the settings are {', '.join(Settings.model_fields)}"


def _explained(error: ValidationError) -> ConfigError:
    """The first complaint as our own error: which setting, the value received, what is allowed."""
    first = error.errors()[0]
    key = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return ConfigError(f"unknown setting {key!r} in {SETTINGS_FILE}", _nearest(key))
    return ConfigError(
        f"setting {key!r} cannot be {first['input']!r}",
        f"{first['msg'][0].lower()}{first['msg'][1:]}; it is set in {SETTINGS_FILE}, "
        f"{ENV_PREFIX}{key.upper()} or {option_of(key)}",
    )
