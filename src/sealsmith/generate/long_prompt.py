"""Prompts longer than a CLIP text encoder: cut into chunks which are encoded one by one and laid end to end.

This is A1111's way. Every chunk has a start and an end of its own, so that a U-Net's cross-attention, which takes
any number of tokens, sees all words; a prompt that fits is one chunk, encoded as ever. Not for: T5, which has a
limit of its own (`fit_prompt` says what it cuts), and prompts that are to be cut (prompt.py).
"""

from collections.abc import Callable, Sequence
from itertools import chain, pairwise
from typing import Any

import torch
from torch import Tensor

from ..bases import Base, Conditioning, concatenate
from ..bases.conditioning import lay_end_to_end
from .prompt import find_run, token_ids

BACKTRACK = 20
"""How many tokens behind a comma may move on to the next chunk, so that the border is at the comma."""
_WORD_END = "</w>"

Keep = Callable[[tuple[object, ...], Callable[[], Conditioning]], Conditioning]
"""What gives a negative prompt's row, by what it is made of: one made before, or what the function makes."""


def made_anew(key: tuple[object, ...], make: Callable[[], Conditioning]) -> Conditioning:
    """Nothing is kept."""
    return make()


def split_prompt(tokenizer: Any, prompt: str, together: Sequence[str] = ()) -> Tensor:
    """Token ids of a prompt's chunks, [chunks, 77]; at least one, and just the tokenizer's own if all fits.

    A border lies behind a comma if there is one near, never inside a word, and never inside one of the texts of
    `together` (triggers), as far as these are shorter than a chunk.
    """
    ids = token_ids(tokenizer, prompt)
    size = tokenizer.model_max_length - tokenizer.num_special_tokens_to_add()
    units = _units(tokenizer, ids, [token_ids(tokenizer, text) for text in together], size)
    comma = tokenizer.convert_tokens_to_ids(f",{_WORD_END}")
    chunks = _fill(units, size, [comma]) or [[]]
    return torch.tensor([_framed(tokenizer, chunk) for chunk in chunks])


def pad_chunks(tokenizer: Any, chunks: Tensor, num_chunks: int) -> Tensor:
    """The chunks with as many empty prompts behind them as make `num_chunks`; [num_chunks, 77]."""
    empty = torch.tensor([_framed(tokenizer, [])])
    return torch.cat([chunks, empty.expand(max(num_chunks - len(chunks), 0), -1)])


def split_pair(
    tokenizer: Any, prompt: str, negative: str, together: Sequence[str] = ()
) -> tuple[Tensor, Tensor]:
    """The chunks of a prompt and of its negative, as many of the one as of the other."""
    pair = split_prompt(tokenizer, prompt, together), split_prompt(tokenizer, negative)
    num_chunks = max(map(len, pair))
    return pad_chunks(tokenizer, pair[0], num_chunks), pad_chunks(tokenizer, pair[1], num_chunks)


def encode_long(
    base: Base, prompt: str, negative: str | None, together: Sequence[str] = (), keep: Keep = made_anew
) -> Conditioning:
    """A prompt of any length as its base's denoiser takes it; behind its negative prompt, if that is no None.

    Without a negative prompt of its own, what guidance pushes away from is as often there as the prompt has
    chunks. A base that reads no chunks cuts both prompts.
    """
    workings = base.family.workings
    tokenizers = workings.chunk_tokenizers(base)
    if not tokenizers:
        row = workings.encode(base, prompt)
        if negative is None:
            return row
        return concatenate([keep((negative,), lambda: workings.unconditional(base, negative)), row])
    pairs = [split_pair(tokenizer, prompt, negative or "", together) for tokenizer in tokenizers]
    row = _encode_chunks(base, [pair[0] for pair in pairs])
    if negative is None:
        return row
    num_chunks = len(pairs[0][0])
    if negative:
        others = [pair[1] for pair in pairs]
        return concatenate([keep((negative, num_chunks), lambda: _encode_chunks(base, others)), row])
    nothing = keep(("",), lambda: workings.unconditional(base))
    return concatenate([lay_end_to_end([nothing] * num_chunks), row])


def _encode_chunks(base: Base, ids: Sequence[Tensor]) -> Conditioning:
    """One row of the chunks' ids, [chunks, 77] for each text encoder."""
    workings = base.family.workings
    chunks = [workings.encode_ids(base, [own[None] for own in each]) for each in zip(*ids, strict=True)]
    return lay_end_to_end(chunks)


def _units(
    tokenizer: Any, ids: Sequence[int], together: Sequence[Sequence[int]], size: int
) -> list[list[int]]:
    """The tokens in pieces that stay whole: words, and runs of words that belong together."""
    tokens = tokenizer.convert_ids_to_tokens(ids)
    ends = {i + 1 for i, token in enumerate(tokens) if token.endswith(_WORD_END)}
    ends |= {i + 1 for i, token in enumerate(ids) if token in tokenizer.all_special_ids}
    for run in together:
        for start in find_run(ids, run) if run else []:
            ends -= set(range(start + 1, start + len(run)))
    borders = [0, *sorted(ends - {len(ids)}), len(ids)]
    words = [list(ids[start:stop]) for start, stop in pairwise(borders)]
    return [word[i : i + size] for word in words for i in range(0, len(word), size)]


def _fill(units: Sequence[list[int]], size: int, comma: list[int]) -> list[list[int]]:
    """The units in chunks of at most `size` tokens, in order."""
    chunks: list[list[int]] = []
    current: list[list[int]] = []
    for unit in units:
        while current and sum(map(len, current)) + len(unit) > size:
            kept = _border(current, comma)
            chunks.append(list(chain(*current[:kept])))
            current = current[kept:]
        current.append(unit)
    return [*chunks, list(chain(*current))] if current else chunks


def _border(units: Sequence[list[int]], comma: list[int]) -> int:
    """How many units of a full chunk stay in it: up to its last comma if that is near its end, else all."""
    num_behind = 0
    for index in range(len(units), 0, -1):
        if units[index - 1] == comma and num_behind <= BACKTRACK:
            return index
        num_behind += len(units[index - 1])
    return len(units)


def _framed(tokenizer: Any, ids: Sequence[int]) -> list[int]:
    framed = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
    return framed + [tokenizer.pad_token_id] * (tokenizer.model_max_length - len(framed))
