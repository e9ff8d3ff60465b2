"""What a prompt becomes before it steers a denoiser: tensors whose rows are prompts.

Shape letters: N prompts, L tokens, D text width, P pooled width.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Conditioning:
    """The encoded form of N prompts. Rows are picked by indexing and put together by `concatenate`."""

    text: Tensor
    """[N, L, D]"""
    pooled: Tensor | None = None
    """[N, P], one vector a prompt, for families whose denoiser also reads that."""

    def __len__(self) -> int:
        return len(self.text)

    def __getitem__(self, rows: slice | Tensor) -> "Conditioning":
        return Conditioning(self.text[rows], None if self.pooled is None else self.pooled[rows])

    def zeros(self) -> "Conditioning":
        """As many rows, all of them zero."""
        pooled = None if self.pooled is None else torch.zeros_like(self.pooled)
        return Conditioning(torch.zeros_like(self.text), pooled)

    def is_equal(self, other: "Conditioning") -> bool:
        """Whether both are the same, bit for bit."""
        if (self.pooled is None) != (other.pooled is None):
            return False
        pooled_equal = self.pooled is None or torch.equal(self.pooled, other.pooled)  # type: ignore[arg-type]
        return pooled_equal and torch.equal(self.text, other.text)


def concatenate(parts: Sequence[Conditioning]) -> Conditioning:
    """All rows of `parts`, in order. The parts must be of one family."""
    pooled = [part.pooled for part in parts if part.pooled is not None]
    return Conditioning(torch.cat([part.text for part in parts]), torch.cat(pooled) if pooled else None)


def lay_end_to_end(chunks: Sequence[Conditioning]) -> Conditioning:
    """The chunks of one prompt as one row: text along the tokens, the pooled vector of the first."""
    return Conditioning(torch.cat([chunk.text for chunk in chunks], dim=1), chunks[0].pooled)
