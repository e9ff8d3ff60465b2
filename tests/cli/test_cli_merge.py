"""`sealsmith merge`: one file on stdout, triggers and errors on stderr, nothing overwritten unasked."""

import json
from pathlib import Path

import pytest
from seal_examples import random_seal

from sealsmith.adapters import read_seal, write_seal
from sealsmith.bases import Base
from sealsmith.cli import main


@pytest.fixture
def files(tiny_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.chdir(tmp_path)
    write_seal("a.safetensors", random_seal(tiny_base, ("to_q", "to_v"), trigger="sks", seed=1))
    write_seal("b.safetensors", random_seal(tiny_base, ("to_v",), trigger="ohwx", seed=2))
    return "a.safetensors:0.8", "b.safetensors:-0.2"


def test_the_exact_merge_says_that_nothing_is_lost(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["merge", *files, "--out", "both.safetensors"]) == 0
    said = capsys.readouterr()
    assert said.out == "both.safetensors\n"
    assert "triggers: sks, ohwx" in said.err
    assert "nothing lost" in said.err
    origin = read_seal("both.safetensors").header.training["merge"]
    assert [part["weight"] for part in origin["seals"]] == [0.8, -0.2]


def test_a_cut_states_its_error_by_layer_and_in_all(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["merge", *files, "--out", "c.safetensors", "--method", "svd", "--rank", "2", "--json"]
    assert main(arguments) == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    layers = report["layers"].values()
    assert report["error"]["lost"] ** 2 == pytest.approx(sum(layer["lost"] ** 2 for layer in layers))
    assert {layer["rank"] for layer in layers} == {2}
    assert f"all {len(layers)} layers" in said.err


def test_a_file_that_is_there_stays_unless_forced(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path("a.safetensors").read_bytes()
    assert main(["merge", *files, "--out", "a.safetensors"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert Path("a.safetensors").read_bytes() == before
    assert main(["merge", *files, "--out", "a.safetensors", "--force"]) == 0
    assert read_seal("a.safetensors").header.merged_from == ("a", "b")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "x.png"], "--out is 'x.png'"),
        (["--out", "x.safetensors", "--method", "average"], "unknown method 'average'"),
        (["--out", "x.safetensors", "--rank", "3"], "concat is exact"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    files: tuple[str, str], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["merge", *files, *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(Path().glob("x.*"))
