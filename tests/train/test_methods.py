"""The laws of every method: nothing at first, the trained picture from the file, and the base as it was."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft.tuners.lora import Linear as PeftLinear
from seal_examples import equal_layers
from torch import nn
from unet_probe import is_untouched, predict, weights

from sealsmith.adapters import LowRank, Seal, attached, read_seal, write_seal
from sealsmith.adapters.changes import has_effect
from sealsmith.bases import Base
from sealsmith.errors import Cancelled, ConfigError
from sealsmith.train import TrainConfig, train
from sealsmith.train.checkpoint import seal_header
from sealsmith.train.config import resolved
from sealsmith.train.methods import METHODS, Adapted, find_method
from sealsmith.train.methods.lora import lora_config
from sealsmith.train.methods.peft_method import ADAPTER
from sealsmith.train.methods.starts import STARTS
from sealsmith.train.pictures import PictureSet
from sealsmith.train.progress import Silent

ALL = ("attention", "feed-forward", "convolutions")
WAYS = [
    *(
        pytest.param(name, None, id=name)
        for name in METHODS
        if METHODS[name].__class__.__name__ == "PeftMethod"
    ),
    *(pytest.param("lora", init, id=f"lora-{init}") for init in STARTS),
    pytest.param("rslora", "pissa", id="rslora-pissa"),
    pytest.param("dreambooth", None, id="dreambooth"),
]
"""(method, init): every method that changes weights, and every start."""


def config_of(method: str, init: str | None) -> TrainConfig:
    return TrainConfig(method=method, init=init, rank=3, alpha=2.0, targets=ALL)


class InterruptedAt(Silent):
    """Presses Ctrl-C when this step is done."""

    def __init__(self, step: int):
        self.step = step

    def advance(self, done: int, loss: float | None = None) -> None:
        if loss is not None and done == self.step:
            raise KeyboardInterrupt


def learn(adapted: Adapted, amount: float = 0.03) -> None:
    """As if some steps had been trained."""
    draws = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in adapted.parameters.values():
            parameter.add_(torch.randn(parameter.shape, generator=draws) * amount)


@pytest.mark.parametrize(("method", "init"), WAYS)
def test_the_file_on_the_pristine_base_predicts_what_the_trained_base_did(
    tiny_base: Base, picture_set: PictureSet, tmp_path: Path, method: str, init: str | None
) -> None:
    way, config = find_method(method), config_of(method, init)
    before, bare = weights(tiny_base), predict(tiny_base)
    with way.attached(tiny_base, config) as adapted:
        assert torch.allclose(predict(tiny_base), bare, atol=1e-5), "it begins as nothing"
        learn(adapted)
        trained, layers = predict(tiny_base), adapted.layers()
        with adapted.off():
            assert torch.equal(predict(tiny_base), bare)
        assert torch.equal(predict(tiny_base), trained)
    assert is_untouched(tiny_base, before)
    assert not torch.allclose(trained, bare, atol=1e-3)

    header = seal_header(tiny_base, picture_set, resolved(config, tiny_base, picture_set), 1)
    path = tmp_path / "seal.safetensors"
    write_seal(path, Seal(header, layers))
    seal = read_seal(path)
    assert {p: change.kind for p, change in seal.layers.items()} == {p: c.kind for p, c in layers.items()}
    is_whole = init in ("pissa", "olora") or method == "dora"  # the others are kept in half precision
    tolerance = 1e-5 if is_whole else 1e-3
    with attached(tiny_base, [(seal, 1.0)]):
        assert torch.allclose(predict(tiny_base), trained, atol=tolerance)


@pytest.mark.parametrize(("method", "init"), WAYS)
def test_a_state_put_back_gives_the_same_layers(tiny_base: Base, method: str, init: str | None) -> None:
    way, config = find_method(method), config_of(method, init)
    with way.attached(tiny_base, config) as adapted:
        learn(adapted)
        state, trained = adapted.state(), predict(tiny_base)
    with way.attached(tiny_base, config) as again:
        again.load(state)
        assert torch.equal(predict(tiny_base), trained)


@pytest.mark.parametrize("family", ["tiny_sd1", "tiny_sdxl", "tiny_flux"])
@pytest.mark.parametrize("method", ["dora", "loha", "lokr", "dreambooth"])
def test_every_family_keeps_every_kind_in_its_files(
    request: pytest.FixtureRequest, picture_set: PictureSet, tmp_path: Path, family: str, method: str
) -> None:
    base: Base = request.getfixturevalue(family)
    config = TrainConfig(method=method, rank=2)
    with find_method(method).attached(base, config) as adapted:
        learn(adapted)
        trained, layers = predict(base), adapted.layers()
    completed = find_method(method).completed(base, config)
    write_seal(
        tmp_path / "seal.safetensors",
        Seal(seal_header(base, picture_set, resolved(completed, base, picture_set), 1), layers),
    )
    seal = read_seal(tmp_path / "seal.safetensors")
    assert {change.kind for change in seal.layers.values()} == {change.kind for change in layers.values()}
    with attached(base, [(seal, 1.0)]) as attachment:
        assert attachment.reports[0].matched == len(layers)
        assert torch.allclose(predict(base), trained, atol=1e-3)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "lora", "init": "pissa"},
        {"method": "rslora", "init": "olora"},
        {"method": "dora"},
        {"method": "lokr"},
        {"method": "dreambooth", "targets": None, "train_text_encoder": True},
    ],
    ids=lambda change: "-".join(str(value) for value in change.values() if value),
)
def test_interrupted_and_resumed_equals_uninterrupted(
    tiny_base: Base,
    picture_set: PictureSet,
    quick: TrainConfig,
    tmp_path: Path,
    change: dict[str, object],
) -> None:
    config = replace(quick, **change, num_steps=2, checkpoint_every=1, num_warmup_steps=0)
    encoder = {key: tensor.clone() for key, tensor in tiny_base.text_encoder.state_dict().items()}
    whole = train(tiny_base, picture_set, config, tmp_path / "whole")
    first = tmp_path / "parts"
    with pytest.raises(Cancelled, match="after step 1"):
        train(tiny_base, picture_set, config, first, progress=InterruptedAt(1))
    resumed = train(tiny_base, picture_set, config, first, resume=True)
    assert equal_layers(resumed.seal, whole.seal)
    assert resumed.losses == whole.losses
    assert all(torch.equal(encoder[key], now) for key, now in tiny_base.text_encoder.state_dict().items())
    assert ("text_encoder" in whole.seal.components) == config.train_text_encoder
    assert all(has_effect(change) for change in whole.seal.layers.values() if change.kind != "full")


@given(
    shape=st.sampled_from([(6, 9), (9, 6), (8, 8), (6, 4, 3, 3)]),
    rank=st.integers(1, 6),
    scale=st.sampled_from([0.5, 1.0, 3.0]),
    start=st.sampled_from(sorted(STARTS)),
    seed=st.integers(0, 99),
)
def test_residual_and_scaled_start_are_the_weight(
    shape: tuple[int, ...], rank: int, scale: float, start: str, seed: int
) -> None:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    down, up = STARTS[start].factors(weight, rank, scale)
    part = LowRank(down, up, scale * rank).delta()
    assert part.shape == weight.shape
    residual = weight - part
    assert torch.allclose(residual + part, weight, atol=1e-6)
    assert residual.norm() < weight.norm(), "the start holds a part of the weight"


@pytest.mark.parametrize("start", sorted(STARTS))
def test_on_a_linear_layer_a_start_is_pefts_own(start: str) -> None:
    layer = nn.Linear(9, 6)
    weight = layer.weight.detach().clone()
    config = lora_config(TrainConfig(rank=3, alpha=3.0))
    config.init_lora_weights = start  # type: ignore[assignment]
    theirs = PeftLinear(layer, ADAPTER, config=config, r=3, lora_alpha=3)
    down, up = STARTS[start].factors(weight, 3, 1.0)
    ours = LowRank(down, up, 3.0).delta()
    assert torch.allclose(weight - ours, theirs.get_base_layer().weight, atol=1e-5)


def test_rslora_writes_the_alpha_of_its_true_scale(tiny_base: Base) -> None:
    with find_method("rslora").attached(tiny_base, TrainConfig(rank=4, alpha=6.0)) as adapted:
        (scale,) = {change.alpha / change.rank for change in adapted.layers().values()}
    assert scale == pytest.approx(6.0 / 2)


def test_a_start_is_kept_at_twice_the_rank(tiny_base: Base) -> None:
    with find_method("lora").attached(tiny_base, config_of("lora", "pissa")) as adapted:
        learn(adapted)
        assert {change.rank for change in adapted.layers().values()} == {6}


@pytest.mark.parametrize(
    ("method", "change", "message"),
    [
        ("dora", {"init": "pissa"}, "dora cannot start with init 'pissa'"),
        ("loha", {"init": "gaussian"}, "loha cannot start"),
        ("dreambooth", {"init": "olora"}, "no start to choose"),
        ("lora", {"train_text_encoder": True}, "denoiser alone"),
    ],
)
def test_what_a_method_has_no_use_for_is_refused(
    tiny_base: Base, method: str, change: dict[str, object], message: str
) -> None:
    way = find_method(method)
    with pytest.raises(ConfigError, match=message):
        way.check(tiny_base, way.completed(tiny_base, replace(TrainConfig(), **change)))


def test_flux_has_no_text_encoder_to_train(tiny_flux: Base) -> None:
    with pytest.raises(ConfigError, match="T5"):
        find_method("dreambooth").check(tiny_flux, TrainConfig(train_text_encoder=True))
