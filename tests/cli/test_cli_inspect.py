"""`sealsmith inspect`: everything a file says, what may call it, and a verdict, in words and as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sealsmith.cli import main

BLOCK = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0"
PATH = "unet.down_blocks.1.attentions.0.transformer_blocks.0"


def kohya_tensors() -> dict[str, Tensor]:
    """Two layers of Stable Diffusion 1 at its real size, rank 2, alpha 1."""
    tensors = {}
    for leaf, inputs, size in (("attn2_to_k", 768, 1.0), ("attn1_to_q", 640, 2.0)):
        tensors[f"{BLOCK}_{leaf}.lora_down.weight"] = torch.eye(2, inputs)
        tensors[f"{BLOCK}_{leaf}.lora_up.weight"] = size * torch.eye(640, 2)
        tensors[f"{BLOCK}_{leaf}.alpha"] = torch.tensor(1.0)
    return tensors


def write(path: Path, extra: dict[str, Tensor] | None = None, metadata: dict[str, str] | None = None) -> Path:
    save_file(kohya_tensors() | (extra or {}), path, metadata=metadata)
    return path


def inspected(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["inspect", str(path), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_figures_are_those_of_the_change_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = inspected(write(tmp_path / "mark.safetensors"), capsys)
    assert (found["dialect"], found["family"], found["verdict"]) == ("kohya", "sd1", "fits")
    assert [(part["component"], part["matched"], part["num_layers"]) for part in found["components"]] == [
        ("unet", 2, 2)
    ]
    by_path = {layer["path"]: layer for layer in found["layers"]}
    key, query = by_path[f"{PATH}.attn2.to_k"], by_path[f"{PATH}.attn1.to_q"]
    # alpha / rank = 1 / 2 times an identity of two rows, and twice that
    assert key["norm"] == pytest.approx(0.5 * 2**0.5)
    assert query["norm"] == pytest.approx(2**0.5)
    assert (key["effective_rank"], key["stable_rank"]) == pytest.approx((2.0, 2.0))
    assert (key["share"], query["share"]) == pytest.approx((0.2, 0.8))


def test_paths_are_whole_and_last_however_narrow_the_screen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["inspect", str(write(tmp_path / "mark.safetensors"))]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines if PATH in line] == [
        f"{PATH}.attn1.to_q",
        f"{PATH}.attn2.to_k",
    ]


@pytest.mark.parametrize(
    ("metadata", "line"),
    [
        ({}, "none in the file"),
        (
            {"ss_tag_frequency": json.dumps({"10_ohwx woman": {"ohwx woman": 12, "smile": 3}})},
            "none in the file; maybe: ohwx woman (12 captions), smile (3 captions), ohwx woman (folder)",
        ),
        ({"ss_dataset_dirs": json.dumps({"10_ohwx dog": {}})}, "none in the file; maybe: ohwx dog (folder)"),
        ({"modelspec.trigger_phrase": "ohwx"}, "ohwx"),
    ],
)
def test_words_that_may_be_the_trigger_are_offered_where_none_is_named(
    metadata: dict[str, str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(write(tmp_path / "mark.safetensors", metadata=metadata))]) == 0
    assert f"trigger:      {line}\n" in capsys.readouterr().out


def test_the_words_of_sidecars_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "mark.safetensors")
    path.with_suffix(".json").write_text(json.dumps({"activation text": "ohwx, red hat"}))
    assert main(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert "trigger:      ohwx\n" in out
    assert "other words:  red hat\n" in out
    assert inspected(path, capsys)["hints"]["beside"] == ["ohwx", "red hat"]


def test_what_is_not_understood_is_counted_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = {"lora_unet_conv_out.oft_blocks": torch.ones(2, 2), "bundle_emb.sks": torch.ones(3)}
    path = write(tmp_path / "mark.safetensors", extra)
    found = inspected(path, capsys)
    assert (found["verdict"], found["unknown"]) == ("fits partly", sorted(extra))
    assert main(["inspect", str(path)]) == 0
    assert (
        "2 tensors of no known kind: bundle_emb.sks, lora_unet_conv_out.oft_blocks" in capsys.readouterr().out
    )


def test_a_seal_for_another_base_and_one_that_does_nothing_are_told(
    tmp_path: Path, tiny_base_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "mark.safetensors")
    assert main(["inspect", str(path), "--base", str(tiny_base_folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "other family"
    nothing = {f"{BLOCK}_{leaf}.lora_up.weight": torch.zeros(640, 2) for leaf in ("attn2_to_k", "attn1_to_q")}
    assert inspected(write(tmp_path / "empty.safetensors", nothing), capsys)["verdict"] == "does nothing"


def test_a_damaged_file_gives_a_verdict_in_json_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "mark.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["inspect", str(path), "--json"]) == 2
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["verdict"], found["path"]) == ("damaged", str(path))
    assert "cut short" in found["reason"]
    assert found["reason"] in captured.err


def test_a_missing_file_is_not_called_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tmp_path / "none.safetensors"), "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "No such file" in captured.err
