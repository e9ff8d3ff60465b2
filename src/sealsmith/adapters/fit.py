"""Whether a seal belongs on a base: every layer looked up, counted by component, and one verdict.

The verdict is what `sealsmith inspect` prints and what attaching enforces. Not for: damaged files, which are
refused when they are read (seal_file.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor, nn

from .changes import Change, has_effect, reshaped
from .embeddings import Embeddings, embedding_path, embedding_width
from .networks import Network
from .seal import Seal

FITS = "fits"
PARTLY = "fits partly"
OTHER_FAMILY = "other family"
NO_EFFECT = "does nothing"
DAMAGED = "damaged"


@dataclass(frozen=True)
class ComponentFit:
    """How many of a seal's parts one component of the base has: layers, hypernetworks, words with vectors."""

    component: str
    matched: int
    total: int


@dataclass(frozen=True, eq=False)
class Fit:
    """A seal held against a base, part by part."""

    changes: Mapping[str, Change]
    """Layers that have a place, by their path, each in the shape of its module's weight."""
    modules: Mapping[str, nn.Module]
    """The module each of them, and each of `networks`, changes."""
    unmatched: tuple[str, ...]
    """Paths the base does not have."""
    misshapen: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    """Path -> shape of the seal's change, shape of the base's weight, where the two differ; of what is no change
    of a weight the width alone."""
    components: tuple[ComponentFit, ...]
    verdict: str
    networks: Mapping[str, Network] = field(default_factory=dict)
    """Hypernetworks that have a place, by their layer's path."""
    embeddings: Embeddings = field(default_factory=dict)
    """Trigger word -> text encoder -> vectors, as far as the base has such an encoder."""

    @property
    def matched(self) -> int:
        return len(self.changes) + len(self.networks) + sum(map(len, self.embeddings.values()))

    @property
    def total(self) -> int:
        return self.matched + len(self.unmatched) + len(self.misshapen)


def fit_seal(components: Mapping[str, nn.Module], family: str, seal: Seal) -> Fit:
    """`seal` held against the components (by their names in a pipeline) of a base of `family`."""
    finding = _Finding(components)
    changes = {
        path: fitting for path, change in seal.layers.items() if (fitting := finding.layer(path, change))
    }
    networks = {path: network for path, network in seal.networks.items() if finding.network(path, network)}
    embeddings: dict[str, dict[str, Tensor]] = {}
    for trigger, vectors in seal.embeddings.items():
        for name, each in vectors.items():
            if finding.word(embedding_path(name, trigger), components.get(name), each):
                embeddings.setdefault(trigger, {})[name] = each
    found = [*changes, *networks, *_embedding_paths(embeddings)]
    wanted = [*seal.layers, *seal.networks, *_embedding_paths(seal.embeddings)]
    counts = tuple(
        ComponentFit(name, *(sum(path.startswith(f"{name}.") for path in paths) for paths in (found, wanted)))
        for name in seal.components
    )
    has_effects = any(has_effect(change) for change in changes.values())
    has_effects |= any(network.has_effect for network in networks.values()) | bool(embeddings)
    fit = Fit(
        changes=changes,
        modules=finding.modules,
        unmatched=tuple(finding.unmatched),
        misshapen=finding.misshapen,
        components=counts,
        verdict="",
        networks=networks,
        embeddings=embeddings,
    )
    return replace(fit, verdict=_verdict(seal, family, fit, has_effects))


class _Finding:
    """Looks a seal's parts up in a base, and notes those that have no place in it."""

    def __init__(self, components: Mapping[str, nn.Module]):
        self._components = components
        self.modules: dict[str, nn.Module] = {}
        self.unmatched: list[str] = []
        self.misshapen: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}

    def layer(self, path: str, change: Change) -> Change | None:
        """The change in the shape of its layer's weight."""
        module = self._module(path)
        if module is None:
            return None
        shape = weight_shape(module)
        fitting = reshaped(change, shape)
        if fitting is None:
            self.misshapen[path] = (change.shape, shape)
        else:
            self.modules[path] = module
        return fitting

    def network(self, path: str, network: Network) -> bool:
        """Whether there is a layer that reads what the network reads."""
        module = self._module(path)
        if module is None or not self._is_as_wide(path, network.width, weight_shape(module)[1]):
            return False
        self.modules[path] = module
        return True

    def word(self, path: str, text_encoder: nn.Module | None, vectors: Tensor) -> bool:
        """Whether there is such a text encoder, and it looks up vectors as wide."""
        if text_encoder is None:
            self.unmatched.append(path)
            return False
        return self._is_as_wide(path, int(vectors.shape[1]), embedding_width(text_encoder))

    def _module(self, path: str) -> nn.Module | None:
        component, _, inner = path.partition(".")
        whole = self._components.get(component)
        module = None if whole is None else adaptable_at(whole, inner)
        if module is None:
            self.unmatched.append(path)
        return module

    def _is_as_wide(self, path: str, width: int, expected: int) -> bool:
        if width != expected:
            self.misshapen[path] = ((width,), (expected,))
        return width == expected


def _embedding_paths(embeddings: Embeddings) -> list[str]:
    return [embedding_path(name, trigger) for trigger, vectors in embeddings.items() for name in vectors]


def adaptable(component: nn.Module) -> dict[str, nn.Module]:
    """The layers of a component that a seal can change, by path without the level `text_model`."""
    return {
        path.removeprefix("text_model."): module
        for path, module in component.named_modules()
        if has_matrix(module)
    }


def adaptable_at(component: nn.Module, path: str) -> nn.Module | None:
    """The layer that `adaptable` has at `path`, without a walk through all of them."""
    if path.startswith("text_model."):
        return None
    roots = (component._modules.get("text_model"), component)
    return next(
        (found for root in roots if (found := _at(root, path)) is not None and has_matrix(found)), None
    )


def _at(module: nn.Module | None, path: str) -> nn.Module | None:
    """By registered names alone: attributes may lead elsewhere."""
    for name in path.split("."):
        if module is None:
            return None
        module = module._modules.get(name)
    return module


def has_matrix(module: nn.Module) -> bool:
    """Whether a module multiplies by a weight of its own: linear or convolution, quantised ones included."""
    return isinstance(module, nn.Linear | nn.Conv2d)


def weight_shape(module: nn.Module) -> tuple[int, ...]:
    """Of the matrix a layer multiplies by: [O, I] or [O, I, kh, kw]."""
    assert isinstance(module.weight, Tensor)
    return tuple(module.weight.shape)


def is_compatible(seal_family: str, base_family: str) -> bool:
    """Whether families allow the pair; what nobody knows ("") is left to the shapes."""
    return seal_family in ("", base_family)


def advice(fit: Fit, seal: Seal) -> str:
    """What to do about the verdict, one sentence; empty where nothing is to be done."""
    header = seal.header
    made_for = header.base or header.family or "the base it was trained on"
    if fit.verdict == OTHER_FAMILY:
        return f"open {made_for}, or train the seal again on this base"
    if fit.verdict == DAMAGED:
        return "fetch or copy the file again; layers of several shapes are mixed in it"
    if fit.verdict == NO_EFFECT:
        return "it was saved before it was trained; use a later checkpoint"
    if fit.verdict == PARTLY:
        what = [f"{len(fit.unmatched)} layers have no place here"] if fit.unmatched else []
        what += [f"{len(seal.unknown)} tensors are of no known kind"] if seal.unknown else []
        return f"{' and '.join(what)}; the rest is used, the seal may look weaker"
    return ""


def _verdict(seal: Seal, family: str, fit: Fit, has_effects: bool) -> str:
    if not fit.matched or not is_compatible(seal.header.family, family):
        return OTHER_FAMILY
    if fit.misshapen:
        return OTHER_FAMILY if len(fit.misshapen) >= fit.matched else DAMAGED
    if not has_effects:
        return NO_EFFECT
    return PARTLY if fit.unmatched or seal.unknown else FITS
