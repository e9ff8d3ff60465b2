"""Settings: a later source wins, nothing else changes, and a wrong key or value is named."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr

from sealsmith.bases.plan import MEMORY_PLANS, PRECISIONS
from sealsmith.errors import ConfigError
from sealsmith.settings import ENV_PREFIX, SETTINGS_FILE, Settings, read_settings

# Each key with valid values as they look on the command line.
VALUES = {
    "base": st.sampled_from(["sealworld", "/models/sd15", "models/my base"]),
    "steps": st.integers(1, 1000),
    "guidance": st.floats(0, 100, allow_nan=False),
    "out": st.sampled_from(["pictures", "/tmp/a b"]).map(Path),
    "civitai_url": st.sampled_from(["https://registry.example", "http://127.0.0.1:8000/base"]),
    "cache": st.sampled_from(["kept", "/tmp/a cache"]).map(Path),
    "seals_folder": st.sampled_from(["seals", "/tmp/a b"]).map(Path),
    "precision": st.sampled_from(PRECISIONS),
    "memory": st.sampled_from(MEMORY_PLANS),
    "threads": st.integers(1, 64),
    "data": st.sampled_from(["kept", "/srv/sealsmith"]).map(Path),
    "database": st.sampled_from(["sqlite:///a.db", "postgresql://me:secret@db/seals"]).map(SecretStr),
    "store": st.sampled_from(["file:///srv/store", "s3://bucket/seals"]),
    "key_rate": st.integers(0, 1_000_000),
    "tenant_rate": st.integers(0, 1_000_000),
    "stranger_rate": st.integers(0, 1_000_000),
    "otel_endpoint": st.sampled_from(["http://127.0.0.1:4318", "https://collector.example"]),
    "debug": st.booleans(),
}
SOME_VALUES = st.fixed_dictionaries({}, optional=VALUES)


@pytest.fixture(autouse=True)
def bare_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(name)
    return tmp_path


def plain(value: object) -> object:
    """As a user writes it."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def toml(values: dict[str, object]) -> str:
    def literal(value: object) -> str:
        return (
            str(value).lower()
            if isinstance(value, bool)
            else repr(value)
            if isinstance(value, int | float)
            else f'"{value}"'
        )

    return "".join(f"{key} = {literal(plain(value))}\n" for key, value in values.items())


def test_every_setting_has_a_strategy_here() -> None:
    assert set(VALUES) == set(Settings.model_fields)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(in_file=SOME_VALUES, in_env=SOME_VALUES, flags=SOME_VALUES)
def test_a_flag_beats_the_environment_and_the_environment_beats_the_file(
    in_file: dict[str, object], in_env: dict[str, object], flags: dict[str, object]
) -> None:
    Path(SETTINGS_FILE).write_text(toml(in_file))
    with pytest.MonkeyPatch.context() as patch:
        for key, value in in_env.items():
            patch.setenv(f"{ENV_PREFIX}{key.upper()}", str(plain(value)))
        got = read_settings(**flags)
    wanted = {key: field.default for key, field in Settings.model_fields.items()} | in_file | in_env | flags
    assert got.model_dump() == wanted


def test_a_flag_of_none_is_no_flag(bare_folder: Path) -> None:
    (bare_folder / SETTINGS_FILE).write_text("steps = 7\n")
    assert read_settings(steps=None, base=None).steps == 7


def test_a_secret_does_not_show_itself() -> None:
    settings = read_settings(database="postgresql://me:secret@db/seals")
    assert "secret" not in f"{settings!r} {settings} {settings.model_dump()}"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read_settings().steps = 3  # type: ignore[misc]


def test_an_unknown_key_in_the_file_names_the_nearest(bare_folder: Path) -> None:
    (bare_folder / SETTINGS_FILE).write_text("guidence = 3\n")
    with pytest.raises(ConfigError, match=r"unknown setting 'guidence' in sealsmith\.toml") as caught:
        read_settings()
    assert caught.value.remedy == "did you mean `guidance`?"


def test_an_unknown_variable_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALSMITH_THREDS", "2")
    with pytest.raises(ConfigError, match="unknown setting 'threds' in the environment") as caught:
        read_settings()
    assert caught.value.remedy == "did you mean `threads`?"


def test_a_key_like_no_other_lists_them_all(bare_folder: Path) -> None:
    (bare_folder / SETTINGS_FILE).write_text("qqqqqq = 1\n")
    with pytest.raises(ConfigError, match="qqqqqq") as caught:
        read_settings()
    assert all(key in caught.value.remedy for key in Settings.model_fields)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("steps = 0", "'steps' cannot be 0"),
        ('threads = "many"', "'threads' cannot be 'many'"),
        ("guidance = nan", "'guidance' cannot be nan"),
        ("guidance = -1", "'guidance' cannot be -1"),
        ('base = ""', "'base' cannot be ''"),
    ],
)
def test_a_bad_value_is_named_with_its_key(bare_folder: Path, line: str, named: str) -> None:
    (bare_folder / SETTINGS_FILE).write_text(line)
    with pytest.raises(ConfigError, match=named) as caught:
        read_settings()
    assert SETTINGS_FILE in caught.value.remedy


def test_a_file_that_is_not_toml_is_refused(bare_folder: Path) -> None:
    (bare_folder / SETTINGS_FILE).write_text("steps: 7\n")
    with pytest.raises(ConfigError, match=r"sealsmith\.toml is not valid TOML"):
        read_settings()


def test_a_file_that_is_not_utf8_is_refused(bare_folder: Path) -> None:
    (bare_folder / SETTINGS_FILE).write_bytes(b'base = "\xff"\n')
    with pytest.raises(ConfigError, match=r"sealsmith\.toml cannot be read"):
        read_settings()
