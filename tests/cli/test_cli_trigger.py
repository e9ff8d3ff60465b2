"""`sealsmith trigger suggest`: words on stdout, what they mean on stderr."""

import json
from pathlib import Path

import pytest
from seal_examples import random_seal

from sealsmith.adapters import write_seal
from sealsmith.bases import Base
from sealsmith.cli import main

pytestmark = pytest.mark.usefixtures("own_folder")


def test_words_with_figures_on_stdout_and_the_rest_on_stderr(
    tiny_base_folder: Path, tiny_base: Base, capsys: pytest.CaptureFixture[str]
) -> None:
    write_seal("seals/mark.safetensors", random_seal(tiny_base, ("to_q",), trigger="sks"))
    assert main(["trigger", "suggest", "--class", "seal", "--base", str(tiny_base_folder)]) == 0
    out, err = capsys.readouterr()
    head, *rows = [line.split() for line in out.splitlines()]
    assert head == ["trigger", "reaction", "reading", "embedding"]
    assert {row[0] for row in rows} == {"ohwx", "zwx"}
    assert "in use by seals in seals: sks" in err
    assert f"next: sealsmith train PICTURES --trigger {rows[0][0]} --out FOLDER" in err


def test_json_is_one_object(tiny_base_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trigger", "suggest", "--count", "1", "--base", str(tiny_base_folder), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["class_noun"] == "emblem"
    assert report["taken"] == []
    [suggestion] = report["suggestions"]
    assert set(suggestion) == {"token", "reaction", "reading", "norm"}


def test_an_unknown_task_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trigger", "guess"]) == 2
    assert "'guess' is not" in capsys.readouterr().err
