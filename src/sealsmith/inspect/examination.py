"""What a seal file is, all of it: whose, for what, how large its changes are, and whether it fits a base.

Not for: what the seal draws (score/), or where its trigger acts (attention.py).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ..adapters import Change, Decomposed, Seal, fit_seal, read_seal
from ..adapters.beside import weight_of
from ..adapters.changes import tensors
from ..adapters.fit import NO_EFFECT, Fit, advice
from ..adapters.foreign_header import foreign_header
from ..adapters.hashes import hash_file
from ..adapters.sidecars import facts_beside
from ..adapters.spectrum import Spectrum, spectra
from ..bases import Base
from ..bases.architectures import PARTS, full_size
from .ablation import role_shares

SMALLEST_CHANGE = 1e-6
"""Relative to its layer's weights; what is smaller vanishes in float32's rounding."""
UNKNOWN_FAMILY = "unknown family"


@dataclass(frozen=True)
class LayerFacts:
    """One layer's change."""

    path: str
    kind: str
    rank: int
    alpha: float
    norm: float
    """Frobenius norm at strength 1; of "dora" without weights at hand, that of its low-rank part."""
    relative_norm: float | None
    """Share of the norm of the base's weight; None where there are no weights to compare with."""
    effective_rank: float
    stable_rank: float
    share: float
    """Of the whole seal's squared norm."""


@dataclass(frozen=True)
class ComponentFacts:
    """One component's share of a seal. Words with vectors and hypernetworks count as layers of those kinds."""

    component: str
    num_layers: int
    ranks: dict[str, int]
    """Rank -> number of layers; of a word the number of its vectors, of a hypernetwork its narrowest layer."""
    alphas: dict[str, int]
    kinds: dict[str, int]
    matched: int | None
    """How many of the layers the base has; None without a base."""
    share: float | None
    """Of the whole seal's squared norm; None for a seal that changes no weights."""


@dataclass(frozen=True)
class Hints:
    """Words that may call a seal, from where its trigger is not named outright."""

    captions: tuple[tuple[str, int], ...]
    """Words of the training's captions, and in how many of them; most frequent first."""
    folders: tuple[str, ...]
    """What the folders of pictures were called, kohya's repeats left out."""
    beside: tuple[str, ...]
    """The words in its sidecars, the first of which is the trigger of a file that names none."""


@dataclass(frozen=True)
class Examination:
    """A seal file looked at."""

    path: str
    size_bytes: int
    dialect: str
    dtypes: dict[str, int]
    """Type -> number of tensors."""
    title: str
    trigger: str
    hints: Hints
    class_noun: str
    family: str
    made_on: str
    created: str
    hashes: dict[str, str]
    components: tuple[ComponentFacts, ...]
    layers: tuple[LayerFacts, ...]
    """Changes of weights alone."""
    roles: dict[str, float]
    """What the layers do ("K", "V", "feed-forward", ...) -> share of the seal's squared norm."""
    unknown: tuple[str, ...]
    unmatched: tuple[str, ...]
    misshapen: dict[str, Any]
    """Path -> [shape of the change, shape of the base's weight]."""
    against: str
    """What it was held against: a base's name, or the family's published architecture."""
    verdict: str
    """"fits", "fits partly", "other family", "does nothing", "damaged" or "unknown family"."""
    advice: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def examine(path: Path | str, base: Base | None = None) -> Examination:
    """All that can be told about the seal file at `path`; against `base`, or its family's architecture.

    Raises: SealFormatError, SealShapeError for a damaged file.
    """
    path = Path(path)
    seal = read_seal(path)
    family, against, components = _reference(seal, base)
    fit = fit_seal(components, family, seal) if components else None
    weights = {} if base is None or fit is None else {p: weight_of(m) for p, m in fit.modules.items()}
    layers = _layers(seal.layers if fit is None else {**seal.layers, **fit.changes}, weights)
    verdict, what_to_do = _verdict(seal, fit, layers)
    header = seal.header
    return Examination(
        path=str(path),
        size_bytes=path.stat().st_size,
        dialect=seal.dialect,
        dtypes=_dtypes(seal),
        title=header.title,
        trigger=header.trigger,
        hints=_hints(seal, path),
        class_noun=header.class_noun,
        family=header.family,
        made_on=header.base,
        created=header.created,
        hashes=hash_file(path).by_name(),
        components=tuple(_component(name, seal, layers, fit) for name in seal.components),
        layers=tuple(layers),
        roles=role_shares({layer.path: layer.share for layer in layers}),
        unknown=seal.unknown,
        unmatched=() if fit is None else fit.unmatched,
        misshapen={} if fit is None else dict(fit.misshapen),
        against=against,
        verdict=verdict,
        advice=what_to_do,
    )


def _hints(seal: Seal, path: Path) -> Hints:
    facts = foreign_header(seal.metadata)
    folders = dict.fromkeys(folder.words for folder in facts.folders if folder.words)
    return Hints(facts.candidates, tuple(folders), facts_beside(path).words)


def _reference(seal: Seal, base: Base | None) -> tuple[str, str, Mapping[str, nn.Module]]:
    """Family, name and components of what the seal is held against; no components when nothing is known."""
    if base is not None:
        return base.family.name, base.name, base.components
    family = seal.header.family
    if family in PARTS:
        return family, f"{family}, the published architecture", full_size(family)
    return family, "", {}


def _verdict(seal: Seal, fit: Fit | None, layers: list[LayerFacts]) -> tuple[str, str]:
    if fit is None:
        return UNKNOWN_FAMILY, "name the base it is meant for: --base"
    known = [layer.relative_norm for layer in layers if layer.relative_norm is not None]
    if known and max(known) < SMALLEST_CHANGE:
        return NO_EFFECT, (
            f"its largest change is {max(known):.1e} of a layer's weights, which reaches no picture: "
            "it was hardly trained; use a later checkpoint"
        )
    return fit.verdict, advice(fit, seal)


def _layers(changes: Mapping[str, Change], weights: Mapping[str, Any]) -> list[LayerFacts]:
    plain = {
        path: change.change if isinstance(change, Decomposed) and path not in weights else change
        for path, change in changes.items()
    }
    found: dict[str, Spectrum] = spectra(plain, weights)
    return [
        LayerFacts(
            path=path,
            kind=change.kind,
            rank=change.rank,
            alpha=change.alpha,
            norm=found[path].norm,
            relative_norm=_relative(found[path].norm, weights.get(path)),
            effective_rank=found[path].effective_rank,
            stable_rank=found[path].stable_rank,
            share=found[path].share,
        )
        for path, change in changes.items()
    ]


def _relative(norm: float, weight: Any) -> float | None:
    return None if weight is None else norm / max(float(weight.float().norm()), 1e-30)


def _component(name: str, seal: Seal, layers: list[LayerFacts], fit: Fit | None) -> ComponentFacts:
    own = [layer for layer in layers if layer.path.startswith(f"{name}.")]
    words = [len(vectors[name]) for vectors in seal.embeddings.values() if name in vectors]
    networks = [each.rank for path, each in seal.networks.items() if path.startswith(f"{name}.")]
    kinds = [layer.kind for layer in own] + ["vectors"] * len(words) + ["hypernetwork"] * len(networks)
    matched = None
    if fit is not None:
        matched = next(part.matched for part in fit.components if part.component == name)
    return ComponentFacts(
        component=name,
        num_layers=len(kinds),
        ranks=_counts(str(rank) for rank in [*(layer.rank for layer in own), *words, *networks]),
        alphas=_counts(f"{layer.alpha:g}" for layer in own),
        kinds=_counts(kinds),
        matched=matched,
        share=sum(layer.share for layer in own) if layers else None,
    )


def _counts(values: Any) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _dtypes(seal: Seal) -> dict[str, int]:
    parts = [*map(tensors, seal.layers.values()), *seal.embeddings.values()]
    parts += [network.tensors for network in seal.networks.values()]
    return _counts(str(tensor.dtype).removeprefix("torch.") for part in parts for tensor in part.values())
