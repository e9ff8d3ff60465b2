"""`sealsmith fuse`: the folder on stdout, what was fused on stderr."""

import json
from pathlib import Path

import pytest
from seal_examples import random_seal

from sealsmith.adapters import file_hash, write_seal
from sealsmith.bases import Base, open_base
from sealsmith.cli import main


def test_the_folder_is_a_base_of_its_own(
    tiny_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_seal("a.safetensors", random_seal(tiny_base, ("to_q",)))
    arguments = ["fuse", "a.safetensors:0.5", "--base", str(tiny_base.folder), "--out", "with-a", "--json"]
    assert main(arguments) == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert report["fused"]["seals"][0]["file_sha256"] == file_hash("a.safetensors")
    assert "layers fused" in said.err
    assert open_base("with-a").digest != tiny_base.digest
    assert main(arguments) == 2
    assert "is there already" in capsys.readouterr().err
