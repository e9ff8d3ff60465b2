"""Bases: which model a seal changes. One family a file in `families/`; `open_base` loads one.

Not for: seals (adapters/) or making pictures (generate/).
"""

from .base import Base, open_base
from .family import FAMILIES, TARGET_GROUPS, Family

__all__ = ["FAMILIES", "TARGET_GROUPS", "Base", "Family", "open_base"]
