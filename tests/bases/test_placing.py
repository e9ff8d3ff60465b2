"""A plan is carried out: types as it says, weights where it says, before and after a picture."""

from pathlib import Path

import pytest
import torch
from torch import nn

from sealsmith.bases import Base, Wanted, open_base
from sealsmith.bases.placing import DTYPES, parts_in_use
from sealsmith.generate import Request, generate

FAMILIES = ("base", "sd1", "sdxl", "flux")
REQUEST = Request("a red wax seal", num_steps=1, width=32, height=32)


@pytest.fixture(params=FAMILIES)
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(f"tiny_{request.param}_folder")
    return found


def dtypes(module: nn.Module) -> set[torch.dtype]:
    return {parameter.dtype for parameter in module.parameters()}


@pytest.mark.parametrize(("precision", "memory"), [("bf16", "none"), ("fp16", "sequential-offload")])
def test_parts_have_the_types_of_the_plan(folder: Path, precision: str, memory: str) -> None:
    base = open_base(str(folder), wanted=Wanted(precision, memory))
    assert dtypes(base.denoiser) == {DTYPES[base.plan.precision]} == {DTYPES[precision]}
    assert dtypes(base.vae) == {DTYPES[base.plan.vae_precision]}
    assert dtypes(base.text_encoder) == {DTYPES[precision]}


def test_sdxl_s_vae_never_passes_through_fp16(tiny_sdxl: Base, tiny_sdxl_folder: Path) -> None:
    half = open_base(str(tiny_sdxl_folder), wanted=Wanted("fp16"))
    assert half.plan.vae_precision == "fp32"
    expected = tiny_sdxl.vae.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in half.vae.state_dict().items())


def test_layer_by_layer_offloading_leaves_no_weights_behind(folder: Path) -> None:
    base = open_base(str(folder), wanted=Wanted("fp32", "sequential-offload"))
    for _ in range(2):
        devices = {parameter.device.type for part in parts_in_use(base) for parameter in part.parameters()}
        assert devices == {"meta"}
        generate(base, REQUEST)


def test_part_by_part_offloading_sends_each_away_before_the_next(folder: Path) -> None:
    base = open_base(str(folder), wanted=Wanted("fp32", "model-offload"))
    parts = parts_in_use(base)
    assert {id(part) for part in parts} == {id(part) for part in (*base.components.values(), base.vae)}
    assert parts[-2:] == [base.denoiser, base.vae]
    before = [part._hf_hook.prev_module_hook for part in parts]
    assert before[0] is None
    assert [hook.model for hook in before[1:]] == parts[:-1]


@pytest.mark.parametrize("memory", ["none", "model-offload", "sequential-offload"])
def test_a_base_s_identity_is_that_of_its_files(tiny_base: Base, tiny_base_folder: Path, memory: str) -> None:
    assert open_base(str(tiny_base_folder), wanted=Wanted("bf16", memory)).digest == tiny_base.digest
