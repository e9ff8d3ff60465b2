"""Block weights: which block of a network a layer belongs to, and how strong each block of a seal is.

Blocks are named as the field names them, after the networks' first publication: for a U-Net BASE (text encoders,
and what stands outside the chain of blocks), IN00..., MID, OUT00...; for Flux CLIP, T5, IN, D00..., S00..., OUT.
Every layer of a base belongs to exactly one block: attention, ResNets, samplers, embeddings and convolutions alike.
Not for: how strong a seal is as a whole, and when (strength.py).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import ConfigError

TEXT_PREFIX = "text_encoder"
_LEVEL = re.compile(
    r"(down|up)_blocks\.(\d+)\.(resnets|attentions|motion_modules|downsamplers|upsamplers)\.(\d+)"
)
_CHAIN = re.compile(r"(transformer_blocks|single_transformer_blocks)\.(\d+)")


class Layout(Protocol):
    """The blocks of one architecture."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Every block, in the order of a full list of weights."""
        ...

    @property
    def short_ids(self) -> tuple[str, ...]:
        """The blocks of the field's shorter list, those with attention; the same as `ids` where there is none."""
        ...

    def block(self, path: str) -> str:
        """The block of a layer's canonical path. Raises: ConfigError when the architecture has no such block."""
        ...


@dataclass(frozen=True)
class UNetLayout:
    """The blocks of a U-Net; Stable Diffusion 1.x has 4 levels, SDXL 3, both with 2 layers a block.

    The original U-Net numbers its blocks through: each level has its layers and one place for the sampler behind
    them. conv_in is IN00; conv_norm_out and conv_out belong to the last OUT block; the embeddings of time and size
    stand outside the chain and belong to BASE, with the text encoders.
    Differs: the LoRA Block Weight extension leaves the embeddings and conv_out at 1 whatever the list says.
    """

    num_levels: int
    layers_per_block: int

    @property
    def ids(self) -> tuple[str, ...]:
        places = range(self.num_levels * (self.layers_per_block + 1))
        return ("BASE", *(f"IN{i:02}" for i in places), "MID", *(f"OUT{i:02}" for i in places))

    @property
    def short_ids(self) -> tuple[str, ...]:
        return _SHORT.get((self.num_levels, self.layers_per_block), self.ids)

    def block(self, path: str) -> str:
        component, _, inner = path.partition(".")
        block = "BASE" if component.startswith(TEXT_PREFIX) else self._unet_block(inner)
        return _known(block, path, self.ids)

    def _unet_block(self, inner: str) -> str:
        if match := _LEVEL.match(inner):
            side, level, part, index = match[1], int(match[2]), match[3], int(match[4])
            place = self.layers_per_block if part.endswith("samplers") else index
            number = level * (self.layers_per_block + 1) + place
            return f"IN{number + 1:02}" if side == "down" else f"OUT{number:02}"
        root = inner.partition(".")[0]
        return {"mid_block": "MID", "conv_in": "IN00"}.get(root, self.ids[-1] if root in _LAST else "BASE")


@dataclass(frozen=True)
class FluxLayout:
    """The blocks of a Flux transformer: 19 double and 38 single ones in the published size.

    Embedders belong to IN, norm_out and proj_out to OUT; CLIP and T5 are the two text encoders.
    """

    num_double: int
    num_single: int

    @property
    def ids(self) -> tuple[str, ...]:
        double = (f"D{i:02}" for i in range(self.num_double))
        single = (f"S{i:02}" for i in range(self.num_single))
        return ("CLIP", "T5", "IN", *double, *single, "OUT")

    @property
    def short_ids(self) -> tuple[str, ...]:
        return self.ids

    def block(self, path: str) -> str:
        component, _, inner = path.partition(".")
        if component.startswith(TEXT_PREFIX):
            block = "T5" if component == "text_encoder_2" else "CLIP"
        elif match := _CHAIN.match(inner):
            block = f"{'D' if match[1] == 'transformer_blocks' else 'S'}{int(match[2]):02}"
        else:
            block = "OUT" if inner.partition(".")[0] in ("norm_out", "proj_out") else "IN"
        return _known(block, path, self.ids)


SD1 = UNetLayout(4, 2)
SDXL = UNetLayout(3, 2)
FLUX = FluxLayout(19, 38)

_LAST = ("conv_norm_out", "conv_out")
_SHORT = {
    (4, 2): (
        "BASE", "IN01", "IN02", "IN04", "IN05", "IN07", "IN08", "MID",
        "OUT03", "OUT04", "OUT05", "OUT06", "OUT07", "OUT08", "OUT09", "OUT10", "OUT11",
    ),
    (3, 2): (
        "BASE", "IN04", "IN05", "IN07", "IN08", "MID", "OUT00", "OUT01", "OUT02", "OUT03", "OUT04", "OUT05",
    ),
}  # fmt: skip
_LAYOUT_OF_LENGTH: dict[int, Layout] = {12: SDXL, 17: SD1, 20: SDXL, 26: SD1, 61: FLUX}


def find_layout(paths: Iterable[str]) -> Layout:
    """The layout of the denoiser whose module paths these are, with or without its component in front.

    Raises: ConfigError when it is neither a U-Net nor a Flux transformer.
    """
    levels, layers, chains = 0, 0, {"transformer_blocks": 0, "single_transformer_blocks": 0}
    for path in paths:
        inner = re.sub(r"^(unet|transformer)\.", "", path)
        if (match := _LEVEL.match(inner)) and match[1] == "down" and match[3] == "resnets":
            levels, layers = max(levels, int(match[2]) + 1), max(layers, int(match[4]) + 1)
        elif match := _CHAIN.match(inner):
            chains[match[1]] = max(chains[match[1]], int(match[2]) + 1)
    if levels:
        return UNetLayout(levels, layers)
    if chains["transformer_blocks"]:
        return FluxLayout(chains["transformer_blocks"], chains["single_transformer_blocks"])
    raise ConfigError(
        "block weights need a U-Net or a Flux transformer, the base has neither",
        "give the seal one strength for the whole network",
    )


def side(path: str) -> str | None:
    """SD.Next's third of a U-Net that a layer belongs to: "in", "mid" or "out"; None outside U-Nets.

    Embeddings of time and size count as "in".
    """
    component, _, inner = path.partition(".")
    if component != "unet":
        return None
    root = inner.partition(".")[0]
    return {"mid_block": "mid", "up_blocks": "out"}.get(root, "out" if root in _LAST else "in")


@dataclass(frozen=True)
class BlockWeights:
    """One weight for every layer of an architecture."""

    layout: Layout
    weights: Mapping[str, float] = field(hash=False)
    """By block, complete."""
    elements: tuple[str, frozenset[str], float] | None = None
    """A word of layer paths, blocks, and the weight which takes the block's place where both fit."""

    def weight(self, path: str) -> float:
        """The factor of a layer. Raises: ConfigError for a path the architecture does not have."""
        block = self.layout.block(path)
        if self.elements and self.elements[0] in path and block in self.elements[1]:
            return self.elements[2]
        return self.weights[block]


def parse_block_weights(numbers: str, elements: str = "", layout: Layout | None = None) -> BlockWeights:
    """The weights that `lbw=` and `lbwe=` of a prompt mean on an architecture; empty texts mean 1 everywhere.

    `numbers` is a preset's name, one number for all blocks, or a list of them, full (26 for Stable Diffusion 1.x,
    20 for SDXL, 61 for Flux) or short (17 and 12: only the blocks with attention). In a short list a block
    without a number of its own has its predecessor's on the same side, or the next one's where it has none.
    Differs: the LoRA Block Weight extension gives those blocks 0, so that with it `ALL` mutes the ResNets of half
    the network; for seals of attention alone both are equal.
    Without a layout, lists of those lengths have the architecture they were made for.
    Raises: ConfigError.
    """
    values = _parse_numbers(numbers)
    layout = layout or _LAYOUT_OF_LENGTH.get(len(values))
    if layout is None:
        raise _length_error(numbers, len(values), None)
    if not values:
        values = _preset(numbers, layout) if numbers else (1.0,)
    return BlockWeights(layout, _spread(values, layout, numbers), _parse_elements(elements, layout))


def check_block_weights(numbers: str, elements: str = "") -> None:
    """Refuses what `lbw=` and `lbwe=` can mean on no base, before the base is known. Raises: ConfigError."""
    values = _parse_numbers(numbers)
    if numbers and not values and numbers.upper() not in PRESETS:
        raise _unknown_preset(numbers)
    if elements and elements.upper() not in _ELEMENTS:
        raise _unknown_elements(elements)


def uniform_weight(numbers: str) -> float | None:
    """The one weight `lbw=` gives every block of every architecture; None when blocks differ."""
    if not numbers:
        return 1.0
    values = _parse_numbers(numbers)
    return values[0] if len(values) == 1 else _UNIFORM.get(numbers.upper())


_UNIFORM = {"ALL": 1.0, "FLUXALL": 1.0, "ALL0.5": 0.5, "NONE": 0.0}
_PARTS = {
    "INS": ("in shallow",), "IND": ("in deep",), "INALL": ("in shallow", "in deep"), "MIDALL": ("mid",),
    "MIDD": ("in deep", "mid", "out deep"),
    "OUTD": ("out deep",), "OUTS": ("out shallow",), "OUTALL": ("out deep", "out shallow"),
}  # fmt: skip
PRESETS = (*_UNIFORM, *_PARTS)
_ELEMENTS = {"ATTNDEEPON": ("attn", 1.0), "ATTNDEEPOFF": ("attn", 0.0), "PROJDEEPOFF": ("proj", 0.0)}


def _preset(name: str, layout: Layout) -> tuple[float, ...]:
    """The weights of a preset, one for each of `layout.short_ids`.

    The halves of the IN and OUT blocks that the presets speak of are taken by count, and give the extension's
    own lists on Stable Diffusion 1.x; it has none for other networks. BASE is 1 in all but NONE and ALL0.5.
    """
    key = name.upper()
    if key in _UNIFORM:
        return (_UNIFORM[key],)
    if key not in _PARTS:
        raise _unknown_preset(name)
    if not isinstance(layout, UNetLayout):
        raise ConfigError(
            f"the block weights {name!r} are for U-Nets, this base is a transformer",
            f"give {', '.join(_UNIFORM)}, or {len(layout.ids)} numbers: {_outline(layout.ids)}",
        )
    inner = [block for block in layout.short_ids if block.startswith("IN")]
    outer = [block for block in layout.short_ids if block.startswith("OUT")]
    parts = {
        "in shallow": inner[: len(inner) // 2], "in deep": inner[len(inner) // 2 :], "mid": ["MID"],
        "out deep": outer[: len(outer) // 2], "out shallow": outer[len(outer) // 2 :],
    }  # fmt: skip
    loud = {"BASE", *(block for part in _PARTS[key] for block in parts[part])}
    return tuple(float(block in loud) for block in layout.short_ids)


def _parse_numbers(text: str) -> tuple[float, ...]:
    """The numbers of a list; empty when `text` is a name or nothing."""
    words = [word.strip() for word in text.split(",")] if text else []
    if len(words) == 1 and not re.fullmatch(r"[-+.\d]\S*", words[0]):
        return ()
    if random_ones := [word for word in words if word[:1] in ("R", "U", "X")]:
        raise ConfigError(
            f"the block weights {text!r} hold {random_ones[0]!r}, which no picture could be repeated with",
            "write a number in its place",
        )
    try:
        values = tuple(float(word) for word in words)
    except ValueError as error:
        raise ConfigError(
            f"the block weights {text!r} are no list of numbers", "write 1,0,0.5,..."
        ) from error
    if any(value - value != 0 for value in values):
        raise ConfigError(f"the block weights {text!r} are not all finite", "write 1,0,0.5,...")
    return values


def _spread(values: Sequence[float], layout: Layout, text: str) -> dict[str, float]:
    """Every block's weight from a full list, a short one, or one number."""
    if len(values) == 1:
        return dict.fromkeys(layout.ids, values[0])
    if len(values) == len(layout.ids):
        return dict(zip(layout.ids, values, strict=True))
    if len(values) != len(layout.short_ids):
        raise _length_error(text, len(values), layout)
    listed = dict(zip(layout.short_ids, values, strict=True))
    return {block: listed[_stand_in(block, layout)] for block in layout.ids}


def _stand_in(block: str, layout: Layout) -> str:
    """The listed block whose weight an unlisted one has: the last one before it on its side, else the first."""
    if block in layout.short_ids:
        return block
    same_side = [
        other for other in layout.short_ids if other.rstrip("0123456789") == block.rstrip("0123456789")
    ]
    return max((other for other in same_side if other < block), default=same_side[0])


def _parse_elements(name: str, layout: Layout) -> tuple[str, frozenset[str], float] | None:
    """The extension's presets for kinds of layers, all of them for the blocks from IN05 to OUT05."""
    if not name:
        return None
    if name.upper() not in _ELEMENTS:
        raise _unknown_elements(name)
    if not {"IN05", "OUT05"} <= set(layout.ids):
        raise ConfigError(
            f"lbwe={name!r} is about the blocks IN05 to OUT05, which this base has not",
            f"leave it out; its blocks are {_outline(layout.ids)}",
        )
    word, weight = _ELEMENTS[name.upper()]
    return word, frozenset(layout.ids[layout.ids.index("IN05") : layout.ids.index("OUT05") + 1]), weight


def _known(block: str, path: str, ids: tuple[str, ...]) -> str:
    if block not in ids:
        raise ConfigError(
            f"the block weights are for a network of {len(ids)} blocks, which has no {block} for {path!r}",
            "give a list of this base's own length, a preset, or one strength for the whole seal",
        )
    return block


def _unknown_preset(name: str) -> ConfigError:
    return ConfigError(
        f"there are no block weights called {name!r}", f"give {', '.join(PRESETS)}, or one number a block"
    )


def _unknown_elements(name: str) -> ConfigError:
    return ConfigError(f"there is no lbwe={name!r}", f"give {', '.join(_ELEMENTS)}")


def _length_error(text: str, length: int, layout: Layout | None) -> ConfigError:
    if not length:
        return ConfigError(
            f"the block weights {text!r} differ from base to base", "say which base they are for"
        )
    if layout is None:
        return ConfigError(
            f"a list of {length} block weights fits no known network: {text!r}",
            "give 17 or 26 numbers (Stable Diffusion 1.x), 12 or 20 (SDXL), 61 (Flux), or a preset",
        )
    forms = dict.fromkeys([layout.ids, layout.short_ids])
    lists = " or ".join(f"{len(ids)} numbers ({_outline(ids)})" for ids in forms)
    sides = ", or in=, mid= and out=" if isinstance(layout, UNetLayout) else ""
    return ConfigError(
        f"a list of {length} block weights does not fit this base: {text!r}", f"give {lists}, a preset{sides}"
    )


def _outline(ids: tuple[str, ...]) -> str:
    """Block names in short: "BASE, IN00-IN11, MID, OUT00-OUT11"."""
    runs: list[list[str]] = []
    for block in ids:
        if (
            runs
            and block.rstrip("0123456789") == runs[-1][0].rstrip("0123456789")
            and _follows(runs[-1][-1], block)
        ):
            runs[-1].append(block)
        else:
            runs.append([block])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _follows(before: str, after: str) -> bool:
    numbers = [re.search(r"\d+$", block) for block in (before, after)]
    return all(numbers) and int(numbers[1][0]) == int(numbers[0][0]) + 1  # type: ignore[index]
