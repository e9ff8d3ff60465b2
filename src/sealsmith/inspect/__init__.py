"""Looking inside: where the words of a prompt act in a picture, with and without a seal.

Not for: verdicts (score/).
"""

from .attention import AttentionMaps, WordMaps, attention_maps, capture_attention
from .heat import inferno, overlay

__all__ = ["AttentionMaps", "WordMaps", "attention_maps", "capture_attention", "inferno", "overlay"]
