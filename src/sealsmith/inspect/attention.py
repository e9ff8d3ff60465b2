"""Attention maps: which places of a picture act together with which words, before and after a seal.

The same prompt is drawn twice from the same seed, by the base alone and with the seals, both times with the
trigger in it; attention_record.py reads along. Not for: showing maps (heat.py, attention_page.py) or numbers of
them (attention_figures.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ..bases import Base
from ..generate import Picture, Request, generate
from ..generate.mixing import Seals
from ..generate.pipeline import OnStep
from ..generate.prompt import fit_prompt
from ..generate.prompt_tokens import PromptTokens, lay_out_prompt, telling_words
from ..generate.sent_prompt import sent_triggers, with_triggers
from .attention_record import CONDITIONAL, UNCONDITIONAL, AttentionRecord, Detail, recording


@dataclass(frozen=True)
class WordMaps:
    """One run looked at: its picture and where each token and word acted."""

    picture: Picture
    record: AttentionRecord
    rows: Mapping[str, tuple[int, ...]]
    """Word -> its rows of the prompt's own half."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture."""
        height, width = self.picture.pixels.shape[1:]
        return height, width

    @cached_property
    def tokens(self) -> Tensor:
        """[R, H, W], shares of attention averaged over all: of a U-Net they sum to 1 over rows at every place."""
        return self.record.maps(*self.size)

    @cached_property
    def words(self) -> dict[str, Tensor]:
        """Word or phrase -> [H, W], the sum over its tokens, averaged over steps and layers."""
        return {word: self.tokens[list(rows)].sum(0) for word, rows in self.rows.items()}

    def word(
        self, word: str, size: tuple[int, int], steps: int | None = None, layers: str | None = None
    ) -> Tensor:
        """[H, W] of one word in one step group and one layer group, or all. Raises: KeyError, ValueError."""
        return self.record.maps(*size, CONDITIONAL, steps, layers, self.rows[word]).sum(0)


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
    """Maps of the prompt's words before and after the seals; the prompt is taken as it stands, and cut if long.

    `words` may be phrases ("wax seal"). Raises as `before_and_after` does.
    """
    request = Request(prompt, seed=seed, num_steps=num_steps, use_trigger=False, long_prompts="cut")
    return before_and_after(base, request, seals, words)


def before_and_after(
    base: Base,
    request: Request,
    seals: Seals,
    words: Sequence[str] | None = None,
    detail: Detail | None = None,
    on_step: OnStep | None = None,
) -> AttentionMaps:
    """The first picture of a request looked at twice: without the seals and with them, the prompt the same.

    Triggers are inserted as `generate` inserts them, in both. Without `words`, maps are of the triggers and of all
    the prompt's words that name something. `on_step` counts the steps of both pictures.
    Raises: ConfigError when a word is not in the prompt, as far as the text encoder reads it, and what `generate`
    raises.
    """
    sent = sent_prompt(base, request, seals)
    request = replace(request, prompt=sent, num_pictures=1).resolved(base)
    kept = sent_triggers(request, seals)
    if words is None:
        read = tokens_of_halves(base, request, kept)[CONDITIONAL]
        words = [word for word in telling_words(sent, kept) if read.has(word)]
    without = replace(request, use_trigger=False)

    def halfway(offset: int) -> OnStep | None:
        return on_step and (lambda done, total: on_step(done + offset * total, 2 * total))

    return AttentionMaps(
        look(base, without, (), words, (), detail, halfway(0)),
        look(base, request, seals, words, kept, detail, halfway(1)),
    )


@torch.no_grad()
def look(
    base: Base,
    request: Request,
    seals: Seals,
    words: Sequence[str],
    together: Sequence[str] = (),
    detail: Detail | None = None,
    on_step: OnStep | None = None,
) -> WordMaps:
    """The picture of a resolved request, its attention recorded; `together`: triggers kept in one chunk.

    Several seals are added up: where each has passes of its own, a step has no one attention to show.

    Raises: ConfigError when a word is not among those the text encoder reads.
    """
    tokens = tokens_of_halves(base, request, together)
    rows = {word: tokens[CONDITIONAL].find(word) for word in words}
    assert request.num_steps is not None
    channels, height, width = base.latent_shape_of(*request.size_px)
    latents = torch.empty(1, channels, height, width)
    num_passes = len(
        base.family.workings.scheduler(base, request.num_steps, latents, request.sampler).timesteps
    )
    record = AttentionRecord(tokens, (height, width), num_passes, detail)
    with recording(base, record):
        [picture] = generate(base, replace(request, mix="sum"), seals, on_step)
    return WordMaps(picture, record, rows)


def sent_prompt(base: Base, request: Request, seals: Seals) -> str:
    """The prompt that `generate` sends for a request with these seals: triggers inserted and inside the limit."""
    prompt = with_triggers(base, request, seals)
    if request.long_prompts == "cut" or not base.family.workings.chunk_tokenizers(base):
        prompt = fit_prompt(
            base.prompt_tokenizer, prompt, base.prompt_tokens, sent_triggers(request, seals)
        ).prompt
    return prompt


def tokens_of_halves(base: Base, request: Request, together: Sequence[str]) -> dict[str, PromptTokens]:
    """The tokens of the prompt's half and of the half that guidance pushes away from, as many columns in each."""
    is_cut = request.long_prompts == "cut"
    texts = {CONDITIONAL: (request.prompt, together), UNCONDITIONAL: (request.negative, ())}
    longest = max(
        len(lay_out_prompt(base, text, kept, is_cut).columns) // base.prompt_tokenizer.model_max_length
        for text, kept in texts.values()
    )
    return {half: lay_out_prompt(base, text, kept, is_cut, longest) for half, (text, kept) in texts.items()}
