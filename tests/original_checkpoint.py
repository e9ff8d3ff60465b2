"""Stable Diffusion 1 and XL as one file under their original names, written from a diffusers folder.

The names are those of the first releases: `input_blocks` and `output_blocks` count layers of all levels through,
two layers and one sampler a level. XL's second text encoder has OpenCLIP's names.
"""

import re
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}  # fmt: skip
VAE_WORDS = (
    ("conv_norm_out", "norm_out"), ("conv_shortcut", "nin_shortcut"), ("samplers.0", "sample"),
    ("mid_block.resnets.0", "mid.block_1"), ("mid_block.resnets.1", "mid.block_2"),
    ("mid_block.attentions.0", "mid.attn_1"), ("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"),
    ("to_v", "v"), ("to_out.0", "proj_out"), ("resnets", "block"), ("down_blocks", "down"),
)  # fmt: skip


OPEN_CLIP_WORDS = (
    ("embeddings.token_embedding.weight", "token_embedding.weight"),
    ("embeddings.position_embedding.weight", "positional_embedding"),
    ("encoder.layers", "transformer.resblocks"), ("self_attn.out_proj", "attn.out_proj"),
    ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"),
    ("final_layer_norm", "ln_final"),
)  # fmt: skip


def write_original(folder: Path, path: Path) -> Path:
    """The weights of the `sd1` or `sdxl` base in `folder` as one checkpoint at `path`."""
    is_xl = (folder / "text_encoder_2").is_dir()
    unet = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    vae = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    text = load_file(folder / "text_encoder" / "model.safetensors")
    state = {f"model.diffusion_model.{unet_name(name, is_xl)}": tensor for name, tensor in unet.items()}
    state |= {f"first_stage_model.{vae_name(name)}": vae_tensor(name, tensor) for name, tensor in vae.items()}
    clip = "conditioner.embedders.0.transformer." if is_xl else "cond_stage_model.transformer."
    for name, tensor in text.items():
        state[f"{clip}text_model.{name.removeprefix('text_model.')}"] = tensor
    if is_xl:
        second = load_file(folder / "text_encoder_2" / "model.safetensors")
        state |= {f"conditioner.embedders.1.model.{name}": t for name, t in open_clip(second).items()}
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    return path


def open_clip(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A text encoder with projection under OpenCLIP's names: query, key and value as one matrix."""
    original: dict[str, Tensor] = {"text_projection": state["text_projection.weight"].T}
    for name, tensor in state.items():
        inner = name.removeprefix("text_model.")
        for word, theirs in OPEN_CLIP_WORDS:
            inner = inner.replace(word, theirs)
        if "self_attn.q_proj" in inner:
            parts = [state[name.replace("q_proj", f"{part}_proj")] for part in "qkv"]
            original[inner.replace("self_attn.q_proj.", "attn.in_proj_")] = torch.cat(parts)
        elif "self_attn" not in inner and name != "text_projection.weight":
            original[inner] = tensor
    return original


def unet_name(name: str, is_xl: bool = False) -> str:
    for end, original in UNET_ENDS.items():
        if name.startswith(f"{end}."):
            return _resnet(original, name.removeprefix(f"{end}."))
    matched = re.fullmatch(
        r"(down|up)_blocks\.(\d)\.(resnets|attentions|(?:down|up)samplers)\.(\d)\.(.*)", name
    )
    assert matched is not None, name
    side, level, kind, layer, inner = matched[1], int(matched[2]), matched[3], int(matched[4]), matched[5]
    if kind == "downsamplers":
        return f"input_blocks.{3 * level + 3}.0.{inner.replace('conv', 'op')}"
    if kind == "upsamplers":
        return f"output_blocks.{3 * level + 2}.{2 if level or is_xl else 1}.{inner}"
    place = (
        f"input_blocks.{3 * level + layer + 1}" if side == "down" else f"output_blocks.{3 * level + layer}"
    )
    return f"{place}.1.{inner}" if kind == "attentions" else _resnet(f"{place}.0", inner)


def vae_name(name: str) -> str:
    name = re.sub(r"up_blocks\.(\d)", lambda level: f"up.{3 - int(level[1])}", name)
    for word, original in VAE_WORDS:
        name = name.replace(f"{word}.", f"{original}.")
    return name


def vae_tensor(name: str, tensor: Tensor) -> Tensor:
    """Attention of the original VAE is made of 1x1 convolutions."""
    is_matrix = "attentions" in name and tensor.ndim == 2
    return tensor[:, :, None, None] if is_matrix else tensor


def _resnet(place: str, inner: str) -> str:
    layer, _, rest = inner.partition(".")
    return f"{place}.{RESNET.get(layer, layer)}.{rest}" if rest else f"{place}.{inner}"
