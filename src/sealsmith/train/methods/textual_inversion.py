"""`textual-inversion`: vectors for the trigger word, which the text encoders look up in its place.

Source: Gal et al. 2022, arXiv:2208.01618. Differs: several vectors a word; steps are measured in the vocabulary's
own units, so that one learning rate serves every base; weight decay pulls to the first vectors, not to zero; no
vector becomes longer than `MAX_NORM` times the vocabulary's longest.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from ...adapters.embeddings import MAX_VECTORS, Embeddings, lookup_of
from ...adapters.words import TOKENIZERS, Words
from ...bases import Base
from ...errors import ConfigError
from ...generate.prompt import token_ids
from ..config import TrainConfig
from .protocol import Adaptation

LEARNING_RATE = 0.2
"""In deviations of the vocabulary's entries, a step."""
MAX_NORM = 1.5


class TextualInversion:
    name = "textual-inversion"

    def completed(self, base: Base, config: TrainConfig) -> TrainConfig:
        """No prior and no dropped captions: without the trigger in it no prompt teaches its vectors anything."""
        return replace(
            config,
            learning_rate=config.learning_rate or LEARNING_RATE,
            targets=config.targets or base.family.default_targets,
            init=config.init or "gaussian",
            prior="none" if config.prior == "adapter-off" else config.prior,
            caption_dropout=0.0,
            attention_weight=config.attention_weight or 0.0,
        )

    def bears_bf16(self, config: TrainConfig) -> bool:
        return False

    def check(self, base: Base, config: TrainConfig) -> None:
        check_vectors(base, config)
        if config.prior == "pictures":
            raise ConfigError(
                "a textual inversion learns nothing from class pictures: their prompts lack the trigger",
                "leave the prior out",
            )
        if config.train_text_encoder:
            raise ConfigError(
                "a textual inversion leaves the text encoder as it is", "use the method dreambooth"
            )

    @contextmanager
    def attached(self, base: Base, config: TrainConfig) -> Iterator["InvertedWord"]:
        with inverted(base, config, unit=1.0) as word:
            yield word


def check_vectors(base: Base, config: TrainConfig) -> None:
    """Raises: ConfigError when the vectors have no place in a prompt, or nothing to begin as, or their attention is
    to be taught."""
    if config.attention_weight:
        raise ConfigError(
            f"attention_weight is {config.attention_weight}, and a trigger of vectors is several tokens",
            "leave it out, or use the method lora",
        )
    if config.num_vectors > MAX_VECTORS // 2:
        raise ConfigError(
            f"{config.num_vectors} vectors leave no place for other words",
            f"give 1 to {MAX_VECTORS // 2}; more than 8 rarely help",
        )
    if config.init_word is not None and not token_ids(base.tokenizer, config.init_word):
        raise ConfigError(f"the initial word {config.init_word!r} is blank", "name a word the base knows")


@contextmanager
def inverted(base: Base, config: TrainConfig, unit: float) -> Iterator["InvertedWord"]:
    """A context in which the trigger has vectors of its own; `unit` scales what a learning rate of 1 moves them."""
    tables = {
        name: WordTable(base, name, config.init_word or config.class_noun or base.family.class_noun,
                        config.num_vectors, unit)
        for name in base.family.text_encoders
    }  # fmt: skip
    with ExitStack() as stack:
        words = {}
        for name, table in tables.items():
            words[name] = Words(base.pipeline, name, {config.trigger: config.num_vectors}, table.vectors)
            stack.callback(words[name].remove)
        yield InvertedWord(config.trigger, tables, words)


class WordTable:
    """The vectors of one word in one text encoder: where they began, and how far they have come since."""

    def __init__(self, base: Base, name: str, init_word: str, num_vectors: int, unit: float):
        table = lookup_of(base.components[name]).weight
        assert isinstance(table, Tensor)
        known = table.detach().float()
        ids = token_ids(getattr(base.pipeline, TOKENIZERS[name]), init_word)
        self._first = known[[ids[index % len(ids)] for index in range(num_vectors)]]
        self._unit = unit * float(known.std())
        self._max_norm = MAX_NORM * float(known.norm(dim=1).max())
        self.offset = nn.Parameter(torch.zeros_like(self._first))

    def vectors(self) -> Tensor:
        """[V, D], float32, none longer than allowed; gradients flow to `offset`."""
        moved = self._first + self._unit * self.offset
        norms = moved.norm(dim=1, keepdim=True)
        return moved * (self._max_norm / norms.clamp(min=self._max_norm))


class InvertedWord(Adaptation):
    """A base whose text encoders look up trainable vectors for one word."""

    trains_text = True

    def __init__(self, trigger: str, tables: Mapping[str, WordTable], words: Mapping[str, Words]):
        self._trigger = trigger
        self._tables = tables
        self._words = words
        self.parameters = {f"{name}.offset": table.offset for name, table in tables.items()}

    def embeddings(self) -> Embeddings:
        return {self._trigger: {name: table.vectors().detach().cpu() for name, table in self._tables.items()}}

    @contextmanager
    def off(self) -> Iterator[None]:
        with ExitStack() as stack:
            for words in self._words.values():
                stack.enter_context(words.off())
            yield


TEXTUAL_INVERSION = TextualInversion()
