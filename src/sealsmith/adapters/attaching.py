"""Putting seals beside a base's layers and taking them off again.

Every changed layer gets a hook that adds the seals' part to what the layer computes. The base's own modules and
weights are never touched, so detaching restores it exactly; and where its weights rest (offloaded, quantised,
in half precision) is no concern of the seals. Not for: what a seal adds (beside.py), the weights (fuse.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..errors import ConfigError
from .beside import InputParts, OutputParts, factor_at, parts_beside
from .embeddings import at_strength, embedding_path
from .fit import Fit
from .match import AttachableBase, AttachReport, Weighted, match_seal
from .seal import Seal
from .words import Words


@dataclass
class Attachment:
    """Seals on a base. `at` tells them what time it is; only strengths that change with it need to know."""

    reports: tuple[AttachReport, ...] = ()
    _layers: Sequence[OutputParts | InputParts] = field(default=(), repr=False)
    _handles: list[RemovableHandle | Words] = field(default_factory=list, repr=False)

    def at(self, step: int, num_steps: int) -> None:
        """Sets every layer's strength for step `step` of `num_steps`, counted from 0."""
        for layer in self._layers:
            layer.at(step, num_steps)

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()


_ATTACHED: "WeakKeyDictionary[nn.Module, Attachment]" = WeakKeyDictionary()


def attach(base: AttachableBase, seals: Weighted) -> Attachment:
    """Puts seals beside the layers of the base at their strengths, as they are at a picture's first step.

    All seals are checked before the first is attached: after an error the base is as it was.
    Raises: ConfigError for a strength that is no finite number, or seals already on the base;
    BaseMismatchError for a seal of another family or one with no layer in this one; SealShapeError;
    SealEffectError for one that changes nothing.
    """
    fits = match_seals(base, seals)
    words = _words(base, seals, [fit for fit, _ in fits])
    outputs, inputs = parts_beside([(fit, each[1]) for (fit, _), each in zip(fits, seals, strict=True)])
    handles: list[RemovableHandle | Words] = []
    handles += [each.module.register_forward_hook(each.add) for each in outputs]
    handles += [each.module.register_forward_pre_hook(each.add) for each in inputs]
    handles += [_attached_words(base, component, vectors) for component, vectors in words.items()]
    attachment = Attachment(tuple(report for _, report in fits), [*outputs, *inputs], handles)
    attachment.at(0, 1)
    if seals:
        _ATTACHED.update(dict.fromkeys(base.components.values(), attachment))
    return attachment


def detach(base: AttachableBase) -> None:
    """Takes all seals off the base: no hook of ours is left, the weights were never touched."""
    for component in base.components.values():
        if (attachment := _ATTACHED.pop(component, None)) is not None:
            attachment.remove()


def is_attached(base: AttachableBase) -> bool:
    """Whether seals are on the base, ours or PEFT's."""
    parts = base.components.values()
    return any(part in _ATTACHED or getattr(part, "peft_config", None) for part in parts)


@contextmanager
def attached(base: AttachableBase, seals: Weighted) -> Iterator[Attachment]:
    """A context in which seals are on the base; without seals it leaves the base entirely alone."""
    if not seals:
        yield Attachment()
        return
    attachment = attach(base, seals)
    try:
        yield attachment
    finally:
        detach(base)


def match_seals(base: AttachableBase, seals: Weighted) -> list[tuple[Fit, AttachReport]]:
    """For each seal its layers that the base has, and the account of all; changes nothing.

    Raises: as `attach` does.
    """
    if is_attached(base):
        raise ConfigError(
            "the base already carries adapters", "detach them first; give all seals in one call"
        )
    return [match_seal(base, seal, strength) for seal, strength in seals]


def _words(base: AttachableBase, seals: Weighted, fits: Sequence[Fit]) -> dict[str, dict[str, Tensor]]:
    """Text encoder -> word -> vectors at their strength. At strength 0 a word is read as if it had none.

    Raises: ConfigError for a word that several seals have vectors for.
    """
    words: dict[str, dict[str, Tensor]] = {}
    owners: dict[str, Seal] = {}
    for (seal, strength), fit in zip(seals, fits, strict=True):
        for trigger, vectors in fit.embeddings.items():
            other = owners.setdefault(trigger.lower(), seal)
            if other is not seal:
                raise ConfigError(
                    f"the seals {other.name!r} and {seal.name!r} both have vectors for {trigger!r}",
                    "use one of them",
                )
            for component, each in vectors.items():
                factor = factor_at(strength, embedding_path(component, trigger), 0, 1)
                if factor:
                    scaled = at_strength(each, factor, base.components[component])
                    words.setdefault(component, {})[trigger] = scaled
    return words


def _attached_words(base: AttachableBase, component: str, vectors: Mapping[str, Tensor]) -> Words:
    table = torch.cat(list(vectors.values()))
    counts = {word: len(each) for word, each in vectors.items()}
    return Words(base.pipeline, component, counts, lambda: table)
