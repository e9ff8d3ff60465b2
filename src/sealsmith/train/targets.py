"""Which layers of a base a method changes."""

from torch import nn

from ..bases import TARGET_GROUPS, Base
from ..errors import ConfigError

EVERYTHING = "everything"
"""The group of all layers with a matrix."""
TEXT_ATTENTION, PICTURE_ATTENTION = "text-attention", "picture-attention"
"""The two halves of "attention": the keys and values that read the text, and all else."""
TEXT_READERS = ("attn2.to_k", "attn2.to_v")
TARGETS = (*TARGET_GROUPS, TEXT_ATTENTION, PICTURE_ATTENTION, EVERYTHING)

Layer = nn.Linear | nn.Conv2d


def target_layers(base: Base, groups: tuple[str, ...]) -> dict[str, Layer]:
    """The denoiser's layers that the target groups name, by their module path.

    Convolutions are only those inside residual blocks: the first and last convolution of the network have
    names of their own, but down- and upsamplers may share theirs.
    Raises: ConfigError when a group has no layer in this base.
    """
    found: dict[str, Layer] = {}
    for group in groups:
        layers = {
            name: layer for name, layer in all_layers(base.denoiser).items() if _is_in(base, name, group)
        }
        if not layers:
            raise ConfigError(
                f"no layer of {base.name} belongs to the target group {group!r}", "leave that group out"
            )
        found |= layers
    return found


def all_layers(component: nn.Module) -> dict[str, Layer]:
    """Every linear layer and convolution of a component, by its module path."""
    return {name: module for name, module in component.named_modules() if isinstance(module, Layer)}


def endings(base: Base, groups: tuple[str, ...]) -> tuple[str, ...]:
    """Module name endings of the groups; none when it is everything."""
    return () if EVERYTHING in groups else tuple(name for group in groups for name in _endings(base, group))


def check_rank(layers: dict[str, Layer], rank: int) -> None:
    """Raises: ConfigError when the rank is larger than a layer."""
    sizes = {name: tuple(layer.weight.flatten(1).shape) for name, layer in layers.items()}
    smallest = min(sizes, key=lambda name: min(sizes[name]))
    largest_rank = min(sizes[smallest])
    if rank > largest_rank:
        out, into = sizes[smallest]
        raise ConfigError(
            f"rank {rank} is larger than layer {smallest} ({into} inputs, {out} outputs)",
            f"the largest rank that fits every adapted layer is {largest_rank}",
        )


def _is_in(base: Base, name: str, group: str) -> bool:
    if group == EVERYTHING:
        return True
    if group in (TEXT_ATTENTION, PICTURE_ATTENTION):
        return _is_in(base, name, "attention") and name.endswith(TEXT_READERS) == (group == TEXT_ATTENTION)
    is_named = name.endswith(tuple("." + ending for ending in base.family.targets((group,))))
    return is_named and (group != "convolutions" or ".resnets." in name)


def _endings(base: Base, group: str) -> tuple[str, ...]:
    if group == TEXT_ATTENTION:
        return TEXT_READERS
    if group == PICTURE_ATTENTION and base.family.denoiser == "unet":
        names = base.family.targets(("attention",))
        return tuple(f"attn1.{name}" if f"attn2.{name}" in TEXT_READERS else name for name in names)
    return base.family.targets(("attention",) if group == PICTURE_ATTENTION else (group,))
