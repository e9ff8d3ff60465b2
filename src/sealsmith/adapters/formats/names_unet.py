"""Module names of the U-Net: diffusers' own, and those of the original latent diffusion code that SDXL files use.

Both count blocks differently: diffusers by level, the original one by one, three to a level (two layers and a
resampling), which is the same for Stable Diffusion 1, 2 and XL.
"""

import re

from .place import Grammar

ROOTS = frozenset(
    ("conv_in", "conv_out", "time_embedding", "add_embedding", "down_blocks", "mid_block", "up_blocks")
)
_BLOCK_WORDS = {"transformer_blocks", "attn1", "attn2", "to_q", "to_k", "to_v", "to_out", "ff", "net", "proj"}
_ATTENTION_WORDS = frozenset(_BLOCK_WORDS | {"proj_in", "proj_out"})
_RESNET_WORDS = frozenset(("conv", "conv1", "conv2", "conv_shortcut", "time_emb_proj"))
GRAMMAR = Grammar(
    ROOTS,
    _ATTENTION_WORDS
    | _RESNET_WORDS
    | {"attentions", "resnets", "downsamplers", "upsamplers", "linear_1", "linear_2"},
)
_ATTENTION = Grammar(frozenset(("proj_in", "proj_out", "transformer_blocks")), _ATTENTION_WORDS)

_OUTER = {
    "input_blocks_0_0": "conv_in",
    "out_2": "conv_out",
    "time_embed_0": "time_embedding.linear_1",
    "time_embed_2": "time_embedding.linear_2",
    "label_emb_0_0": "add_embedding.linear_1",
    "label_emb_0_2": "add_embedding.linear_2",
}
_RESNET = {
    "in_layers_2": "conv1",
    "emb_layers_1": "time_emb_proj",
    "out_layers_3": "conv2",
    "skip_connection": "conv_shortcut",
}
_OUTER_BACK = {path: name for name, path in _OUTER.items()}
_RESNET_BACK = {path: name for name, path in _RESNET.items()}
_LDM = re.compile(r"(input_blocks_[0-9]{1,3}|middle_block|output_blocks_[0-9]{1,3})_([0-2])_(.+)")
_LEVEL = re.compile(r"(down|up)_blocks\.([0-9]+)\.(resnets|attentions)\.([01]|2)\.(.+)")
_MIDDLE = {"0": "resnets.0", "1": "attentions.0", "2": "resnets.1"}
_MIDDLE_BACK = {inner: number for number, inner in _MIDDLE.items()}


def canonical(module: str) -> str:
    """A dotted path as modules have it today: without attention processors, `to_out` with its index."""
    module = module.replace(".processor.", ".")
    return f"{module}.0" if module.endswith(".to_out") else module


def kernel(path: str, family: str) -> tuple[int, ...]:
    """(kh, kw) of the convolution at a canonical path, as its name tells; empty for a linear layer.

    For files that store convolutions flat. The projections around attention are convolutions in Stable Diffusion 1
    and linear in 2 ("sd2") and XL.
    """
    leaf = path.rpartition(".")[2]
    if not path.startswith("unet."):
        return ()
    if leaf in ("conv", "conv1", "conv2", "conv_in", "conv_out"):
        return (3, 3)
    projections = ("proj_in", "proj_out") if family in ("sd1", "sealworld") else ()
    return (1, 1) if leaf in ("conv_shortcut", *projections) else ()


def from_ldm(name: str) -> str | None:
    """diffusers' path for an original name joined by underscores; None when it is no such name."""
    if name in _OUTER:
        return _OUTER[name]
    match = _LDM.fullmatch(name)
    if match is None:
        return None
    block, inner, tail = match.groups()
    kind, _, number = block.rpartition("_")
    if block == "middle_block":
        return _join(f"mid_block.{_MIDDLE[inner]}", tail, is_resnet=inner != "1")
    level, layer = divmod(int(number) - (kind == "input_blocks"), 3)
    if kind == "input_blocks":
        if layer == 2:
            return f"down_blocks.{level}.downsamplers.0.conv" if (inner, tail) == ("0", "op") else None
        direction = "down"
    else:
        if tail == "conv":
            return f"up_blocks.{level}.upsamplers.0.conv" if layer == 2 and inner != "0" else None
        direction = "up"
    if level < 0 or inner == "2":
        return None
    part = "resnets" if inner == "0" else "attentions"
    return _join(f"{direction}_blocks.{level}.{part}.{layer}", tail, is_resnet=inner == "0")


def to_ldm(path: str) -> str | None:
    """The original name, joined by underscores, of diffusers' path in SDXL's U-Net; inverse of `from_ldm`."""
    if path in _OUTER_BACK:
        return _OUTER_BACK[path]
    match = re.fullmatch(r"(down|up)_blocks\.([0-9]+)\.(?:down|up)samplers\.0\.conv", path)
    if match is not None:
        level = int(match[2])
        # SDXL's levels with an upsampler all have attention: resnet, attention, upsampler.
        return f"input_blocks_{3 * level + 3}_0_op" if match[1] == "down" else _upsampler(level)
    match = _LEVEL.fullmatch(path)
    if match is not None:
        direction, number, part, layer, tail = match.groups()
        place = 3 * int(number) + int(layer)
        block = f"input_blocks_{place + 1}" if direction == "down" else f"output_blocks_{place}"
        return f"{block}_{int(part == 'attentions')}_{_tail(tail)}"
    match = re.fullmatch(r"mid_block\.((?:resnets|attentions)\.[01])\.(.+)", path)
    if match is not None and match[1] in _MIDDLE_BACK:
        return f"middle_block_{_MIDDLE_BACK[match[1]]}_{_tail(match[2])}"
    return None


def _upsampler(level: int) -> str:
    return f"output_blocks_{3 * level + 2}_2_conv"


def _tail(tail: str) -> str:
    return _RESNET_BACK.get(tail, tail.replace(".", "_"))


def _join(block: str, tail: str, is_resnet: bool) -> str | None:
    inside = _RESNET.get(tail) if is_resnet else _ATTENTION.dotted(tail)
    return None if inside is None else f"{block}.{inside}"
