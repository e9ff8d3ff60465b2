"""Whether a seal belongs on a base: every layer looked up, counted by component, and one verdict.

The verdict is what `sealsmith inspect` prints and what attaching enforces. Not for: damaged files, which are
refused when they are read (seal_file.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from .changes import Change, has_effect, reshaped
from .seal import Seal

FITS = "fits"
PARTLY = "fits partly"
OTHER_FAMILY = "other family"
NO_EFFECT = "does nothing"
DAMAGED = "damaged"


@dataclass(frozen=True)
class ComponentFit:
    """How many of a seal's layers one component of the base has."""

    component: str
    matched: int
    total: int


@dataclass(frozen=True, eq=False)
class Fit:
    """A seal held against a base, layer by layer."""

    changes: Mapping[str, Change]
    """Layers that have a place, by their path, each in the shape of its module's weight."""
    modules: Mapping[str, nn.Module]
    """The module each of them changes."""
    unmatched: tuple[str, ...]
    """Paths the base does not have."""
    misshapen: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    """Path -> shape of the seal's change, shape of the base's weight, where the two differ."""
    components: tuple[ComponentFit, ...]
    verdict: str

    @property
    def matched(self) -> int:
        return len(self.changes)

    @property
    def total(self) -> int:
        return len(self.changes) + len(self.unmatched) + len(self.misshapen)


def fit_seal(components: Mapping[str, nn.Module], family: str, seal: Seal) -> Fit:
    """`seal` held against the components (by their names in a pipeline) of a base of `family`."""
    places = {name: adaptable(module) for name, module in components.items()}
    changes: dict[str, Change] = {}
    modules: dict[str, nn.Module] = {}
    unmatched: list[str] = []
    misshapen = {}
    for path, change in seal.layers.items():
        component, _, inner = path.partition(".")
        module = places.get(component, {}).get(inner)
        if module is None:
            unmatched.append(path)
            continue
        shape = weight_shape(module)
        fitting = reshaped(change, shape)
        if fitting is None:
            misshapen[path] = (change.shape, shape)
            continue
        changes[path], modules[path] = fitting, module
    counts = tuple(
        ComponentFit(
            name,
            sum(path.startswith(f"{name}.") for path in changes),
            sum(path.startswith(f"{name}.") for path in seal.layers),
        )
        for name in seal.components
    )
    verdict = _verdict(seal, family, changes, unmatched, misshapen)
    return Fit(changes, modules, tuple(unmatched), misshapen, counts, verdict)


def adaptable(component: nn.Module) -> dict[str, nn.Module]:
    """The layers of a component that a seal can change, by path without the level `text_model`."""
    return {
        path.removeprefix("text_model."): module
        for path, module in component.named_modules()
        if has_matrix(module)
    }


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


def _verdict(
    seal: Seal,
    family: str,
    changes: Mapping[str, Change],
    unmatched: list[str],
    misshapen: Mapping[str, object],
) -> str:
    if not changes or not is_compatible(seal.header.family, family):
        return OTHER_FAMILY
    if misshapen:
        return OTHER_FAMILY if len(misshapen) >= len(changes) else DAMAGED
    if not any(has_effect(change) for change in changes.values()):
        return NO_EFFECT
    return PARTLY if unmatched or seal.unknown else FITS
