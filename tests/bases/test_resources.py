"""A base's size read from its files is that of the modules they make."""

import shutil
from pathlib import Path

import psutil
import pytest
import torch
from original_checkpoint import write_original

from sealsmith.bases import Base, open_base
from sealsmith.bases.resources import model_size, read_machine

FAMILIES = ("base", "sd1", "sdxl", "flux")


def size_of(base: Base) -> dict[str, int]:
    return dict(model_size(base.family, base.folder, base.weights).parts)


def num_parameters(base: Base) -> dict[str, int]:
    parts = {**base.components, "vae": base.vae}
    return {name: sum(parameter.numel() for parameter in part.parameters()) for name, part in parts.items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_are_counted_as_they_are_loaded(family: str, request: pytest.FixtureRequest) -> None:
    base: Base = request.getfixturevalue(f"tiny_{family}")
    assert size_of(base) == num_parameters(base)


def test_a_single_file_s_parts_are_told_by_their_names(tiny_sd1_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_sd1_folder, tmp_path / "original")
    base = open_base(str(write_original(tiny_sd1_folder, tmp_path / "original.safetensors")))
    assert size_of(base) == num_parameters(base)


def test_the_vae_s_shape_decides_what_decoding_takes(tiny_sdxl: Base) -> None:
    size = model_size(tiny_sdxl.family, tiny_sdxl.folder, tiny_sdxl.weights)
    assert size.tile_px == tiny_sdxl.vae.tile_sample_min_size
    assert size.vae_channels == tiny_sdxl.vae.config.block_out_channels[1]
    assert size.vae_overflows_fp16


def test_a_cpu_computes_in_main_memory() -> None:
    machine = read_machine(torch.device("cpu"))
    assert (machine.kind, machine.has_bf16) == ("cpu", False)
    assert 0 < machine.free_bytes == machine.free_ram_bytes <= psutil.virtual_memory().total
