"""Cross-attention maps: which places of a picture listen to which words, before and after a seal.

Every cross-attention layer spreads each place's attention over the prompt's tokens; these probabilities are
averaged over heads, layers and steps of one run. The picture is the same as without looking, to the bit: the
layers' own processors still do the work, a second one only reads along. Not for: showing maps (heat.py).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..bases import Base
from ..errors import ConfigError
from ..generate import Picture, Request, generate
from ..generate.mixing import Seals

# Shape suffixes: A heads, P places of a layer, K tokens; H W are the picture's pixels


@dataclass(frozen=True)
class WordMaps:
    """One run looked at: its picture and where each token and word acted."""

    picture: Picture
    tokens: Tensor
    """[K, H, W], shares of attention: they sum to 1 over tokens at every place."""
    words: Mapping[str, Tensor]
    """Word of the prompt -> [H, W], the sum over its tokens."""


@dataclass(frozen=True)
class AttentionMaps:
    """The same prompt and seed before (base alone) and after (with the seals)."""

    before: WordMaps
    after: WordMaps


def attention_maps(
    base: Base,
    prompt: str,
    seals: Seals,
    seed: int,
    num_steps: int | None = None,
    words: Sequence[str] = (),
) -> AttentionMaps:
    """Maps of the prompt's words before and after the seals; `words` may be phrases ("wax seal").

    The prompt is taken as it stands: no trigger is inserted.
    Raises: ConfigError when a word is not in the prompt, as far as the text encoder reads it.
    """
    token_places = {word: find_tokens(base.tokenizer, prompt, word) for word in words}
    request = Request(prompt, seed=seed, num_steps=num_steps, use_trigger=False, long_prompts="cut")
    return AttentionMaps(_look(base, request, (), token_places), _look(base, request, seals, token_places))


def find_tokens(tokenizer: Any, prompt: str, word: str) -> tuple[int, ...]:
    """Positions of a word or phrase among the prompt's tokens, wherever it stands.

    Raises: ConfigError when it isn't there.
    """
    ids = tokenizer(prompt, truncation=True, max_length=tokenizer.model_max_length).input_ids
    wanted = tokenizer(word, add_special_tokens=False).input_ids
    starts = [i for i in range(len(ids) - len(wanted) + 1) if wanted and ids[i : i + len(wanted)] == wanted]
    if not starts:
        raise ConfigError(
            f"{word!r} is not among the words of {prompt!r}", "name words as the prompt has them"
        )
    return tuple(i for start in starts for i in range(start, start + len(wanted)))


class AttentionRecord:
    """Running mean of attention shares over heads, layers and steps, at the size of the finest layer."""

    def __init__(self) -> None:
        self.num_calls = 0
        self._sums: dict[int, Tensor] = {}

    def add(self, shares_APK: Tensor) -> None:
        """Takes one layer's shares at one step for the one picture looked at."""
        self.num_calls += 1
        mean_PK = shares_APK.float().mean(0)
        places = mean_PK.shape[0]
        self._sums[places] = self._sums.get(places, torch.zeros_like(mean_PK)) + mean_PK

    def maps(self, height_px: int, width_px: int) -> Tensor:
        """Mean shares of every token, [K, H, W]; every layer and step counts alike.

        Raises: ValueError when nothing was recorded.
        """
        if not self._sums:
            raise ValueError("no cross-attention was recorded")
        total = torch.zeros(())
        for places, sums_PK in self._sums.items():
            rows = math.isqrt(places * height_px // width_px)
            grid = sums_PK.T.reshape(1, -1, rows, places // rows)
            total = total + F.interpolate(grid, (height_px, width_px), mode="bilinear")[0]
        return total / self.num_calls


class _ReadingProcessor:
    """A layer's own processor, its attention shares read along; what the layer computes is not touched."""

    def __init__(self, own: Any, record: AttentionRecord):
        self.own = own
        self.record = record

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        assert encoder_hidden_states is not None, "cross-attention reads the prompt"
        query = attn.head_to_batch_dim(attn.to_q(hidden_states[-1:]))
        key = attn.head_to_batch_dim(attn.to_k(encoder_hidden_states[-1:]))
        self.record.add(attn.get_attention_scores(query, key))
        result: Tensor = self.own(attn, hidden_states, encoder_hidden_states, attention_mask, *args, **kwargs)
        return result


@contextmanager
def capture_attention(unet: Any) -> Iterator[AttentionRecord]:
    """A context in which the U-Net's cross-attention is recorded for the last picture of each batch.

    With guidance that is the conditional one. Afterwards every layer has the very processor it had before.
    """
    record = AttentionRecord()
    layers = [module for name, module in unet.named_modules() if name.endswith("attn2")]
    own = [layer.processor for layer in layers]
    try:
        for layer in layers:
            layer.set_processor(_ReadingProcessor(layer.processor, record))
        yield record
    finally:
        for layer, processor in zip(layers, own, strict=True):
            layer.set_processor(processor)


@torch.no_grad()
def _look(
    base: Base,
    request: Request,
    seals: Seals,
    token_places: Mapping[str, tuple[int, ...]],
) -> WordMaps:
    with capture_attention(base.unet) as record:
        [picture] = generate(base, request, seals)
    tokens = record.maps(*picture.pixels.shape[1:]).cpu()
    return WordMaps(picture, tokens, {word: tokens[list(at)].sum(0) for word, at in token_places.items()})
