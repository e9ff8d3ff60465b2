"""A fused base on disk is the base with the seals, complete, in its own precision, and there all at once."""

import json
from pathlib import Path

import pytest
import torch
from change_examples import mixed_seal
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file
from seal_examples import random_seal
from unet_probe import is_untouched, predict, weights

from sealsmith.adapters import file_hash, fused, read_seal, write_seal
from sealsmith.bases import Base, open_base
from sealsmith.errors import OutputError
from sealsmith.generate.fused_base import write_fused_base


def test_the_folder_opens_and_predicts_as_the_fused_base_does(tiny_base: Base, tmp_path: Path) -> None:
    before = weights(tiny_base)
    seals = [(mixed_seal(tiny_base.components, 1), 0.5), (random_seal(tiny_base, ("to_q", "conv1")), 0.7)]
    with fused(tiny_base, seals):
        wanted = predict(tiny_base)
    reports = write_fused_base(tiny_base, seals, tmp_path / "both")
    assert [report.matched for report in reports] == [len(seal.layers) for seal, _ in seals]
    written = open_base(str(tmp_path / "both"))
    assert torch.equal(predict(written), wanted)
    assert written.family is tiny_base.family
    assert is_untouched(tiny_base, before)
    stock = StableDiffusionPipeline.from_pretrained(tmp_path / "both", safety_checker=None)
    assert torch.equal(stock.unet.conv_in.weight, written.unet.conv_in.weight)


def test_half_precision_is_kept_and_rounded_to_once(tiny_base: Base, tmp_path: Path) -> None:
    tiny_base.pipeline.to(torch.float16).save_pretrained(tmp_path / "half")
    half = open_base(str(tmp_path / "half"))
    seal = random_seal(half, ("to_q",))
    path = next(iter(seal.layers))
    name = path.removeprefix("unet.") + ".weight"
    exact = half.unet.get_parameter(name).detach() + 0.5 * seal.layers[path].delta()
    write_fused_base(half, [(seal, 0.5)], tmp_path / "fused")
    state = load_file(next((tmp_path / "fused" / "unet").glob("*.safetensors")))
    assert {tensor.dtype for tensor in state.values()} == {torch.float16}
    assert torch.equal(state[name], exact.half())
    before = load_file(next((tmp_path / "half" / "unet").glob("*.safetensors")))
    changed = {key for key in before if not torch.equal(before[key], state[key])}
    assert changed == {f"{layer.removeprefix('unet.')}.weight" for layer in seal.layers}


def test_the_note_says_what_was_fused(tiny_base: Base, tmp_path: Path) -> None:
    path = tmp_path / "mark.safetensors"
    write_seal(path, random_seal(tiny_base, ("to_q",)))
    write_fused_base(tiny_base, [(read_seal(path), 0.5)], tmp_path / "fused")
    note = json.loads((tmp_path / "fused" / "sealsmith.json").read_text())
    assert note["family"] == "sealworld"
    assert note["fused"]["base_digest"] == tiny_base.digest
    [seal] = note["fused"]["seals"]
    assert (seal["strength"], seal["trigger"], seal["file_sha256"]) == (0.5, "sks", file_hash(path))


def test_a_folder_that_is_there_stays_unless_forced(tiny_base: Base, tmp_path: Path) -> None:
    seals = [(random_seal(tiny_base, ("to_q",)), 0.5)]
    folder = tmp_path / "fused"
    folder.mkdir()
    (folder / "model_index.json").write_text("mine")
    with pytest.raises(OutputError, match="is there already"):
        write_fused_base(tiny_base, seals, folder)
    assert (folder / "model_index.json").read_text() == "mine"
    write_fused_base(tiny_base, seals, folder, force=True)
    assert (folder / "model_index.json").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["fused"]


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_of_other_things_is_never_replaced(tiny_base: Base, tmp_path: Path, force: bool) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="holds other things than a base"):
        write_fused_base(tiny_base, [(random_seal(tiny_base, ("to_q",)), 0.5)], tmp_path, force)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_failure_leaves_no_trace(tiny_base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    before = weights(tiny_base)
    monkeypatch.setattr(tiny_base.pipeline, "save_pretrained", fail)
    with pytest.raises(OutputError, match="No space left"):
        write_fused_base(tiny_base, [(random_seal(tiny_base, ("to_q",)), 0.5)], tmp_path / "fused")
    assert list(tmp_path.iterdir()) == []
    assert is_untouched(tiny_base, before)
