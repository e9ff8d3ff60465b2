"""Which seals share forward passes, and that those which do lose nothing by it."""

import pytest
import torch
from change_examples import random_change
from seal_examples import random_seal
from vector_examples import network_seal

from sealsmith.adapters import Full, Hadamard, Kronecker, LowRank
from sealsmith.adapters.changes import Decomposed
from sealsmith.adapters.fit import fit_seal
from sealsmith.adapters.seal import Seal
from sealsmith.bases import Base
from sealsmith.engine.path import Batched, Merged, path_of


def way_of(base: Base, seal: Seal) -> Batched | Merged:
    return path_of(base, fit_seal(base.components, base.family.name, seal))


def test_a_lora_shares_passes_as_it_is(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ("to_q", "conv1"))
    path = way_of(tiny_base, seal)
    assert isinstance(path, Batched)
    assert path.layers == seal.layers


def test_what_text_encoders_get_does_not_count(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ("to_q",))
    text = Full(torch.randn(32, 32))
    wanted = dict(seal.layers)
    seal.layers["text_encoder.encoder.layers.0.self_attn.q_proj"] = text
    path = way_of(tiny_base, seal)
    assert isinstance(path, Batched)
    assert path.layers == wanted


@pytest.mark.parametrize("kind", [Hadamard, Kronecker])
def test_what_is_of_low_rank_in_disguise_is_converted_exactly(tiny_base: Base, kind: type) -> None:
    seal = random_seal(tiny_base, ("to_q",))
    name = next(path for path, change in seal.layers.items() if change.shape == (64, 64))
    draw = torch.Generator().manual_seed(0)
    if kind is Hadamard:
        factors = [torch.randn(size, generator=draw) for size in ((64, 3), (3, 64), (64, 3), (3, 64))]
        change = Hadamard(*factors, alpha=1.5)
    else:
        whole, a, b = (torch.randn(size, generator=draw) for size in ((4, 4), (16, 2), (2, 16)))
        change = Kronecker(alpha=1.5, w1=whole, w2_a=a, w2_b=b)
    seal.layers[name] = change
    path = way_of(tiny_base, seal)
    assert isinstance(path, Batched)
    torch.testing.assert_close(path.layers[name].delta(), change.delta(), rtol=1e-5, atol=1e-5)
    assert path.layers[name].rank < 16


@pytest.mark.parametrize("kind", ["full", "dora", "lokr"])
def test_what_is_of_full_rank_is_merged_and_says_why(tiny_base: Base, kind: str) -> None:
    seal = random_seal(tiny_base, ("to_q",))
    name, change = next(iter(seal.layers.items()))
    assert isinstance(change, LowRank)
    other = random_change(kind, change.shape)
    assert isinstance(other, Full | Decomposed | Kronecker)
    seal.layers[name] = other
    assert way_of(tiny_base, seal) == Merged(f"{name} is changed by a {kind} of no low rank")


def test_a_hypernetwork_is_merged(tiny_base: Base) -> None:
    answer = way_of(tiny_base, network_seal(tiny_base))
    assert isinstance(answer, Merged)
    assert "hypernetwork" in answer.reason
