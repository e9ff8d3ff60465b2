"""How a training holds its base: what that may change, and what it must not."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from seal_examples import equal_layers
from torch import Tensor
from unet_probe import is_untouched, weights

from sealsmith.bases import Base, Wanted, open_base
from sealsmith.bases.resources import Machine
from sealsmith.errors import ConfigError
from sealsmith.train import TrainConfig, train
from sealsmith.train import precision as holding
from sealsmith.train.methods import find_method
from sealsmith.train.pictures import PictureSet
from sealsmith.train.precision import encoding_in_fp32, wanted_for

BEAR_BF16 = ("lora", "rslora", "loha", "lokr")
NEED_FP32 = (
    {"method": "dora"}, {"method": "dreambooth"}, {"method": "textual-inversion", "prior": "none"},
    {"method": "pivotal", "prior": "none"}, {"method": "hypernetwork"}, {"init": "pissa"}, {"init": "olora"},
)  # fmt: skip
FAMILIES = ("base", "sd1", "sdxl", "flux")


@pytest.fixture
def half_base(tiny_base_folder: Path) -> Base:
    return open_base(str(tiny_base_folder), wanted=Wanted("bf16", "none"))


@pytest.mark.parametrize("method", BEAR_BF16)
def test_on_a_base_in_bf16_nearly_the_same_is_learned(
    method: str, half_base: Base, tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    config = replace(quick, method=method, learning_rate=0.02)
    before = weights(half_base)
    half = train(half_base, picture_set, config, tmp_path / "half").seal
    assert is_untouched(half_base, before)
    whole = train(tiny_base, picture_set, config, tmp_path / "whole").seal
    for path, change in whole.layers.items():
        wanted, found = change.delta(), half.layers[path].delta()
        assert (found - wanted).norm() < 0.3 * wanted.norm(), path


def test_what_is_trained_on_a_base_in_bf16_is_in_fp32(half_base: Base, quick: TrainConfig) -> None:
    with find_method("lora").attached(half_base, quick) as adapted:
        assert {parameter.dtype for parameter in adapted.parameters.values()} == {torch.float32}


@pytest.mark.parametrize("settings", NEED_FP32, ids=str)
def test_what_says_weights_again_needs_fp32(
    settings: dict[str, str], half_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    config = replace(quick, **settings)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="in fp32, not in bf16"):
        train(half_base, picture_set, config, tmp_path / "out")
    with pytest.raises(ConfigError, match="in fp32, not in bf16"):
        wanted_for(config, "bf16")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("wanted", [Wanted("fp16", "none"), Wanted("fp32", "sequential-offload")], ids=str)
def test_a_base_in_fp16_or_held_elsewhere_is_not_trained(
    wanted: Wanted, tiny_base_folder: Path, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    held = open_base(str(tiny_base_folder), wanted=wanted)
    with pytest.raises(ConfigError, match=r"fp16|sequential-offload"):
        train(held, picture_set, quick, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_auto_asks_the_device_and_the_method(monkeypatch: pytest.MonkeyPatch, quick: TrainConfig) -> None:
    assert wanted_for(quick).precision == "fp32"
    monkeypatch.setattr(holding, "read_machine", lambda device: Machine("cuda", True, 1 << 34, 1 << 34))
    assert wanted_for(quick, device="cpu").precision == "bf16"
    assert wanted_for(quick, "fp32").precision == "fp32"
    assert wanted_for(replace(quick, method="dora")).precision == "fp32"
    with pytest.raises(ConfigError, match="fp16"):
        wanted_for(quick, "fp16")


def test_a_training_goes_on_in_the_precision_it_was_begun_with(
    half_base: Base, tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    for number, (first, then) in enumerate(((half_base, tiny_base), (tiny_base, half_base))):
        folder = tmp_path / str(number)
        train(first, picture_set, quick, folder)
        with pytest.raises(ConfigError, match="precision = "):
            train(then, picture_set, quick, folder, resume=True)


def test_pictures_are_encoded_in_fp32_and_the_vae_is_left_as_it_was(half_base: Base) -> None:
    before = weights(half_base)
    with encoding_in_fp32(half_base):
        assert {parameter.dtype for parameter in half_base.vae.parameters()} == {torch.float32}
    assert is_untouched(half_base, before)
    assert half_base.vae.dtype == torch.bfloat16


@pytest.mark.parametrize("family", FAMILIES)
def test_gradient_checkpointing_keeps_far_less_and_learns_the_same_bits(
    family: str, request: pytest.FixtureRequest, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    base: Base = request.getfixturevalue(f"tiny_{family}")
    config = replace(quick, num_steps=2, learning_rate=0.02)
    with kept_bytes() as plain:
        whole = train(base, picture_set, config, tmp_path / "whole").seal
    with kept_bytes() as thrifty:
        again = train(
            base, picture_set, replace(config, gradient_checkpointing=True), tmp_path / "thrifty"
        ).seal
    assert equal_layers(whole, again)
    assert sum(thrifty) < 0.6 * sum(plain)
    assert not any(getattr(module, "gradient_checkpointing", False) for module in base.denoiser.modules())


@contextmanager
def kept_bytes() -> Iterator[list[int]]:
    """Within it, the bytes of every tensor that is kept for a gradient."""
    found: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield found
