"""Trigger words with vectors of their own in a base's prompts, for a while: textual inversion at work.

While attached, a tokenizer writes placeholders for the word, as many as it has vectors, and the text encoder looks
the vectors up in their places. Neither a vocabulary nor a table of embeddings is changed: the pipeline gets a copy
of its tokenizer, and hooks on the text encoder do the rest. Stock pipelines draw with it, too.
"""

import copy
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tokenizers import AddedToken
from torch import Tensor, nn

from .embeddings import lookup_of

_WORD_END = "</w>"
TOKENIZERS = {"text_encoder": "tokenizer", "text_encoder_2": "tokenizer_2"}
"""Text encoder -> its tokenizer, by their names in a pipeline."""


class WordTokenizer:
    """A tokenizer that knows some more words, each of several tokens with numbers from `first_id` on.

    Words are found whole, in any case. Everything else is the copied tokenizer's doing.
    """

    def __init__(self, tokenizer: Any, counts: Mapping[str, int]):
        """`counts`: word -> how many tokens it is."""
        self._tokenizer = tokenizer
        self._inner = copy.deepcopy(tokenizer)
        self.first_id = len(tokenizer)
        self._written: dict[str, str] = {}
        self._beginnings: dict[int, str] = {}
        tokens: list[str] = []
        for number, (word, count) in enumerate(counts.items()):
            own = [f"<|vector-{number}-{index}|>" for index in range(count)]
            own[-1] += _WORD_END  # as CLIP's words end, so that nothing comes between a word's vectors
            self._beginnings[self.first_id + len(tokens)] = word
            tokens += own
            self._written[word.lower()] = "".join(own)
        self._inner.add_tokens([AddedToken(token, normalized=False) for token in tokens])
        assert self._inner.convert_tokens_to_ids(tokens) == list(
            range(self.first_id, self.first_id + len(tokens))
        )
        self._pattern = re.compile(
            "|".join(map(_whole, sorted(counts, key=len, reverse=True))), re.IGNORECASE
        )

    def __getattr__(self, name: str) -> Any:
        if name == "_inner":  # not there yet: this object is being copied
            raise AttributeError(name)
        return getattr(self._inner, name)

    def __len__(self) -> int:
        return len(self._inner)

    def __call__(self, text: str | Sequence[str], *args: Any, **options: Any) -> Any:
        """As the copied tokenizer is called, with one text or several."""
        written = self._write(text) if isinstance(text, str) else [self._write(each) for each in text]
        return self._inner(written, *args, **options)

    def decode(self, ids: Sequence[int], **options: Any) -> str:
        """The text of token numbers, with the words in place of their tokens."""
        parts = []
        for is_known, run in itertools.groupby(ids, key=lambda number: number < self.first_id):
            if is_known:  # the copy is not asked: it has lost how to decode
                parts.append(self._tokenizer.decode(list(run), **options))
            else:
                parts += [self._beginnings[number] for number in run if number in self._beginnings]
        return " ".join(parts)

    def _write(self, text: str) -> str:
        return self._pattern.sub(lambda match: self._written[match[0].lower()], text)


class Words:
    """Vectors for words in one text encoder of a pipeline, from making one on until `remove`."""

    def __init__(self, pipeline: Any, component: str, counts: Mapping[str, int], table: Callable[[], Tensor]):
        """`counts`: word -> V; `table` gives the vectors of all words, [sum of V, D], at each use."""
        self._pipeline, self._attribute = pipeline, TOKENIZERS[component]
        self._tokenizer = getattr(pipeline, self._attribute)
        self._table = table
        self._own = WordTokenizer(self._tokenizer, counts)
        self._places: Tensor | None = None
        self._rows: Tensor | None = None
        text_encoder: nn.Module = getattr(pipeline, component)
        self._handles = [
            text_encoder.register_forward_pre_hook(self._take, with_kwargs=True),
            lookup_of(text_encoder).register_forward_hook(self._put),
        ]
        setattr(pipeline, self._attribute, self._own)

    def remove(self) -> None:
        """Gives the pipeline its own tokenizer back, and takes the hooks off."""
        for handle in self._handles:
            handle.remove()
        setattr(self._pipeline, self._attribute, self._tokenizer)

    @contextmanager
    def off(self) -> Iterator[None]:
        """A context in which the words are read as if they had no vectors."""
        setattr(self._pipeline, self._attribute, self._tokenizer)
        try:
            yield
        finally:
            setattr(self._pipeline, self._attribute, self._own)

    def _take(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Replaces placeholders by a token the encoder knows, and remembers where they were."""
        ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
        first_id = self._own.first_id
        places = ids >= first_id
        self._places = places if bool(places.any()) else None
        if self._places is None:
            return None
        self._rows = ids[places] - first_id
        ids = ids.masked_fill(places, 0)
        return ((), kwargs | {"input_ids": ids}) if "input_ids" in kwargs else ((ids, *args[1:]), kwargs)

    def _put(self, module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        """Puts the vectors where placeholders were."""
        if self._places is None or self._rows is None:
            return output
        table = self._table().to(output)
        return output.masked_scatter(self._places[..., None], table[self._rows.to(table.device)])


def _whole(word: str) -> str:
    """A pattern for the word where it is no part of a longer one; marks at its ends need no such care."""
    before = r"(?<!\w)" if re.match(r"\w", word) else ""
    behind = r"(?!\w)" if re.search(r"\w$", word) else ""
    return before + re.escape(word) + behind
