"""How a base is held and computed with: in which precision, where its weights rest, how its VAE decodes.

`plan_for` makes every "auto" a choice with a reason, once, from figures alone: it looks at no machine and loads
no model. Not for: reading those figures (resources.py) or carrying the plan out (placing.py).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConfigError

AUTO = "auto"
BYTES_PER_NUMBER = {"fp32": 4, "bf16": 2, "fp16": 2}
PRECISIONS = (AUTO, *BYTES_PER_NUMBER)
WHOLE, MODEL_OFFLOAD, SEQUENTIAL_OFFLOAD = "none", "model-offload", "sequential-offload"
MEMORY_PLANS = (AUTO, WHOLE, MODEL_OFFLOAD, SEQUENTIAL_OFFLOAD)

VAE_MAPS = 6
"""Feature maps of full height and width that a VAE holds at once while it decodes, each as wide as its last level
but one. Measured on a CPU with Stable Diffusion's decoder at 384 px: 4.1; half as much again for what GPUs'
convolutions need besides."""
STEP_WORK = 0.5
"""Memory for a step of the denoiser, weights apart, as a share of what decoding its picture takes. Measured on a
CPU with Stable Diffusion 1 at 512 px: 0.43."""
LARGEST_PX = 8192
"""No larger picture can be asked for (`generate.request.MAX_SIDE_PX`)."""
USABLE = 0.9
"""Share of the free memory a plan counts on."""
LARGEST_LAYER = 0.05
"""Share of its largest part that sequential offload holds at once, at most."""


@dataclass(frozen=True)
class Wanted:
    """What the user asks of a plan; "auto" and None leave the choice to it. Raises: ConfigError."""

    precision: str = AUTO
    memory: str = AUTO
    vae_slicing: bool | None = None
    vae_tiling: bool | None = None

    def __post_init__(self) -> None:
        choices = (("precision", self.precision, PRECISIONS), ("memory plan", self.memory, MEMORY_PLANS))
        for name, value, allowed in choices:
            if value not in allowed:
                raise ConfigError(f"there is no {name} {value!r}", f"choose one of {', '.join(allowed)}")


EXACT = Wanted("fp32", WHOLE, vae_slicing=False, vae_tiling=False)
"""Full precision and nothing saved: what training needs and every other plan is compared with."""


@dataclass(frozen=True)
class ModelSize:
    """What a plan needs to know of a base."""

    parts: Mapping[str, int]
    """Numbers of parameters by part of the pipeline, the VAE as "vae"."""
    vae_channels: int
    """Width of the VAE's last level but one."""
    picture_px: int
    """Side of the pictures it is made for."""
    tile_px: int
    """Side of the pieces its VAE decodes when it tiles."""
    vae_overflows_fp16: bool = False


@dataclass(frozen=True)
class Machine:
    """What a plan needs to know of the machine."""

    kind: str
    """Type of the device that computes: "cpu", "cuda", "mps"."""
    has_bf16: bool
    free_bytes: int
    """Free memory where it computes."""
    free_ram_bytes: int


@dataclass(frozen=True)
class Plan:
    """Every choice made. `reasons` has one for each field, by its name."""

    precision: str
    vae_precision: str
    memory: str
    vae_slicing: bool
    tile_above_px: int | None
    """The VAE decodes pictures larger than a square of this side in tiles; None: none at all."""
    reasons: Mapping[str, str] = field(compare=False)

    def __str__(self) -> str:
        """One line for people: what was chosen and why, without what goes without saying."""
        said = [("precision", self.precision), ("memory", f"memory {self.memory}")]
        if self.vae_precision != self.precision:
            said.append(("vae_precision", f"VAE in {self.vae_precision}"))
        if self.vae_slicing:
            said.append(("vae_slicing", "VAE sliced"))
        if self.tile_above_px is not None:
            said.append(("tile_above_px", f"VAE tiled above {self.tile_above_px} px"))
        return ", ".join(f"{choice} ({self.reasons[name]})" for name, choice in said)

    def to_dict(self) -> dict[str, Any]:
        names = ("precision", "vae_precision", "memory", "vae_slicing", "tile_above_px")
        return {name: getattr(self, name) for name in names} | {"reasons": dict(self.reasons)}


def plan_for(size: ModelSize, machine: Machine, wanted: Wanted) -> Plan:
    """The plan for a base of this size on this machine. Pure: the same figures give the same plan."""
    precision, why_precision = _precision(size, machine, wanted.precision)
    vae_precision, why_vae = _vae_precision(size, precision)
    memory, why_memory = _memory(size, machine, wanted.memory, precision, vae_precision)
    vae_slicing, why_slicing = _vae_slicing(memory, wanted.vae_slicing)
    room_bytes = USABLE * machine.free_bytes - _resident_bytes(size, memory, precision, vae_precision)
    tile_above_px, why_tiling = _tiling(size, room_bytes, vae_precision, wanted.vae_tiling)
    reasons = {
        "precision": why_precision,
        "vae_precision": why_vae,
        "memory": why_memory,
        "vae_slicing": why_slicing,
        "tile_above_px": why_tiling,
    }
    return Plan(precision, vae_precision, memory, vae_slicing, tile_above_px, reasons)


def needed_bytes(size: ModelSize, memory: str, precision: str, vae_precision: str) -> int:
    """Memory where it computes, to draw one picture of the base's own size: an estimate.

    What the denoiser's steps take or what decoding takes, weights included, whichever is more.
    """
    weights = [_part_bytes(size, part, precision, vae_precision) for part in size.parts]
    held = {
        WHOLE: sum(weights),
        MODEL_OFFLOAD: max(weights),
        SEQUENTIAL_OFFLOAD: LARGEST_LAYER * max(weights),
    }
    work = _decoding_bytes(size, min(size.picture_px, size.tile_px), vae_precision)
    denoising = held[memory] + STEP_WORK * work
    decoding = _resident_bytes(size, memory, precision, vae_precision) + work
    return int(max(denoising, decoding))


def _precision(size: ModelSize, machine: Machine, asked: str) -> tuple[str, str]:
    if asked != AUTO:
        return asked, "as asked"
    if machine.kind == "cuda":
        return ("bf16", "this GPU computes in it") if machine.has_bf16 else ("fp16", "this GPU has no bf16")
    needed = needed_bytes(size, WHOLE, "fp32", "fp32")
    if needed > USABLE * machine.free_bytes:
        return "bf16", f"fp32 needs {_gib(needed)} and {_gib(machine.free_bytes)} are free"
    return "fp32", f"full precision, on {machine.kind}"


def _vae_precision(size: ModelSize, precision: str) -> tuple[str, str]:
    if precision == "fp16" and size.vae_overflows_fp16:
        return "fp32", "its numbers are too large for fp16"
    return precision, "as the rest"


def _memory(
    size: ModelSize, machine: Machine, asked: str, precision: str, vae_precision: str
) -> tuple[str, str]:
    if asked != AUTO:
        return asked, "as asked"
    if machine.kind != "cuda":
        return WHOLE, "the weights rest where they are used"
    usable = USABLE * machine.free_bytes
    needs = {plan: needed_bytes(size, plan, precision, vae_precision) for plan in MEMORY_PLANS[1:]}
    memory = next((plan for plan, needed in needs.items() if needed <= usable), SEQUENTIAL_OFFLOAD)
    whole = f"the whole needs {_gib(needs[WHOLE])} and {_gib(machine.free_bytes)} are free"
    weights = sum(_part_bytes(size, part, precision, vae_precision) for part in size.parts)
    if memory != WHOLE and weights > machine.free_ram_bytes:
        whole += f"; main memory has only {_gib(machine.free_ram_bytes)} for {_gib(weights)} of weights"
    return memory, whole


def _vae_slicing(memory: str, asked: bool | None) -> tuple[bool, str]:
    if asked is not None:
        return asked, "as asked"
    return (True, "as weights are offloaded") if memory != WHOLE else (False, "memory suffices")


def _tiling(
    size: ModelSize, room_bytes: float, vae_precision: str, asked: bool | None
) -> tuple[int | None, str]:
    """Side above which the VAE tiles, never below a tile's own; None where no picture is as large."""
    if asked is not None:
        return (size.tile_px if asked else None), "as asked"
    side_px = math.isqrt(max(0, int(room_bytes)) // _decoding_bytes(size, 1, vae_precision))
    left = f"{_gib(room_bytes)} are left for decoding"
    return (max(size.tile_px, side_px) if side_px < LARGEST_PX else None), left


def _resident_bytes(size: ModelSize, memory: str, precision: str, vae_precision: str) -> int:
    """Weights beside the VAE's work while it decodes."""
    there = {WHOLE: tuple(size.parts), MODEL_OFFLOAD: ("vae",), SEQUENTIAL_OFFLOAD: ()}[memory]
    return sum(_part_bytes(size, part, precision, vae_precision) for part in there)


def _part_bytes(size: ModelSize, part: str, precision: str, vae_precision: str) -> int:
    return size.parts.get(part, 0) * BYTES_PER_NUMBER[vae_precision if part == "vae" else precision]


def _decoding_bytes(size: ModelSize, side_px: int, vae_precision: str) -> int:
    """What the VAE holds while it decodes a square picture in one piece."""
    return VAE_MAPS * size.vae_channels * BYTES_PER_NUMBER[vae_precision] * side_px**2


def _gib(num_bytes: float) -> str:
    return f"{max(0.0, num_bytes) / 2**30:.1f} GiB"
