"""Looking inside: where the words of a prompt act in a picture, with and without a seal.

Not for: verdicts (score/).
"""

from .attention import AttentionMaps, WordMaps, attention_maps, before_and_after
from .attention_record import AttentionRecord, Detail, recording
from .heat import inferno, overlay

__all__ = [
    "AttentionMaps",
    "AttentionRecord",
    "Detail",
    "WordMaps",
    "attention_maps",
    "before_and_after",
    "inferno",
    "overlay",
    "recording",
]
