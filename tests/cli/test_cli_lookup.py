"""`sealsmith lookup`: words on stdout, the rest on stderr; nobody is asked unless an address is set."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from registry_server import Answer, FakeRegistry, running_registry, version_of

from sealsmith.adapters import hash_file
from sealsmith.cli import main
from sealsmith.settings import ENV_PREFIX


@pytest.fixture(autouse=True)
def bare_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(name)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def seal(tmp_path: Path) -> Path:
    path = tmp_path / "mark.safetensors"
    path.write_bytes((2).to_bytes(8, "little") + b"{}tensors")
    return path


@pytest.fixture
def server(seal: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    """A registry that knows the seal, set in the environment."""
    hashes = hash_file(seal)
    with running_registry() as registry:
        registry.known[hashes.autov2] = version_of(hashes.by_name())
        monkeypatch.setenv(f"{ENV_PREFIX}CIVITAI_URL", registry.url)
        monkeypatch.setenv(f"{ENV_PREFIX}CACHE", "kept")
        yield registry


def test_the_words_are_printed_one_a_line(
    server: FakeRegistry, seal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lookup", str(seal)]) == 0
    said = capsys.readouterr()
    assert said.out == "sks dog\nred hat\nsmile\n"
    assert said.err == "My dog v1.0 for SDXL 1.0\n"
    assert Path("kept").is_dir()
    assert sorted(path.name for path in Path().iterdir()) == ["kept", "mark.safetensors"]


def test_the_report_says_what_it_is_and_where_from(
    server: FakeRegistry, seal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for from_cache in (False, True):
        assert main(["lookup", str(seal), "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["trained_words"] == ["sks dog", "red hat", "smile"]
        assert (report["found"], report["confirmed"], report["found_by"]) == (True, True, "AutoV2")
        assert (report["family"], report["from_cache"]) == ("sdxl", from_cache)
        assert report["hashes"]["AutoV1"] == "E3B0C442"
    assert len(server.asked) == 1


def test_an_option_beats_the_setting(
    server: FakeRegistry, seal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running_registry() as other:
        assert main(["lookup", str(seal), "--url", other.url, "--cache", "elsewhere"]) == 0
    assert "knows no file with the hashes" in capsys.readouterr().err
    assert (len(server.asked), len(other.asked)) == (0, 3)
    assert Path("elsewhere").is_dir()


def test_sidecars_are_written_when_asked_for(
    server: FakeRegistry, seal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lookup", str(seal), "--write-sidecar"]) == 0
    assert json.loads(Path("mark.json").read_text())["activation text"] == "sks dog"
    assert json.loads(Path("mark.civitai.info").read_text())["id"] == 2514310
    assert "sidecar: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"files": []}, "warning: found by AutoV2, but the answer does not list this very file"),
        ({"trainedWords": None}, "it names no trained words"),
    ],
)
def test_what_an_answer_lacks_is_said(
    changes: dict[str, object],
    warning: str,
    server: FakeRegistry,
    seal: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (digits,) = server.known
    server.known[digits] |= changes
    assert main(["lookup", str(seal)]) == 0
    assert warning in capsys.readouterr().err


def test_without_an_address_it_says_what_to_set(seal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lookup", str(seal)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: no registry to ask is set\nhint: give the registry's address")
    assert "civitai_url" in said


def test_a_failing_registry_and_an_empty_cache_are_one_sentence_each(
    server: FakeRegistry, seal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = [Answer(403)]
    assert main(["lookup", str(seal)]) == 1
    assert capsys.readouterr().err.startswith(f"error: the registry at {server.url} answered with status 403")
    assert main(["lookup", str(seal), "--offline"]) == 1
    assert "is kept from" in capsys.readouterr().err
    assert len(server.asked) == 1


def test_a_file_that_is_no_seal_is_refused_before_anybody_is_asked(
    server: FakeRegistry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"\xff" * 20)
    assert main(["lookup", "x.safetensors"]) == 2
    assert "not a seal file" in capsys.readouterr().err
    assert server.asked == []
