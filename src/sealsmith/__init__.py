"""Sealsmith teaches a text-to-image diffusion model a personal seal and proves that it did."""

__version__ = "0.1.0"
