"""Prompts read by the text encoders, once for all who send the same words with the same seals."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..adapters import attached
from ..adapters.strength import Strength
from ..bases import Base, Conditioning
from ..generate import Request
from ..generate.passes import trigger_columns
from ..generate.pipeline import condition
from ..generate.sent_prompt import sent_prompt, sent_triggers
from .fitted import FittedSeal


@dataclass(frozen=True, eq=False)
class ReadPrompt:
    """A prompt as the denoiser takes it."""

    prompt: str
    """As it was sent, with triggers."""
    warnings: tuple[str, ...]
    conditioning: Conditioning
    """One row, or two with guidance: the unconditional one first."""
    columns: tuple[tuple[int, ...], ...] = ()
    """Where each seal's trigger stands in the text, for a picture whose seals are masked by them."""


class Prompts:
    """Reads prompts with the seals' parts in the text encoders, and keeps those read last, and negative ones."""

    def __init__(self, base: Base, max_bytes: int = 256 << 20):
        self._base = base
        self._max_bytes = max_bytes
        self._kept: OrderedDict[object, ReadPrompt | Conditioning] = OrderedDict()
        self._num_bytes = 0

    def read(self, request: Request, seals: Sequence[tuple[FittedSeal, float | Strength]]) -> ReadPrompt:
        """The prompt of a resolved request with these seals.

        Raises: ConfigError when two of them have vectors for one word, or are to be masked and one is not called.
        """
        key = self._key(request, seals)
        if isinstance(kept := self._found(key), ReadPrompt):
            return kept
        texts = [(seal.text, strength) for seal, strength in seals if seal.text is not None]
        whole = [(seal.seal, strength) for seal, strength in seals]
        acting = tuple((seal.key, repr(strength)) for seal, strength in seals if seal.text is not None)

        def keep(negative: tuple[object, ...], make: Callable[[], Conditioning]) -> Conditioning:
            row = self._found((acting, negative))
            if not isinstance(row, Conditioning):
                row = make()
                self._keep((acting, negative), row)
            return row

        with attached(self._base, texts):
            prompt, warnings = sent_prompt(self._base, request, whole)
            row = condition(self._base, request, prompt, sent_triggers(request, whole), keep)
            is_masked = request.mix == "masked" and len(seals) > 1
            columns = trigger_columns(self._base, request, whole, prompt, row) if is_masked else ()
        read = ReadPrompt(prompt, tuple(warnings), row, tuple(columns))
        self._keep(key, read)
        return read

    def _key(self, request: Request, seals: Sequence[tuple[FittedSeal, float | Strength]]) -> object:
        """Everything that what is read depends on."""
        assert request.guidance is not None
        is_guided = self._base.family.workings.is_guided_by_two(self._base, request.guidance)
        guidance = None if is_guided else request.guidance  # a warning names it
        words = (request.prompt, request.negative, request.long_prompts, request.use_trigger)
        acting = tuple((seal.key, repr(strength) if seal.text else "") for seal, strength in seals)
        return words, guidance, acting, request.mix == "masked"

    def _found(self, key: object) -> ReadPrompt | Conditioning | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def _keep(self, key: object, read: ReadPrompt | Conditioning) -> None:
        self._kept[key] = read
        self._num_bytes += _num_bytes(read)
        while self._num_bytes > self._max_bytes and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._num_bytes -= _num_bytes(oldest)


def _num_bytes(read: ReadPrompt | Conditioning) -> int:
    row = read.conditioning if isinstance(read, ReadPrompt) else read
    return sum(tensor.nbytes for tensor in (row.text, row.pooled) if tensor is not None)
