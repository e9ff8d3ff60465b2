"""Rare words that could call a new seal: single tokens which the base, as measured, barely reacts to.

A good trigger moves the picture little before training, so that nothing has to be unlearned, and has an embedding
of its own to learn on. Not for: judging one word that the user chose (trigger_check.py).
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from ..adapters.header_file import read_header
from ..adapters.sidecars import facts_beside
from ..bases import Base, Conditioning
from ..errors import BaseError, ConfigError, SealFormatError
from .trigger_check import is_ordinary_word

ORDINARY_WORDS = (
    "red", "blue", "gold", "wood", "stone", "star", "paper", "metal", "glass", "crown", "fish", "bird", "tree",
    "house", "king", "horse", "dragon", "flower",
)  # fmt: skip
"""What reactions are compared with; those that are one token of the base count."""
NUM_LETTERS = range(3, 6)
MAX_READ = 200
"""Candidates the text encoder reads, the family's own first, then the rarest of the vocabulary."""
MAX_DRAWN = 20
"""Candidates the denoiser sees, those that moved the text encoder least."""
TIMES = (0.95, 0.7, 0.4)
"""Model times of the reaction, as shares of the longest."""
USUAL_NORMS = (0.5, 2.0)
"""What an embedding's length may be, in ordinary words' lengths: a longer or shorter one was hardly trained."""

OnProgress = Callable[[int, int], None]
"""Called with the words measured and the words in all."""


@dataclass(frozen=True)
class Suggestion:
    """One rare word and how the base takes it. 1 is the median of ordinary words in every figure."""

    token: str
    reaction: float
    """How far the denoiser's prediction moves when the word takes the place of "a"; same noise, several times."""
    reading: float
    """How far the text encoder's states move."""
    norm: float
    """Length of the word's embedding."""


@torch.no_grad()
def suggest_triggers(
    base: Base,
    class_noun: str,
    count: int = 5,
    taken: Collection[str] = (),
    on_progress: OnProgress | None = None,
) -> list[Suggestion]:
    """The `count` best triggers for a seal of `class_noun`, the one the base reacts to least first.

    None of `taken` is among them, nor a word that `check_trigger` would warn about.
    Raises: ConfigError for a count below 1 or a blank noun; BaseError when the vocabulary has no such word left.
    """
    if count < 1 or not class_noun.strip():
        raise ConfigError(
            f"{count} triggers for the class noun {class_noun!r} make no sense",
            "ask for one or more, for a noun",
        )
    ordinary = [word for word in ORDINARY_WORDS if _is_single(word, base)]
    words = candidates(base, {class_noun.lower(), *(word.lower() for word in taken)})
    if not words or not ordinary:
        raise BaseError(
            f"the vocabulary of {base.name!r} has no rare words to choose from",
            "take a short word of rare letters that no other seal of yours has",
        )
    norms = _norms(base, [*words, *ordinary])
    usual = median(norms[word] for word in ordinary)
    words = [word for word in words if USUAL_NORMS[0] <= norms[word] / usual <= USUAL_NORMS[1]]
    tell = _Progress(on_progress, 2 * len(ordinary) + len(words) + min(len(words), max(MAX_DRAWN, count)))

    readings = _readings(base, class_noun, [*ordinary, *words], tell)
    words = sorted(words, key=lambda word: readings[word])[: max(MAX_DRAWN, count)]
    reactions = _reactions(base, class_noun, [*ordinary, *words], tell)
    unit_reading, unit_reaction = (median(of[word] for word in ordinary) for of in (readings, reactions))
    found = [
        Suggestion(word, reactions[word] / unit_reaction, readings[word] / unit_reading, norms[word] / usual)
        for word in words
    ]
    return sorted(found, key=lambda suggestion: suggestion.reaction)[:count]


def candidates(base: Base, taken: Collection[str] = ()) -> list[str]:
    """Words to measure: the family's rare tokens, then whole words of 3 to 5 letters, the rarest first.

    A byte-pair vocabulary is in the order in which its pieces were merged, so the last pieces are the rarest.
    """
    vocabulary: dict[str, int] = base.tokenizer.get_vocab()
    whole = {
        piece.removesuffix("</w>"): number for piece, number in vocabulary.items() if piece.endswith("</w>")
    }
    short = [
        word for word in whole
        if len(word) in NUM_LETTERS and word.isascii() and word.isalpha() and word.islower()
    ]  # fmt: skip
    rarest = sorted(short, key=whole.__getitem__, reverse=True)
    every = dict.fromkeys([*base.family.rare_tokens, *rarest])
    fit = (w for w in every if w not in taken and not is_ordinary_word(w, base) and _is_single(w, base))
    return [word for word, _ in zip(fit, range(MAX_READ), strict=False)]


def used_triggers(folder: Path) -> set[str]:
    """The words, in lower case, that call the seals in a folder and all folders in it; none if there is no folder.

    They stand in the files' headers and in the sidecars beside them. Files that cannot be read have no say.
    """
    words: set[str] = set()
    for path in sorted(folder.rglob("*.safetensors")):
        try:
            phrase = read_header(path).metadata.get("modelspec.trigger_phrase", "")
        except SealFormatError:
            continue
        phrases = (phrase, *facts_beside(path).words)
        words.update(word for each in phrases for word in each.lower().replace(",", " ").split())
    return words


class _Progress:
    """Counts words for a caller who may want to know."""

    def __init__(self, on_progress: OnProgress | None, total: int):
        self._on_progress, self._done, self._total = on_progress, 0, total

    def step(self) -> None:
        self._done += 1
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)


def _readings(base: Base, noun: str, words: Iterable[str], tell: _Progress) -> dict[str, float]:
    """How far each word moves the text encoder's states, as a share of their length."""
    plain = _encode(base, "a", noun).text
    distances = {}
    for word in words:
        distances[word] = _distance(_encode(base, word, noun).text, plain)
        tell.step()
    return distances


def _reactions(base: Base, noun: str, words: Sequence[str], tell: _Progress) -> dict[str, float]:
    """How far each word moves the denoiser's prediction, as a share of its length."""
    generator = torch.Generator("cpu").manual_seed(0)
    noise = torch.randn(1, *base.latent_shape, generator=generator).to(base.device, base.dtype)
    plain = _predict(base, noise, _encode(base, "a", noun))
    distances = {}
    for word in words:
        distances[word] = _distance(_predict(base, noise, _encode(base, word, noun)), plain)
        tell.step()
    return distances


def _encode(base: Base, word: str, noun: str) -> Conditioning:
    return base.family.workings.encode(base, f"a photo of {word} {noun}")


def _predict(base: Base, noise: Tensor, conditioning: Conditioning) -> Tensor:
    """The predictions for one noise at all `TIMES`."""
    longest = base.scheduler.config.num_train_timesteps
    times = [torch.tensor(int(share * longest), device=base.device) for share in TIMES]
    guidance = base.family.training_guidance
    return torch.cat([base.family.workings.predict(base, noise, t, conditioning, guidance) for t in times])


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one.float() - other.float()).norm() / other.float().norm())


def _norms(base: Base, words: Iterable[str]) -> dict[str, float]:
    """Length of each word's own row in the first text encoder's embedding."""
    rows = base.text_encoder.get_input_embeddings().weight
    vocabulary = base.tokenizer.get_vocab()
    return {word: float(rows[vocabulary[f"{word}</w>"]].float().norm()) for word in words}


def _is_single(word: str, base: Base) -> bool:
    pieces: list[str] = base.tokenizer.tokenize(word)
    return pieces == [f"{word}</w>"]
