"""Linear layers by another library are the same layers, and themselves again afterwards."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from sealsmith.bases import Base
from sealsmith.engine import products
from sealsmith.engine.fitted import HeldSeals
from sealsmith.engine.loop import Engine
from sealsmith.engine.products import QuickLayers, linear
from sealsmith.engine.request import Order
from sealsmith.engine.settings import EngineSettings
from sealsmith.generate import Request

ONEDNN = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch without oneDNN")
SIZES = st.integers(1, 40)


@ONEDNN
@given(
    st.lists(SIZES, min_size=1, max_size=3), SIZES, SIZES, st.booleans(), st.booleans(), st.integers(0, 99)
)
def test_a_product_is_the_layer_s(
    rows: list[int], inputs: int, outputs: int, has_bias: bool, is_turned: bool, seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    x, weight = torch.randn(*rows, inputs, generator=draw), torch.randn(outputs, inputs, generator=draw)
    if is_turned:
        x, weight = x.transpose(0, -1).contiguous().transpose(0, -1), weight.T.contiguous().T
    bias = torch.randn(outputs, generator=draw) if has_bias else None
    torch.testing.assert_close(
        linear(x, weight, bias), functional.linear(x, weight, bias), rtol=1e-5, atol=1e-5
    )


@pytest.mark.usefixtures("onednn")
@ONEDNN
def test_layers_are_done_by_the_quicker_library_while_it_is_on(tiny_base: Base) -> None:
    denoiser = tiny_base.denoiser
    layers = [module for module in denoiser.modules() if type(module) is nn.Linear]
    quick, x = QuickLayers(denoiser), torch.randn(3, layers[0].in_features)
    with torch.no_grad():
        before = layers[0](x)
        for _ in range(2):
            quick.on()
            assert all("forward" in layer.__dict__ for layer in layers)
            torch.testing.assert_close(layers[0](x), before, rtol=1e-5, atol=1e-5)
            assert layers[0](x.double().float()).dtype == torch.float32
            quick.off()
            assert not any("forward" in layer.__dict__ for layer in layers)
        quick.off()


@pytest.mark.usefixtures("onednn")
@ONEDNN
def test_weights_are_read_anew_and_other_numbers_are_the_layer_s_own() -> None:
    layer = nn.Linear(4, 3)
    strange, half = nn.Linear(4, 3), nn.Linear(4, 3, dtype=torch.bfloat16)
    strange.forward = lambda x: x  # type: ignore[method-assign]
    quick = QuickLayers(nn.ModuleList([layer, strange, half]))
    quick.on()
    with torch.no_grad():
        layer.weight.mul_(2)
        x = torch.randn(2, 4)
        torch.testing.assert_close(layer(x), functional.linear(x, layer.weight, layer.bias))
        assert strange(x) is x
        assert half(x.bfloat16()).dtype == torch.bfloat16
        with pytest.raises(RuntimeError, match="dtype"):
            layer(x.double())
    quick.off()
    assert "forward" in strange.__dict__


@pytest.mark.usefixtures("mkl")
def test_where_neither_is_quicker_nothing_is_done(tiny_base: Base) -> None:
    quick = QuickLayers(tiny_base.denoiser)
    quick.on()
    assert not any("forward" in module.__dict__ for module in tiny_base.denoiser.modules())
    quick.off()


def test_it_is_measured_before_the_first_pass(tiny_base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[bool] = []
    monkeypatch.setattr(products, "is_onednn_quicker", lambda: measured.append(True) or False)
    QuickLayers(nn.Conv2d(1, 1, 1))
    assert not measured
    Engine(tiny_base, HeldSeals(tiny_base, {})).close()
    assert measured
    del measured[:]
    Engine(tiny_base, HeldSeals(tiny_base, {}), EngineSettings(deterministic=True)).close()
    assert not measured


def test_it_is_measured_once() -> None:
    products.is_onednn_quicker.cache_clear()
    first = products.is_onednn_quicker()
    assert products.is_onednn_quicker() is first
    assert products.is_onednn_quicker.cache_info().misses == 1


@pytest.mark.parametrize("error", [AttributeError, RuntimeError])
def test_a_build_without_the_product_goes_on_without_it(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> torch.Tensor:
        raise error

    monkeypatch.setattr(products, "linear", missing)
    assert products.is_onednn_quicker.__wrapped__() is False


@pytest.mark.usefixtures("onednn")
@ONEDNN
@pytest.mark.parametrize("deterministic", [False, True])
def test_the_same_bytes_do_not_hang_on_what_was_measured(tiny_base: Base, deterministic: bool) -> None:
    settings = EngineSettings(deterministic=deterministic, merge_for_speed=False)
    engine = Engine(tiny_base, HeldSeals(tiny_base, {}), settings)
    engine.submit(Order("plain", Request("a red wax seal", num_steps=2)))
    engine.step()
    layers = [module for module in tiny_base.denoiser.modules() if type(module) is nn.Linear]
    assert all("forward" in layer.__dict__ for layer in layers) is not deterministic
    engine.close()
    assert not any("forward" in layer.__dict__ for layer in layers)
