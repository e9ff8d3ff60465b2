"""The command line's frame: one shape for every error, settings that reach their options, a quiet border."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import typer

from sealsmith import __version__
from sealsmith.cli import THRIFT, frame, main
from sealsmith.errors import Cancelled, ConfigError, OutputError, SealsmithError, TrainingError
from sealsmith.settings import ENV_PREFIX, Settings, option_of, read_settings


@pytest.fixture(autouse=True)
def bare_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(name)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    return tmp_path


def doing(monkeypatch: pytest.MonkeyPatch, action: Callable[[], None]) -> None:
    """Puts a command that does `action` into the place of `score`."""
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command("score")(action)
    made = typer.main.get_command(single)
    load = frame.load_command
    monkeypatch.setattr(frame, "load_command", lambda name: made if name == "score" else load(name))


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("the rank is 0", "give 1 or more"),
        OutputError("cannot write 'x'", "write elsewhere"),
        TrainingError("the loss is nan", "lower the learning rate"),
        Cancelled("stopped after step 3", "--resume goes on"),
        SealsmithError("something else"),
    ],
    ids=lambda error: error.code,
)
def test_our_errors_are_one_sentence_a_hint_and_their_exit_status(
    error: SealsmithError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    doing(monkeypatch, fail)
    assert main(["score"]) == error.exit_status
    said = capsys.readouterr()
    assert said.err == f"error: {error}\n" + (f"hint: {error.remedy}\n" if error.remedy else "")
    assert said.out == ""


def test_an_interrupt_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    doing(monkeypatch, interrupt)
    assert main(["score"]) == 130
    assert capsys.readouterr().err == "error: interrupted\n"


def test_the_unexpected_is_short_without_debug_and_complete_with_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_down() -> None:
        raise ZeroDivisionError("by nought")

    doing(monkeypatch, break_down)
    assert main(["score"]) == 1
    short = capsys.readouterr().err
    assert "ZeroDivisionError: by nought" in short
    assert "--debug" in short
    assert "Traceback" not in short
    assert main(["--debug", "score"]) == 1
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setenv("SEALSMITH_DEBUG", "1")
    assert main(["score"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_misspelt_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 2
    assert (
        capsys.readouterr().err
        == "error: there is no command 'trian'\nhint: did you mean `sealsmith train`?\n"
    )


def test_a_misspelt_option_is_a_usage_error_in_the_same_shape(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--repets", "1"]) == 2
    first, hint = capsys.readouterr().err.splitlines()
    assert first.startswith("error: No such option: --repets")
    assert hint == "hint: `sealsmith bench --help` lists what it takes"


def test_a_broken_setting_stops_every_command(bare_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bare_folder / "sealsmith.toml").write_text("bass = 'sealworld'\n")
    assert main(["bench"]) == 2
    assert "did you mean `base`?" in capsys.readouterr().err


def test_without_arguments_it_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in frame.COMMANDS)


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sealsmith {__version__}\n"


@pytest.mark.parametrize("name", frame.COMMANDS)
def test_the_table_s_summary_is_the_command_s_own(name: str) -> None:
    assert frame.load_command(name).help.splitlines()[0] == frame.COMMANDS[name]


@pytest.mark.parametrize("name", frame.COMMANDS)
def test_every_setting_of_a_command_has_its_option(name: str) -> None:
    options = {option for parameter in frame.load_command(name).params for option in parameter.opts}
    assert {option_of(key) for key in frame.SETTINGS_OF_COMMAND[name]} <= options


def test_every_setting_is_used() -> None:
    of_commands = {key for keys in frame.SETTINGS_OF_COMMAND.values() for key in keys}
    assert of_commands | {"threads", "debug"} == set(Settings.model_fields)


def test_a_setting_stands_in_for_an_option_that_is_not_given(
    bare_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (bare_folder / "sealsmith.toml").write_text('base = "from the file"\n')
    assert main(["bench"]) == 2
    assert "'from the file'" in capsys.readouterr().err
    monkeypatch.setenv("SEALSMITH_BASE", "from the environment")
    assert main(["bench"]) == 2
    assert "'from the environment'" in capsys.readouterr().err
    assert main(["bench", "--base", "from the flag"]) == 2
    assert "'from the flag'" in capsys.readouterr().err


def test_only_settings_that_were_made_replace_an_option_s_default(bare_folder: Path) -> None:
    assert frame.option_defaults("generate", read_settings()) == {}
    (bare_folder / "sealsmith.toml").write_text("steps = 9\nguidance = 2\n")
    assert sorted(frame.option_defaults("generate", read_settings()).values()) == [2.0, 9]


def test_threads_reach_libraries_that_are_imported_later(monkeypatch: pytest.MonkeyPatch) -> None:
    frame.prepare_libraries(read_settings(threads=3))
    assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "3"


def test_a_reader_that_goes_away_is_no_error() -> None:
    """As in `sealsmith --help | head -0`: the pipe's other end is closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        command = [sys.executable, "-m", "sealsmith", "--help"]
        ended = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.stderr == ""
    assert ended.returncode == 1


@pytest.mark.parametrize("name", frame.COMMANDS)
def test_whoever_opens_the_catalog_finds_it_where_the_settings_say(name: str) -> None:
    options = {option for parameter in frame.load_command(name).params for option in parameter.opts}
    where = {"data", "database", "store"}
    if "--database" in options:
        assert where <= set(frame.SETTINGS_OF_COMMAND[name])


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8 GiB\nand more"
        ),
        MemoryError("2.00 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 2.00 GiB"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_memory_that_does_not_suffice_is_said_with_what_to_do(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_out() -> None:
        raise error

    doing(monkeypatch, run_out)
    assert main(["score"]) == 1
    said, hint = capsys.readouterr().err.splitlines()
    assert said.startswith("error: there is not enough memory")
    assert "2.00 GiB" in said
    assert "GPU 0" not in said
    assert "--memory model-offload" in hint


def test_what_saves_memory_is_an_option_of_the_command() -> None:
    for name, words in THRIFT.items():
        command = frame.load_command(name)
        options = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
        assert set(re.findall(r"--[a-z-]+", words)) <= options, name
