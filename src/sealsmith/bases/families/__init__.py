"""One module a family; importing this package registers them all."""

from . import flux, sd1, sdxl, sealworld

__all__ = ["flux", "sd1", "sdxl", "sealworld"]
