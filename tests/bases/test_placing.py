"""A plan is carried out: numbers as it says, weights where it says, before and after a picture."""

from pathlib import Path

import pytest
import torch
from torch import nn

from sealsmith.bases import Base, Wanted, open_base
from sealsmith.bases.base import DTYPES
from sealsmith.bases.placing import parts_in_use
from sealsmith.generate import Request, generate

REQUEST = Request("a red wax seal", num_steps=1, width=32, height=32)


@pytest.fixture(params=["base", "sdxl", "flux"])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(f"tiny_{request.param}_folder")
    return found


def dtypes(module: nn.Module) -> set[torch.dtype]:
    return {parameter.dtype for parameter in module.parameters()}


def test_layer_by_layer_offloading_leaves_no_weights_behind(folder: Path) -> None:
    base = open_base(str(folder), wanted=Wanted("fp16", "sequential-offload"))
    for _ in range(2):
        weights = [weight for part in parts_in_use(base) for weight in part.parameters()]
        assert all(weight.is_meta for weight in weights)
        generate(base, REQUEST)
    assert dtypes(base.denoiser) == dtypes(base.text_encoder) == {torch.float16}
    assert dtypes(base.vae) == {DTYPES[base.plan.vae_precision]}


def test_part_by_part_offloading_sends_each_away_before_the_next(folder: Path) -> None:
    base = open_base(str(folder), wanted=Wanted("fp32", "model-offload"))
    parts = parts_in_use(base)
    assert {id(part) for part in parts} == {id(part) for part in (*base.components.values(), base.vae)}
    assert parts[-2:] == [base.denoiser, base.vae]
    before = [part._hf_hook.prev_module_hook for part in parts]
    assert before[0] is None
    assert [hook.model for hook in before[1:]] == parts[:-1]


def test_sdxl_s_vae_never_passes_through_fp16(tiny_sdxl: Base, tiny_sdxl_folder: Path) -> None:
    half = open_base(str(tiny_sdxl_folder), wanted=Wanted("fp16"))
    assert half.plan.vae_precision == "fp32"
    expected = tiny_sdxl.vae.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in half.vae.state_dict().items())


def test_a_base_s_identity_is_that_of_its_files(tiny_base: Base, tiny_base_folder: Path) -> None:
    held = open_base(str(tiny_base_folder), wanted=Wanted("bf16", "sequential-offload"))
    assert held.digest == tiny_base.digest
