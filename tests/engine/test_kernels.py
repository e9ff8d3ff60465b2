"""Every kernel equals the reference, over rank mixes and popularity, several seals a request and none; and no bit
of a request's rows depends on its company."""

import functools
import sys

import pytest
import torch
from engine.engine_examples import POPULARITIES, drawn, layers_for, lease_of
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sealsmith.engine.kernels import folds, kernel_for
from sealsmith.engine.kernels.cpu import CpuKernel
from sealsmith.engine.pool import Lease, Pool
from sealsmith.engine.segments import Part, Segment
from sealsmith.errors import ConfigError

RANKS = (4, 1, 16, 7, 33)
LAYERS = ("linear", "thin", "conv", "strided", "pointwise", "dilated")
EXACTNESS = 1e-5
Plan = list[tuple[int, tuple[tuple[int, float], ...]]]
"""Of each request its rows, and its seals with their strengths."""


@functools.cache
def modules() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "linear": nn.Linear(24, 40),
        "thin": nn.Linear(80, 8, bias=False),
        "conv": nn.Conv2d(6, 10, 3, padding=1),
        "strided": nn.Conv2d(5, 8, 3, stride=2, padding=1),
        "pointwise": nn.Conv2d(12, 9, 1),
        "dilated": nn.Conv2d(4, 6, (3, 1), padding=(2, 0), dilation=2, bias=False),
    }


@functools.cache
def filled() -> tuple[Pool, tuple[Lease, ...]]:
    """A pool with small pages, so that every matrix crosses some, and pages in no order."""
    pool = Pool(num_pages=600, page_elements=64)
    first = lease_of(pool, "gone", layers_for(modules(), 5, seed=99))
    leases = [
        lease_of(pool, f"seal {number}", layers_for(modules(), rank, seed=number))
        for number, rank in enumerate(RANKS[:2])
    ]
    pool.free(first)
    for number, rank in enumerate(RANKS[2:], start=2):
        leases.append(lease_of(pool, f"seal {number}", layers_for(modules(), rank, seed=number)))
    return pool, tuple(leases)


def random_input(layer: str, num_rows: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    module = modules()[layer]
    if isinstance(module, nn.Conv2d):
        return torch.randn(num_rows, module.in_channels, 6, 5, generator=generator)
    width = module.weight.shape[1]
    return torch.randn(num_rows, *(() if seed % 3 == 0 else (7,)), width, generator=generator)


def segments_of(layer: str, plan: Plan) -> tuple[Segment, ...]:
    _, leases = filled()
    segments, start = [], 0
    for num_rows, uses in plan:
        parts = tuple(
            Part(leases[seal], layer, strength * leases[seal].places[layer].scale) for seal, strength in uses
        )
        segments.append(Segment(start, start + num_rows, parts))
        start += num_rows
    return tuple(segments)


def run(
    kernel: str,
    layer: str,
    segments: tuple[Segment, ...],
    x: Tensor,
    fold_bytes: int = 0,
    passes: int = 1,
) -> Tensor:
    pool, leases = filled()
    module = modules()[layer]
    chosen = kernel_for(pool, kernel, fold_bytes)
    chosen.hold(leases)
    adapted = chosen.layer(layer, module, module.forward)
    adapted.arrange(segments)
    with torch.no_grad():
        return [adapted.forward(x.clone()) for _ in range(passes)][-1]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    num_requests = draw(st.integers(1, 6))
    popular = drawn(draw(st.sampled_from(POPULARITIES)), num_requests, len(RANKS), draw(st.integers(0, 999)))
    strengths = st.floats(-1.5, 1.5, width=16).filter(bool)
    plan = []
    for seal in popular:
        uses = [(seal, draw(strengths))] if draw(st.integers(0, 3)) else []
        uses += draw(st.lists(st.tuples(st.integers(0, len(RANKS) - 1), strengths), max_size=2))
        plan.append((draw(st.integers(1, 2)), tuple(uses)))
    return plan


@pytest.mark.parametrize("fold_bytes", [0, 1 << 24])
@given(layer=st.sampled_from(LAYERS), plan=plans(), seed=st.integers(0, 99))
def test_the_cpu_equals_the_reference(fold_bytes: int, layer: str, plan: Plan, seed: int) -> None:
    check_equals_the_reference("cpu", fold_bytes, layer, plan, seed)


@settings(max_examples=8)  # the interpreter takes its time
@given(layer=st.sampled_from(LAYERS), plan=plans(), seed=st.integers(0, 99))
def test_triton_equals_the_reference(layer: str, plan: Plan, seed: int) -> None:
    check_equals_the_reference("triton", 0, layer, plan, seed)


MIXED: Plan = [
    (2, ((0, 0.7), (4, -0.4), (1, 1.0))),  # ranks 4, 33 and 1 on the same rows
    (1, ()),
    (1, ((3, 0.0),)),
    (2, ((2, 1.2),)),
    (1, ()),
]
"""Several seals a request, rows of the base alone at both places, a strength of nothing, ranks 1 to 33."""


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("kernel", ["cpu", "triton"])
def test_every_layer_with_every_mix_in_one_batch(kernel: str, layer: str) -> None:
    check_equals_the_reference(kernel, 0, layer, MIXED, seed=4)
    x = random_input(layer, 7, seed=4)
    result, base = run(kernel, layer, segments_of(layer, MIXED), x), modules()[layer](x).detach()
    assert torch.equal(result[[2, 3, 6]], base[[2, 3, 6]])
    assert (result - base)[[0, 1, 4, 5]].abs().flatten(1).amax(1).min() > 0.1


def check_equals_the_reference(kernel: str, fold_bytes: int, layer: str, plan: Plan, seed: int) -> None:
    segments = segments_of(layer, plan)
    x = random_input(layer, segments[-1].stop, seed)
    expected = run("reference", layer, segments, x)
    result = run(kernel, layer, segments, x, fold_bytes, passes=2 if fold_bytes else 1)
    scale = max(1.0, float(expected.abs().max()))
    assert (result - expected).abs().max() <= EXACTNESS * scale


@pytest.mark.parametrize("layer", LAYERS)
def test_the_reference_is_the_weight_with_the_change_in_it(layer: str) -> None:
    pool, _ = filled()
    segments = segments_of(layer, [(1, ()), (2, ((0, 0.7), (3, -0.4)))])
    x = random_input(layer, 3, seed=1)
    result = run("reference", layer, segments, x)
    module = modules()[layer]
    base = module(x).detach()
    assert torch.equal(result[0], base[0])
    weight = module.weight.detach().clone()
    for part in segments[1].parts:
        down, up = pool.read(part.lease, layer)
        weight += part.factor * (up.T @ down.flatten(1)).view(weight.shape)
    changed = torch.func.functional_call(module, {"weight": weight}, (x,))
    torch.testing.assert_close(result[1:], changed[1:], rtol=1e-5, atol=1e-5)
    assert (result[1:] - base[1:]).abs().max() > 0.1


@pytest.mark.parametrize("kernel", ["reference", "cpu", "triton"])
def test_channels_last_inputs_are_taken_as_they_are(kernel: str) -> None:
    segments = segments_of("conv", [(1, ((2, 1.0),)), (2, ()), (1, ((0, 0.5), (1, 0.5)))])
    x = random_input("conv", 4, seed=2)
    expected = run("reference", "conv", segments, x)
    result = run(kernel, "conv", segments, x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kernel", ["reference", "cpu", "triton"])
def test_half_precision_is_as_exact_as_its_numbers(kernel: str) -> None:
    torch.manual_seed(0)
    module = nn.Linear(32, 24).bfloat16()
    pool = Pool(100, 64, dtype=torch.bfloat16)
    lease = lease_of(pool, "seal", layers_for({"linear": module}, 9, seed=1))
    chosen = kernel_for(pool, kernel, 1 << 20)
    chosen.hold([lease])
    layer = chosen.layer("linear", module, module.forward)
    layer.arrange((Segment(0, 2, (Part(lease, "linear", 0.5),)), Segment(2, 3, ())))
    x = torch.randn(3, 50, 32, dtype=torch.bfloat16)
    down, up = pool.read(lease, "linear")
    with torch.no_grad():
        result = layer.forward(x).float()
        expected = module.float()(x.float())
    expected[:2] += 0.5 * x[:2].float() @ down.float().T @ up.float()
    assert (result - expected).abs().max() < 0.02 * expected.abs().max()


@pytest.mark.parametrize("kernel", ["reference", "cpu", "triton"])
def test_a_batch_of_another_size_is_refused(kernel: str) -> None:
    with pytest.raises(ValueError, match=r"arranged for 3 rows, the layer got \(4, "):
        run(kernel, "linear", segments_of("linear", [(3, ((0, 1.0),))]), random_input("linear", 4, 1))


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(ConfigError, match="no kernel 'cuda'"):
        kernel_for(filled()[0], "cuda")


def test_a_kernel_whose_package_is_missing_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "sealsmith.engine.kernels.triton", raising=False)
    with pytest.raises(ConfigError, match="needs the package triton") as caught:
        kernel_for(filled()[0], "triton")
    assert ".[triton]" in caught.value.remedy


@pytest.mark.usefixtures("mkl")
@pytest.mark.parametrize("layer", ["linear", "conv", "pointwise"])
def test_folds_stay_under_their_limit_and_outlive_their_request(layer: str) -> None:
    """Room for two weights: the third in one batch is not folded, one of a past batch makes room."""
    pool, leases = filled()
    module = modules()[layer]
    assert isinstance(module.weight, Tensor)
    limit = 2 * module.weight.nbytes
    chosen = CpuKernel(pool, limit)
    chosen.hold(leases)
    adapted = chosen.layer(layer, module, module.forward)
    x = torch.randn(6, 64, 24) if layer == "linear" else torch.randn(6, module.weight.shape[1], 9, 9)
    asked: list[str] = []
    read = chosen.read
    chosen.read = lambda part: (asked.append(part.lease.key), read(part))[1]  # type: ignore[method-assign]
    for plan, new in (
        ([(2, ((2, 1.0),)), (2, ((4, 1.0),)), (2, ((3, 1.0),))], ["seal 2", "seal 4", "seal 3"]),
        ([(2, ((3, 1.0),)), (4, ((2, 1.0),))], ["seal 3"]),
    ):
        segments = segments_of(layer, plan)
        adapted.arrange(segments)
        asked.clear()
        for _ in range(2):
            with torch.no_grad():
                result = adapted.forward(x)
            expected = run("reference", layer, segments, x)
            torch.testing.assert_close(result, expected, rtol=1e-5, atol=2e-5)
        assert asked == new
        assert chosen.folds.num_bytes == limit


@pytest.mark.parametrize("kernel", ["reference", "cpu", "triton"])
def test_a_layer_reads_its_own_seals_when_others_come_and_go(kernel: str) -> None:
    """It is not arranged anew where only other layers' seals have changed."""
    pool, leases = filled()
    chosen = kernel_for(pool, kernel)
    module = modules()["linear"]
    adapted = chosen.layer("linear", module, module.forward)
    segments, x = segments_of("linear", [(1, ((3, 1.0),)), (1, ())]), random_input("linear", 2, 1)
    expected = run("reference", "linear", segments, x)
    chosen.hold([leases[3]])
    adapted.arrange(segments)
    for held in ([leases[3]], [leases[2], leases[3]], [leases[0], leases[4], leases[3]], [leases[3]]):
        chosen.hold(held)
        with torch.no_grad():
            torch.testing.assert_close(adapted.forward(x.clone()), expected, rtol=1e-5, atol=1e-5)


FOLDED = pytest.mark.parametrize(("layer", "seal"), [("linear", 2), ("conv", 2), ("pointwise", 1)])
"""Layers with a seal that belongs into the weight for inputs of many pixels and beside it for those of few."""


def pixels_of(layer: str, num_rows: int, side: int) -> Tensor:
    """[B, pixels, I], or [B, I, h, w]"""
    inputs = modules()[layer].weight.shape[1]
    shape = (side * side, inputs) if layer == "linear" else (inputs, side, side)
    return torch.randn(num_rows, *shape, generator=torch.Generator().manual_seed(side))


@FOLDED
@pytest.mark.usefixtures("mkl")
def test_rows_of_another_shape_go_their_own_way(layer: str, seal: int) -> None:
    pool, leases = filled()
    chosen = CpuKernel(pool, 1 << 24)
    chosen.hold(leases)
    adapted = chosen.layer(layer, modules()[layer], modules()[layer].forward)
    segments = segments_of(layer, [(2, ((seal, 1.0),)), (1, ())])
    adapted.arrange(segments)
    ways = []
    for side in (8, 1, 8):
        x = pixels_of(layer, 3, side)
        with torch.no_grad():
            result = adapted.forward(x)
        expected = run("reference", layer, segments, x)
        torch.testing.assert_close(result, expected, rtol=1e-5, atol=2e-5)
        ways.append(bool(adapted._multiplied or adapted._convolved))
    assert ways == [True, False, True]


@FOLDED
@pytest.mark.usefixtures("mkl")
def test_a_pass_out_of_memory_leaves_no_layer_without_its_seal(
    layer: str, seal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, leases = filled()
    chosen = CpuKernel(pool, 1 << 24)
    chosen.hold(leases)
    adapted = chosen.layer(layer, modules()[layer], modules()[layer].forward)
    segments, x = segments_of(layer, [(2, ((seal, 1.0),))]), pixels_of(layer, 2, 8)
    adapted.arrange(segments)
    new_empty = Tensor.new_empty

    def full(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(folds, "fold", full)
        patch.setattr(
            Tensor, "new_empty", lambda own, *shape: new_empty(own, *shape) if not shape[0] else full()
        )
        with torch.no_grad(), pytest.raises(MemoryError):
            adapted.forward(x)
    assert chosen.folds.num_bytes == 0
    with torch.no_grad():
        result = adapted.forward(x)
    torch.testing.assert_close(result, run("reference", layer, segments, x), rtol=1e-5, atol=2e-5)
    weight = modules()[layer].weight
    assert isinstance(weight, Tensor)
    assert chosen.folds.num_bytes == weight.nbytes


@given(
    layer=st.sampled_from(LAYERS), company=st.lists(plans(), min_size=2, max_size=4), room=st.integers(0, 6)
)
def test_a_history_of_batches_leaves_no_trace_in_a_layer(layer: str, company: list[Plan], room: int) -> None:
    """Requests that come, go and come back, with room for a few weights."""
    pool, leases = filled()
    module = modules()[layer]
    assert isinstance(module.weight, Tensor)
    chosen = CpuKernel(pool, room * module.weight.nbytes)
    chosen.hold(leases)
    adapted = chosen.layer(layer, module, module.forward)
    for seed, plan in enumerate([*company, company[0]]):
        segments = segments_of(layer, plan)
        x = random_input(layer, segments[-1].stop, seed)
        adapted.arrange(segments)
        with torch.no_grad():
            result = adapted.forward(x)
        expected = run("reference", layer, segments, x)
        assert (result - expected).abs().max() <= EXACTNESS * max(1.0, float(expected.abs().max()))
