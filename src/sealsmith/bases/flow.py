"""Arithmetic of flow-matching transformers: latents as patches and back, and the shift of their noise levels.

Shape letters: N rows, C channels, h and w of the latents.
"""

from typing import Any

import torch
from torch import Tensor


def pack(latents: Tensor) -> Tensor:
    """2x2 patches as tokens: [N, C, h, w] -> [N, h/2 * w/2, 4 C]."""
    num_rows, channels, height, width = latents.shape
    patches = latents.view(num_rows, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return patches.reshape(num_rows, (height // 2) * (width // 2), channels * 4)


def unpack(tokens: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `pack` for latents `height` x `width`."""
    num_rows, _, channels = tokens.shape
    patches = tokens.view(num_rows, height // 2, width // 2, channels // 4, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return patches.reshape(num_rows, channels // 4, height, width)


def patch_places(num_rows: int, num_columns: int) -> Tensor:
    """[rows * columns, 3]: 0, row and column of each patch."""
    rows, columns = torch.meshgrid(torch.arange(num_rows), torch.arange(num_columns), indexing="ij")
    return torch.stack([torch.zeros_like(rows), rows, columns], dim=-1).reshape(-1, 3)


def num_patches(height: int, width: int) -> int:
    """How many tokens the transformer sees of latents of this size."""
    return (height // 2) * (width // 2)


def shift(config: Any, patches: int) -> float:
    """`mu`, by which larger pictures are given more steps at high noise: linear in the number of patches.

    Source: Esser et al. 2024, arXiv:2403.03206, section 5.3.2.
    """
    few, many = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
    low, high = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
    slope = (high - low) / (many - few)
    return float(patches * slope + (low - slope * few))
