"""The real models as empty shells: every layer with its name and shape, no weights and no memory.

Their configurations are written down here, so that names in other people's files can be told from one another
and key maps proven without fetching a base. Sources: the published configurations of Stable Diffusion 1.5 and
2.1, SDXL base 1.0 and FLUX.1-dev.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from diffusers import FluxTransformer2DModel, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, T5Config, T5EncoderModel

CLIP_L = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
    "projection_dim": 768,
}  # fmt: skip
CLIP_H = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23, "num_attention_heads": 16,
    "projection_dim": 512, "hidden_act": "gelu",
}  # fmt: skip
CLIP_BIG_G = {
    "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20,
    "projection_dim": 1280, "hidden_act": "gelu",
}  # fmt: skip
T5_XXL = {
    "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24, "num_heads": 64, "vocab_size": 32128,
    "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False,
}  # fmt: skip
SD1_UNET = {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8}
SD2_UNET = {
    "sample_size": 96, "cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20),
    "use_linear_projection": True,
}  # fmt: skip
SDXL_UNET = {
    "sample_size": 128,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (320, 640, 1280),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
FLUX_TRANSFORMER = {
    "in_channels": 64, "num_layers": 19, "num_single_layers": 38, "attention_head_dim": 128,
    "num_attention_heads": 24, "joint_attention_dim": 4096, "pooled_projection_dim": 768,
    "guidance_embeds": True,
}  # fmt: skip


def _clip(kind: type[nn.Module], config: dict[str, Any]) -> nn.Module:
    return kind(CLIPTextConfig(**config))


PARTS: dict[str, dict[str, Callable[[], nn.Module]]] = {
    "sd1": {
        "unet": lambda: UNet2DConditionModel(**SD1_UNET),
        "text_encoder": lambda: _clip(CLIPTextModel, CLIP_L),
    },
    "sd2": {
        "unet": lambda: UNet2DConditionModel(**SD2_UNET),
        "text_encoder": lambda: _clip(CLIPTextModel, CLIP_H),
    },
    "sdxl": {
        "unet": lambda: UNet2DConditionModel(**SDXL_UNET),
        "text_encoder": lambda: _clip(CLIPTextModel, CLIP_L),
        "text_encoder_2": lambda: _clip(CLIPTextModelWithProjection, CLIP_BIG_G),
    },
    "flux": {
        "transformer": lambda: FluxTransformer2DModel(**FLUX_TRANSFORMER),
        "text_encoder": lambda: _clip(CLIPTextModel, CLIP_L),
        "text_encoder_2": lambda: T5EncoderModel(T5Config(**T5_XXL)),
    },
}
"""Family -> component -> how its shell is made."""


@cache
def full_size(name: str) -> dict[str, nn.Module]:
    """The adaptable components of the real model of that family ("sd1", "sd2", "sdxl", "flux"), on torch's meta
    device. Made once; do not change them.

    Raises: KeyError for a family without a published model.
    """
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        return {component: make().requires_grad_(False) for component, make in PARTS[name].items()}
