"""The figures a plan is made from: how large a base is, read from its files, and what the machine has free.

Nothing is loaded for it. Not for: choosing (plan.py).
"""

import json
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import psutil
import torch
from safetensors import safe_open

from .family import Family
from .plan import Machine, ModelSize

_ORIGINAL_PARTS = {
    "first_stage_model": "vae",
    "vae": "vae",
    "cond_stage_model": "text_encoder",
    "conditioner": "text_encoder",
    "text_encoders": "text_encoder",
}
"""First words of tensor names in single-file checkpoints; all others are the denoiser's."""


def model_size(family: Family, folder: Path, weights: Iterable[Path]) -> ModelSize:
    """How large a base is: its configuration's folder, and its weights as a folder of parts or as one file.

    Raises: OSError, ValueError, KeyError or SafetensorError where the files are not as they should be.
    """
    vae = json.loads((folder / "vae" / "config.json").read_text(encoding="utf-8"))
    widths = vae["block_out_channels"]
    parts: Counter[str] = Counter()
    for path in weights:
        parts.update(_num_parameters(family, path, is_original=path.parent.parent != folder))
    return ModelSize(
        parts=parts,
        vae_channels=widths[min(1, len(widths) - 1)],
        picture_px=family.resolution_px,
        tile_px=vae.get("sample_size", family.resolution_px),
        vae_overflows_fp16=family.vae_overflows_fp16 and vae.get("force_upcast", True),
    )


def read_machine(device: torch.device) -> Machine:
    """What is free on this machine right now, and whether `device` computes in bf16."""
    free_ram_bytes = int(psutil.virtual_memory().available)
    if device.type != "cuda":
        return Machine(device.type, False, free_ram_bytes, free_ram_bytes)
    free_bytes, _ = torch.cuda.mem_get_info(device)
    with torch.cuda.device(device):
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return Machine("cuda", has_bf16, free_bytes, free_ram_bytes)


def _num_parameters(family: Family, path: Path, is_original: bool) -> Counter[str]:
    """Numbers of parameters in one file by part: its folder's name, or what its tensors' own names say."""
    numbers: Counter[str] = Counter()
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118 - it is no dictionary
            part = _ORIGINAL_PARTS.get(name.partition(".")[0], family.denoiser)
            numbers[part if is_original else path.parent.name] += math.prod(file.get_slice(name).get_shape())
    return numbers
