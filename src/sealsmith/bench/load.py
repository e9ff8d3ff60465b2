"""How long a seal takes from its file to a base that is ready to draw with it, and how much memory that needs.

The base is the U-Net of Stable Diffusion 1.5 in its full size, its weights left as they come: loading does not
look at them. The seal changes every attention, feed-forward and residual layer of it, as many public files do.
"""

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import nn

from ..adapters import Change, LowRank, Seal, SealHeader, attach, detach, read_seal, write_seal
from ..adapters.fit import adaptable, weight_shape
from ..bases import FAMILIES, TARGET_GROUPS, Family
from ..bases.architectures import SD1_UNET
from .memory import PEAK_RESET, memory_rise
from .report import Figure
from .taking_turns import taking_turns, timed

RANK = 32
STOCK_LOADING = "StableDiffusionPipeline.load_lora_weights"


@dataclass(frozen=True)
class UnetBase:
    """A U-Net as a base that seals can be put on."""

    unet: nn.Module
    pipeline: None = None
    name: str = "stable-diffusion-v1-5"
    digest: str = "no-weights"
    family: Family = FAMILIES["sd1"]

    @property
    def components(self) -> dict[str, nn.Module]:
        return {"unet": self.unet}


def load_figures(unet: nn.Module, repeats: int) -> list[Figure]:
    """Time and memory of loading one seal onto a U-Net, beside stock diffusers doing the same in turn."""
    pipeline = StableDiffusionPipeline(
        vae=None, text_encoder=None, tokenizer=None, unet=unet, scheduler=DDIMScheduler(), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    base = UnetBase(unet)
    with tempfile.TemporaryDirectory(prefix="sealsmith-bench-") as folder:
        path = Path(folder) / "seal.safetensors"
        seal = seal_of_every_layer(base)
        num_layers = len(seal.layers)
        write_seal(path, seal)
        size_mib = path.stat().st_size / 2**20
        sides = {
            "ours": (lambda: attach(base, [(read_seal(path), 1.0)]), lambda: detach(base)),
            "stock": (lambda: pipeline.load_lora_weights(str(path)), pipeline.unload_lora_weights),
        }
        seconds = taking_turns({name: partial(_seconds, *side) for name, side in sides.items()}, repeats)
        measured = {name: partial(_peak_mib, *side) for name, side in sides.items()}
        peaks = taking_turns(measured, repeats) if PEAK_RESET.exists() else {}
    what = f"a seal of {size_mib:.0f} MiB, rank {RANK}, on {num_layers} layers of a U-Net"
    figures = [
        Figure("load", f"loading {what}", seconds["ours"], STOCK_LOADING, seconds["stock"], goal_ratio=0.5)
    ]
    if peaks:
        what = "peak memory of loading it"
        figures.append(Figure("load, memory", what, peaks["ours"], STOCK_LOADING, peaks["stock"], unit="MiB"))
    return figures


def full_size_unet() -> nn.Module:
    """Stable Diffusion 1.5's U-Net with memory for its weights, half precision, and nothing in them."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(**SD1_UNET)
    unet.to(torch.float16).to_empty(device="cpu").requires_grad_(False)
    with torch.no_grad():
        for parameter in unet.parameters():
            parameter.zero_()
    return unet


def seal_of_every_layer(base: UnetBase) -> Seal:
    """A seal of rank 32, half precision, random, on all layers that families adapt."""
    targets = base.family.targets(TARGET_GROUPS)
    draws = torch.Generator().manual_seed(0)
    layers: dict[str, Change] = {}
    for path, module in adaptable(base.unet).items():
        if path.endswith(tuple(f".{target}" for target in targets)):
            shape = weight_shape(module)
            rank = min(RANK, shape[0], math.prod(shape[1:]))
            down = torch.randn((rank, *shape[1:]), generator=draws)
            up = torch.randn((shape[0], rank, *(1,) * (len(shape) - 2)), generator=draws)
            layers[f"unet.{path}"] = LowRank(down.half() * 0.01, up.half() * 0.01, float(rank))
    header = SealHeader(
        "sks", "emblem", base.name, base.digest, base.family.name, RANK, float(RANK), targets, "bench", "",
        architecture=base.family.architecture, kohya_version=base.family.kohya_version,
    )  # fmt: skip
    return Seal(header, layers)


def _seconds(load: Callable[[], object], undo: Callable[[], object]) -> float:
    seconds = timed(load)
    undo()
    return seconds


def _peak_mib(load: Callable[[], object], undo: Callable[[], object]) -> float:
    """How far the process' memory rose above where it stood, while loading."""
    with memory_rise() as rise:
        load()
    undo()
    assert rise.mib is not None, "asked for where the system does not tell"
    return rise.mib
