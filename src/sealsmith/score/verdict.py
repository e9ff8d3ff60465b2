"""What the figures mean: the reasons for which a training counts as failed, and nothing else.

Few and plain, each a fact that makes a seal useless. Leak, drift and adherence are reported, not judged:
how much of them is too much depends on what the seal is for.
"""

import torch

from ..adapters import Seal, largest_change
from ..adapters.changes import tensors
from ..bases import Base
from .scorecard import Fidelity, Margin

MIN_TOP1 = 0.5
"""A seal must be recognised in at least half of the pictures that call it."""
MIN_CHANGE = 1e-4
"""The layer a seal changes most must change by at least this share of its weights' norm. A LoRA that was
never trained changes exactly nothing; a working one changes its strongest layer by some hundredths."""


def weight_reasons(base: Base, seal: Seal) -> list[str]:
    """Why this seal's weights cannot work, so that nothing need be drawn: not finite, or without effect."""
    broken = [
        path
        for path, change in seal.layers.items()
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors(change).values())
    ]
    if broken:
        return [f"The weights are not finite: NaN or infinity in {len(broken)} layers, {broken[0]} first."]
    change = largest_change(base.components, seal)
    if change < MIN_CHANGE:
        return [
            f"The seal changes nothing: its largest change is {change:.1e} of a layer's weights, "
            f"below the bar of {MIN_CHANGE:.0e}."
        ]
    return []


def figure_reasons(fidelity: Fidelity, margin: Margin) -> list[str]:
    """Why what was measured counts as failed; figures that were not measured give no reason."""
    reasons = []
    if margin.value is not None and margin.ci is not None and margin.ci[0] <= 0:
        reasons.append(
            f"The trigger makes no difference above noise: similarity rises by {margin.value:.2f} "
            f"(95 % interval {margin.ci[0]:.2f} to {margin.ci[1]:.2f}, which must lie above 0)."
        )
    if fidelity.top1 is not None and fidelity.top1 < MIN_TOP1:
        reasons.append(
            f"The seal is recognised in {fidelity.top1:.0%} of the pictures that call it; "
            f"at least {MIN_TOP1:.0%} are needed."
        )
    return reasons
