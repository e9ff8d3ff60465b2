"""Module names of Flux's transformer: diffusers' own, and the original's, which fuse what diffusers splits."""

import re

from .place import Grammar, Place

ROOTS = frozenset({"transformer_blocks", "single_transformer_blocks", "x_embedder", "context_embedder"}) | {
    "time_text_embed",
    "norm_out",
    "proj_out",
}
_ATTENTION = {
    "attn",
    "to_q",
    "to_k",
    "to_v",
    "to_out",
    "to_add_out",
    "add_q_proj",
    "add_k_proj",
    "add_v_proj",
}
_OTHERS = {"ff", "ff_context", "net", "proj", "proj_mlp", "norm", "norm1", "norm1_context", "linear"}
_EMBEDDERS = {"timestep_embedder", "guidance_embedder", "text_embedder", "linear_1", "linear_2"}
GRAMMAR = Grammar(ROOTS, frozenset(_ATTENTION | _OTHERS | _EMBEDDERS))

_DOUBLE = {
    "img_attn_qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn_qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "img_attn_proj": ("attn.to_out.0",),
    "txt_attn_proj": ("attn.to_add_out",),
    "img_mlp_0": ("ff.net.0.proj",),
    "img_mlp_2": ("ff.net.2",),
    "txt_mlp_0": ("ff_context.net.0.proj",),
    "txt_mlp_2": ("ff_context.net.2",),
    "img_mod_lin": ("norm1.linear",),
    "txt_mod_lin": ("norm1_context.linear",),
}
_SINGLE = {
    "linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
    "linear2": ("proj_out",),
    "modulation_lin": ("norm.linear",),
}
_OUTER = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in_in_layer": "time_text_embed.timestep_embedder.linear_1",
    "time_in_out_layer": "time_text_embed.timestep_embedder.linear_2",
    "vector_in_in_layer": "time_text_embed.text_embedder.linear_1",
    "vector_in_out_layer": "time_text_embed.text_embedder.linear_2",
    "guidance_in_in_layer": "time_text_embed.guidance_embedder.linear_1",
    "guidance_in_out_layer": "time_text_embed.guidance_embedder.linear_2",
    "final_layer_linear": "proj_out",
    "final_layer_adaLN_modulation_1": "norm_out.linear",
}
_XLABS_DOUBLE = {
    "processor_qkv_lora1": _DOUBLE["img_attn_qkv"],
    "processor_qkv_lora2": _DOUBLE["txt_attn_qkv"],
    "processor_proj_lora1": _DOUBLE["img_attn_proj"],
    "processor_proj_lora2": _DOUBLE["txt_attn_proj"],
}
_XLABS_SINGLE = {
    "processor_qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "processor_proj": ("proj_out",),
}
_READ = {"double": _DOUBLE | _XLABS_DOUBLE, "single": _SINGLE | _XLABS_SINGLE}
_STACKS = {"double": "transformer_blocks", "single": "single_transformer_blocks"}
_BACK = {
    (_STACKS[kind], path): (kind, name, index)
    for kind, table in (("double", _DOUBLE), ("single", _SINGLE))
    for name, paths in table.items()
    for index, path in enumerate(paths)
}
_OUTER_BACK = {path: name for name, path in _OUTER.items()}
_BLOCK = re.compile(r"(double|single)_blocks_([0-9]{1,4})_(.+)")
_DIFFUSERS_BLOCK = re.compile(r"((?:single_)?transformer_blocks)\.([0-9]+)\.(.+)")


def fused(name: str) -> Place | None:
    """The layers behind an original name joined by underscores, e.g. "double_blocks_0_img_attn_qkv"."""
    if name in _OUTER:
        return Place((f"transformer.{_OUTER[name]}",), swapped=name.startswith("final_layer_adaLN"))
    match = _BLOCK.fullmatch(name)
    if match is None:
        return None
    kind, number, inside = match.groups()
    paths = _READ[kind].get(inside)
    if paths is None:
        return None
    return Place(tuple(f"transformer.{_STACKS[kind]}.{int(number)}.{path}" for path in paths))


def to_fused(path: str) -> tuple[str, int] | None:
    """The original name of diffusers' path, and which part of that name's rows it is; None when it has none."""
    if path in _OUTER_BACK:
        return _OUTER_BACK[path], 0
    match = _DIFFUSERS_BLOCK.fullmatch(path)
    found = _BACK.get((match[1], match[3])) if match else None
    if match is None or found is None:
        return None
    kind, name, index = found
    return f"{kind}_blocks_{match[2]}_{name}", index
