"""One module a family; importing this package registers them all."""

from . import sd1, sealworld

__all__ = ["sd1", "sealworld"]
