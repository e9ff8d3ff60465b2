"""Bases: which model a seal changes. One family a file in `families/`; `open_base` loads one.

Not for: seals (adapters/) or making pictures (generate/).
"""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .base import Base
    from .conditioning import Conditioning, concatenate
    from .family import FAMILIES, TARGET_GROUPS, Family
    from .opening import open_base
    from .plan import EXACT, Plan, Wanted

__all__ = [
    "EXACT",
    "FAMILIES",
    "TARGET_GROUPS",
    "Base",
    "Conditioning",
    "Family",
    "Plan",
    "Wanted",
    "concatenate",
    "open_base",
]

__getattr__ = lazy_names(
    __name__,
    {
        "base": ("Base",),
        "conditioning": ("Conditioning", "concatenate"),
        "family": ("TARGET_GROUPS", "Family"),
        "opening": ("open_base",),
        "recognise": ("FAMILIES",),  # filled by what this module imports
        "plan": ("EXACT", "Plan", "Wanted"),
    },
)
