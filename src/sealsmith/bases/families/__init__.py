"""One module a family; importing this package registers them all."""

from . import flux, sd1, sd2, sdxl, sealworld

__all__ = ["flux", "sd1", "sd2", "sdxl", "sealworld"]
