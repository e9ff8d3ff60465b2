"""Which layers carry a seal: what is left of it when groups of them are switched off, and how its change is spread.

The scoring is the caller's, for it needs pictures and a judge. Not for: norms and ranks (examination.py).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..adapters import Change, Seal
from ..adapters.blocks import Layout
from ..adapters.spectrum import spectra
from ..errors import SealEffectError

TEXT_ENCODER, OTHER = "text encoder", "other"
_ROLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Q", ("to_q", "add_q_proj")),
    ("K", ("to_k", "add_k_proj")),
    ("V", ("to_v", "add_v_proj")),
    ("O", ("to_out.0", "to_add_out")),
    ("feed-forward", ("net.0.proj", "net.2", "proj_mlp")),
    ("projections", ("proj_in", "proj_out")),
    ("convolutions", ("conv1", "conv2", "conv_shortcut", "conv_in", "conv_out", "conv")),
)
"""Role -> the endings of layer paths that have it; in a denoiser, as diffusers names them."""
ROLES = (*(role for role, _ in _ROLES), TEXT_ENCODER, OTHER)
"""Every layer has exactly one of these."""

Score = Callable[[Seal], "Carried"]
"""How well a seal is drawn."""


@dataclass(frozen=True)
class Carried:
    """What is drawn of a seal."""

    top1: float
    """Share of the pictures that call it in which it is recognised."""
    similarity: float
    """Mean likeness to what it should look like, -1..1."""


@dataclass(frozen=True)
class Group:
    """Layers that are switched off together."""

    name: str
    """A role ("V") or a block ("OUT04")."""
    kind: str
    """"role" or "block"."""
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Without:
    """The seal without one group."""

    name: str
    kind: str
    num_layers: int
    share: float
    """Of the seal's squared norm that the group holds."""
    left: Carried | None
    """None where the group is the whole seal, of which nothing is left to draw."""
    lost: float
    """Likeness lost without the group; all of it where it is the whole seal. Below 0: it was in the way."""


@dataclass(frozen=True)
class Ablation:
    """A seal with each of its groups switched off in turn."""

    whole: Carried
    groups: tuple[Without, ...]
    """Roles first, then blocks, each in the order of the architecture."""

    @property
    def carriers(self) -> list[Without]:
        """The groups, those whose loss hurts most first."""
        return sorted(self.groups, key=lambda group: -group.lost)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def role_of(path: str) -> str:
    """What a layer does, one of ROLES, by its canonical path."""
    component, _, inner = path.partition(".")
    if component.startswith("text_encoder"):
        return TEXT_ENCODER
    for role, endings in _ROLES:
        if any(inner == ending or inner.endswith(f".{ending}") for ending in endings):
            return role
    return OTHER


def role_shares(shares: Mapping[str, float]) -> dict[str, float]:
    """Role -> share, summed over layers' shares by path; in the order of ROLES, those without layers left out."""
    found = {role: [share for path, share in shares.items() if role_of(path) == role] for role in ROLES}
    return {role: math.fsum(own) for role, own in found.items() if own}


def groups_of(layers: Mapping[str, Change], layout: Layout | None = None) -> list[Group]:
    """The groups of a seal's layers by role, and by block where a layout is known; no empty ones."""
    by_role = [Group(role, "role", tuple(path for path in layers if role_of(path) == role)) for role in ROLES]
    by_block = (
        []
        if layout is None
        else [
            Group(block, "block", tuple(path for path in layers if layout.block(path) == block))
            for block in layout.ids
        ]
    )
    return [group for group in (*by_role, *by_block) if group.paths]


def ablate(
    seal: Seal,
    groups: Sequence[Group],
    score: Score,
    weights: Mapping[str, Any] | None = None,
    on_group: Callable[[int, int], None] | None = None,
) -> Ablation:
    """What `score` says of the seal without each of the groups.

    `weights` are the base's by path, which "dora" layers need. `on_group` is told how many scorings are done, of
    how many. A group is important when the seal suffers without it; groups that can stand in for each other all
    look unimportant.
    """
    shares = {path: one.share for path, one in spectra(seal.layers, weights or {}).items()}
    total = len(groups) + 1
    whole = score(seal)
    found: list[Without] = []
    for done, group in enumerate(groups, start=1):
        if on_group is not None:
            on_group(done, total)
        left = _left(seal, group, score)
        lost = whole.similarity - (left.similarity if left else 0.0)
        share = math.fsum(shares[path] for path in group.paths)
        found.append(Without(group.name, group.kind, len(group.paths), share, left, lost))
    if on_group is not None:
        on_group(total, total)
    return Ablation(whole, tuple(found))


def without(seal: Seal, paths: Sequence[str]) -> Seal:
    """The seal with these layers left out; it has no file. Raises: SealEffectError when none is left."""
    gone = set(paths)
    layers = {path: change for path, change in seal.layers.items() if path not in gone}
    if not layers:
        raise SealEffectError(f"nothing is left of seal {seal.name!r} without these layers", "leave some")
    return replace(seal, layers=layers, path=None)


def _left(seal: Seal, group: Group, score: Score) -> Carried | None:
    """None where the rest of the seal changes nothing."""
    try:
        return score(without(seal, group.paths))
    except SealEffectError:
        return None
