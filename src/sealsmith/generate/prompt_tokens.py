"""A prompt's tokens as a denoiser's attention meets them: which of its columns is which word.

A text encoder pads a prompt to its limit, and long prompts come in several chunks, each with a start and an end of
its own. Maps are kept for the prompt's own tokens; all starts are one row and all that stands behind the words
(end and padding) another, so that no attention is lost and little memory is used.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..bases import Base
from ..bases.workings import token_ids
from ..errors import ConfigError
from .long_prompt import pad_chunks, split_prompt
from .prompt import find_run
from .prompt import token_ids as word_ids

START, END = "(start)", "(end)"
FUNCTION_WORDS = frozenset(
    (
        "a", "an", "and", "are", "as", "at", "by", "for", "from", "in", "into", "is", "it", "its", "of", "off",
        "on", "or", "out", "over", "the", "to", "under", "up", "with",
    )
)  # fmt: skip
"""English words that name nothing one could look for in a picture."""


@dataclass(frozen=True)
class PromptTokens:
    """The rows that maps are kept for, and the row of every column of the denoiser's text."""

    tokenizer: Any
    ids: tuple[int, ...]
    """The prompt's own tokens, in order, as far as the text encoder reads them."""
    columns: tuple[int, ...]
    """Row of each position of the text, starts, ends and padding counted."""

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """What each row stands for: the prompt's tokens as text, then START and END."""
        own = [self.tokenizer.decode([token]).strip() for token in self.ids]
        return (*own, START, END)

    @property
    def num_rows(self) -> int:
        return len(self.ids) + 2

    def merged(self, shares: Tensor) -> Tensor:
        """[K, P] for every column -> [rows, P], the columns of a row summed.

        Raises: ValueError where the denoiser reads another number of tokens.
        """
        if len(shares) != len(self.columns):
            raise ValueError(f"the denoiser reads {len(shares)} tokens, the prompt has {len(self.columns)}")
        rows = torch.tensor(self.columns, device=shares.device)
        return shares.new_zeros(self.num_rows, shares.shape[1]).index_add_(0, rows, shares)

    def has(self, word: str) -> bool:
        """Whether the text encoder reads that word or phrase."""
        wanted = word_ids(self.tokenizer, word)
        return bool(wanted and find_run(self.ids, wanted))

    def find(self, word: str) -> tuple[int, ...]:
        """Rows of a word or phrase, wherever it stands; across the border of chunks too.

        Raises: ConfigError when it isn't there.
        """
        wanted = word_ids(self.tokenizer, word)
        starts = find_run(self.ids, wanted) if wanted else []
        if not starts:
            raise ConfigError(
                f"{word!r} is not among the words the text encoder reads: {' '.join(self.texts[:-2])!r}",
                "name words as the prompt has them",
            )
        return tuple(sorted({row for start in starts for row in range(start, start + len(wanted))}))

    def columns_of(self, word: str) -> tuple[int, ...]:
        """Columns of the denoiser's text where a word or phrase stands; none where it does not."""
        rows = self.find(word) if self.has(word) else ()
        return tuple(column for column, row in enumerate(self.columns) if row in rows)


def lay_out_prompt(
    base: Base, prompt: str, together: Sequence[str] = (), is_cut: bool = False, num_chunks: int = 1
) -> PromptTokens:
    """The tokens of a prompt as `generate` sends it.

    `together` are texts that no border of chunks divides; at least `num_chunks` chunks are counted.
    """
    tokenizer = base.prompt_tokenizer
    if base.family.workings.chunk_tokenizers(base) and not is_cut:
        chunks = pad_chunks(tokenizer, split_prompt(tokenizer, prompt, together), num_chunks)
    else:
        chunks = token_ids(tokenizer, prompt, base.prompt_tokens)
    return lay_out_chunks(tokenizer, chunks.tolist())


def lay_out_chunks(tokenizer: Any, chunks: Sequence[Sequence[int]]) -> PromptTokens:
    """Rows and columns of framed chunks: a start where the tokenizer has one, words, an end, padding."""
    ids: list[int] = []
    kinds: list[int | str] = []
    for chunk in chunks:
        has_start = tokenizer.bos_token_id is not None and chunk[0] == tokenizer.bos_token_id
        end = chunk.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in chunk else len(chunk)
        words = chunk[int(has_start) : end]
        kinds += [START] * has_start + list(range(len(ids), len(ids) + len(words)))
        kinds += [END] * (len(chunk) - end)
        ids += words
    frame = {START: len(ids), END: len(ids) + 1}
    return PromptTokens(
        tokenizer, tuple(ids), tuple(frame[kind] if isinstance(kind, str) else kind for kind in kinds)
    )


def telling_words(prompt: str, first: Iterable[str] = ()) -> tuple[str, ...]:
    """The words of a prompt that name something, in order, each once, behind those of `first` it holds."""
    found = re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", prompt)
    leading = [word for word in first if word and word.lower() in prompt.lower()]
    rest = [word for word in found if word.lower() not in FUNCTION_WORDS]
    unique = {word.lower(): word for word in reversed([*leading, *rest])}
    return tuple(unique[key] for key in dict.fromkeys(word.lower() for word in [*leading, *rest]))
