"""A plain LoRA out of a seal of another kind, at the least loss a rank allows. Not for: DoRA, which has none."""

from dataclasses import replace

from ..adapters import Loss, Seal, shrink

EXTRACTED_NAME = "lora.safetensors"


def extract_lora(seal: Seal, rank: int) -> tuple[Seal, Loss]:
    """The seal's change at `rank` (every layer's nearest, by its singular values), and what that lost.

    Raises: SealShapeError for "dora".
    """
    merged = shrink(seal.layers, rank)
    ranks = [layer.rank for layer in merged.layers.values()]
    header = replace(seal.header, method="lora", rank=max(ranks), alpha=float(max(ranks)), scorecard=None)
    return Seal(header, dict(merged.layers)), merged.loss
