"""`sealsmith convert`: the same seal in another dialect, and a word for whatever is lost."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from seal_examples import random_seal

from sealsmith.adapters import dump_seal, read_seal, write_seal
from sealsmith.adapters.changes import Decomposed
from sealsmith.bases import Base
from sealsmith.cli import main


@pytest.fixture
def seal_path(tiny_base: Base, tmp_path: Path) -> Path:
    path = tmp_path / "mark.safetensors"
    write_seal(path, random_seal(tiny_base, ("to_q", "to_out.0", "conv1"), alpha=6.0))
    return path


def test_there_and_back_again_is_the_same_seal(seal_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(seal_path), "--to", "kohya"]) == 0
    kohya = Path(capsys.readouterr().out.strip())
    assert kohya == seal_path.with_name("mark-kohya.safetensors")
    assert all(name.startswith("lora_unet_") for name in load_file(kohya))
    back = seal_path.with_name("back.safetensors")
    assert main(["convert", str(kohya), "--to", "diffusers", "--out", str(back)]) == 0
    first, second, third = (read_seal(path) for path in (seal_path, kohya, back))
    assert (second.dialect, third.dialect) == ("kohya", "diffusers")
    assert first.header == second.header == third.header
    assert first.layers.keys() == second.layers.keys() == third.layers.keys()
    for path, change in first.layers.items():
        assert change.alpha == 6.0
        assert torch.equal(second.layers[path].delta(), change.delta())
        assert torch.equal(third.layers[path].delta(), change.delta())


def test_a_layer_fused_in_kohya_s_file_becomes_several_in_diffusers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fused, width = tmp_path / "flux.safetensors", 8
    name = "lora_unet_double_blocks_0_img_attn_qkv"
    down, up = torch.randn(4, width), torch.randn(3 * width, 4)
    save_file({f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}, fused)
    assert main(["convert", str(fused), "--to", "diffusers"]) == 0
    layers = read_seal(capsys.readouterr().out.strip()).layers
    parts = [layers[f"transformer.transformer_blocks.0.attn.to_{part}"].delta() for part in "qkv"]
    torch.testing.assert_close(torch.cat(parts), up @ down)


def test_what_is_there_is_not_replaced_unless_forced(
    seal_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = seal_path.with_name("mark-kohya.safetensors")
    there.write_bytes(b"precious")
    assert main(["convert", str(seal_path), "--to", "kohya"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert there.read_bytes() == b"precious"
    assert main(["convert", str(seal_path), "--to", "kohya", "--force"]) == 0
    assert read_seal(there).header.trigger == "sks"


@pytest.mark.parametrize(("dtype", "expected"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_numbers_are_stored_as_asked(seal_path: Path, dtype: str, expected: torch.dtype) -> None:
    assert main(["convert", str(seal_path), "--to", "kohya", "--dtype", dtype]) == 0
    tensors = load_file(seal_path.with_name("mark-kohya.safetensors"))
    assert {t.dtype for name, t in tensors.items() if not name.endswith(".alpha")} == {expected}


def test_numbers_too_large_for_the_format_are_refused(
    tiny_base: Base, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seal = random_seal(tiny_base, ("to_q",))
    path, change = next(iter(seal.layers.items()))
    huge = tmp_path / "huge.safetensors"
    write_seal(huge, replace(seal, layers={path: replace(change, down=change.down * 1e6)}))  # type: ignore[type-var]
    assert main(["convert", str(huge), "--to", "kohya", "--dtype", "fp16"]) == 2
    assert "numbers too large for fp16" in capsys.readouterr().err
    assert not tmp_path.joinpath("huge-kohya.safetensors").exists()


def test_what_cannot_be_written_is_said(
    tiny_base: Base, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seal = random_seal(tiny_base, ("to_q", "to_k"))
    first = next(iter(seal.layers))
    change = seal.layers[first]
    by_input = Decomposed(change, torch.ones(1, change.shape[1]), by_input=True)
    mixed = tmp_path / "mixed.safetensors"
    path = tmp_path / "only-kohya.safetensors"
    layers = dict(seal.layers) | {first: by_input}
    path.write_bytes(dump_seal(replace(seal, layers=layers), "kohya"))
    save_file(load_file(path) | {"bundle_emb.x": torch.ones(3)}, mixed)
    assert main(["convert", str(mixed), "--to", "diffusers", "--json"]) == 0
    out, err = capsys.readouterr()
    facts = json.loads(out)
    assert facts["not_written"].keys() == {first}
    assert facts["unknown"] == ["bundle_emb.x"]
    assert facts["layers"] == len(seal.layers) - 1
    assert f"warning: 1 of {len(seal.layers)} layers not written, {first!r} first: DoRA" in err
    assert "warning: 1 tensors nobody here can read, 'bundle_emb.x' first" in err
    assert len(read_seal(facts["path"]).layers) == len(seal.layers) - 1


def test_a_file_with_nothing_to_write_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "strange.safetensors"
    halves = {f"unet.motion.lora_{half}.weight": torch.ones(2, 2) for half in "AB"}
    save_file(halves, path)
    assert main(["convert", str(path), "--to", "kohya"]) == 2
    assert "none of the 1 layers can be written in the dialect 'kohya'" in capsys.readouterr().err
