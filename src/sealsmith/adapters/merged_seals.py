"""Several seals as one seal: their layers merged (merge.py), under a header that says where it came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import BaseMismatchError, ConfigError, SealEffectError
from .changes import has_effect
from .merge import Loss, MergeSettings, OnLayer, merge
from .seal import Seal, SealHeader


@dataclass(frozen=True)
class MergedSeal:
    """A merged seal and what merging lost of each of its layers, by path."""

    seal: Seal
    losses: dict[str, Loss]
    loss: Loss
    """Of all layers together."""


def merge_seals(
    seals: Sequence[tuple[Seal, float]],
    settings: MergeSettings,
    title: str,
    created: str = "",
    on_layer: OnLayer | None = None,
) -> MergedSeal:
    """The seals with their weights as one; the first one's trigger and class noun are its own.

    All triggers, weights and titles stay in the header under `training["merge"]`; `created` is ISO 8601.
    Raises: BaseMismatchError for seals of several families; SealEffectError when their sum is zero; else as
    `merge` does.
    """
    for seal, _ in seals:
        if not seal.is_weights_alone:
            raise ConfigError(
                f"seal {seal.name!r} holds vectors or hypernetworks, which cannot be merged",
                "draw with the seals together instead",
            )
    common = _common([seal.header for seal, _ in seals])
    merged = merge([(seal.layers, weight) for seal, weight in seals], settings, on_layer)
    if not any(has_effect(layer) for layer in merged.layers.values()):
        raise SealEffectError(
            f"the seals cancel each other out: with the weights {[weight for _, weight in seals]} nothing is left",
            "give other weights",
        )
    rank = max(layer.rank for layer in merged.layers.values())
    header = SealHeader(
        **common,
        rank=rank,
        alpha=float(rank),
        targets=tuple(sorted({target for seal, _ in seals for target in seal.header.targets})),
        title=title,
        created=created,
        training={"merge": _origin(seals, settings, merged.loss)},
        merged_from=tuple(seal.name for seal, _ in seals),
    )
    return MergedSeal(Seal(header, dict(merged.layers)), merged.losses, merged.loss)


def triggers(seals: Sequence[tuple[Seal, float]]) -> tuple[str, ...]:
    """All triggers, the main one first, each once."""
    return tuple(dict.fromkeys(seal.header.trigger for seal, _ in seals if seal.header.trigger))


def _common(headers: Sequence[SealHeader]) -> dict[str, Any]:
    """What a merged header takes over from its parts: the first one's words, and what all agree on."""
    if not headers:
        raise ConfigError("there is nothing to merge", "name at least one seal")
    families = sorted({header.family for header in headers} - {""})
    if len(families) > 1:
        raise BaseMismatchError(
            f"seals of the families {', '.join(families)} cannot be merged", "merge seals of one family"
        )
    first = headers[0]
    return {
        "trigger": next((header.trigger for header in headers if header.trigger), ""),
        "class_noun": first.class_noun,
        "family": families[0] if families else "",
        "resolution_px": max(header.resolution_px for header in headers),
        "architecture": next((header.architecture for header in headers if header.architecture), ""),
        "kohya_version": next((header.kohya_version for header in headers if header.kohya_version), ""),
        **_common_base(headers),
    }


def _common_base(headers: Sequence[SealHeader]) -> dict[str, str]:
    """The base all known parts were trained on; of several, none."""
    bases = {header.base_digest: header.base for header in headers if header.base_digest}
    [(digest, name)] = bases.items() if len(bases) == 1 else [("", "")]
    return {"base": name, "base_digest": digest}


def _origin(seals: Sequence[tuple[Seal, float]], settings: MergeSettings, loss: Loss) -> dict[str, Any]:
    details = {"ties": ("density",), "dare": ("drop", "seed"), "dare-ties": ("drop", "seed")}
    return {
        "method": settings.method,
        **{name: getattr(settings, name) for name in details.get(settings.method, ())},
        "relative_error": loss.relative,
        "triggers": list(triggers(seals)),
        "seals": [
            {
                "title": seal.name,
                "weight": weight,
                "trigger": seal.header.trigger,
                "class_noun": seal.header.class_noun,
            }
            for seal, weight in seals
        ],
    }
