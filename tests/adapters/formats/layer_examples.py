"""Random changes of every kind for layers of every family, for tests."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from sealsmith.adapters.changes import Change, Decomposed, Full, Hadamard, Kronecker, LowRank

WIDTH = 8

_SD_LAYERS = {
    "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q": (8, 8),
    "unet.down_blocks.0.attentions.0.transformer_blocks.0.ff.net.0.proj": (16, 8),
    "unet.down_blocks.1.resnets.1.conv1": (12, 8, 3, 3),
    "unet.mid_block.resnets.0.time_emb_proj": (8, 12),
    "unet.up_blocks.0.upsamplers.0.conv": (8, 8, 3, 3),
    "unet.up_blocks.2.resnets.2.conv_shortcut": (8, 12, 1, 1),
    "text_encoder.encoder.layers.0.self_attn.q_proj": (8, 8),
    "text_encoder.encoder.layers.0.mlp.fc1": (16, 8),
}
_FLUX_DOUBLE = {
    "attn.to_q": (8, 8),
    "attn.to_k": (8, 8),
    "attn.to_v": (8, 8),
    "attn.add_q_proj": (8, 8),
    "attn.add_k_proj": (8, 8),
    "attn.add_v_proj": (8, 8),
    "attn.to_out.0": (8, 8),
    "ff_context.net.2": (8, 32),
    "norm1.linear": (48, 8),
}
_FLUX_SINGLE = {
    "attn.to_q": (8, 8),
    "attn.to_k": (8, 8),
    "attn.to_v": (8, 8),
    "proj_mlp": (32, 8),
    "proj_out": (8, 40),
    "norm.linear": (24, 8),
}
LAYERS: dict[str, dict[str, tuple[int, ...]]] = {
    "sealworld": _SD_LAYERS,
    "sd1": _SD_LAYERS,
    "sdxl": _SD_LAYERS | {"text_encoder_2.text_projection": (8, 12), "unet.add_embedding.linear_1": (8, 12)},
    "flux": {
        **{f"transformer.transformer_blocks.1.{path}": shape for path, shape in _FLUX_DOUBLE.items()},
        **{f"transformer.single_transformer_blocks.0.{path}": shape for path, shape in _FLUX_SINGLE.items()},
        "transformer.norm_out.linear": (16, 8),
        "transformer.x_embedder": (8, 6),
        "text_encoder.encoder.layers.0.mlp.fc2": (8, 16),
        "text_encoder_2.encoder.block.0.layer.0.SelfAttention.o": (8, 8),
    },
}
"""Family -> layers, one of every sort, and small weights' shapes for them."""
KINDS = (
    "lora",
    "loha",
    "loha-core",
    "lokr",
    "lokr-whole",
    "lokr-core",
    "full",
    "dora",
    "dora-loha",
    "dora-input",
)


def random_change(kind: str, shape: tuple[int, ...], rank: int, alpha: float, seed: int) -> Change:
    """A change of that kind, with numbers that fp16 holds exactly; cores are for convolutions wider than 1x1."""
    generator = torch.Generator().manual_seed(seed)

    def rand(*size: int) -> Tensor:
        return torch.randint(-8, 9, size, generator=generator) / 8

    outputs, inputs, kernel = shape[0], shape[1], shape[2:]
    area = kernel[0] * kernel[1] if kernel else 1
    if kind.startswith("dora"):
        inner = random_change("loha" if kind == "dora-loha" else "lora", shape, rank, alpha, seed)
        by_input = kind == "dora-input"
        size = (1, inputs) if by_input else (outputs,)
        return Decomposed(inner, rand(*size).abs() + 0.5, by_input=by_input)
    if kind == "loha" or (kind == "loha-core" and area == 1):
        flat = inputs * area
        return Hadamard(rand(outputs, rank), rand(rank, flat), rand(outputs, rank), rand(rank, flat), alpha)
    if kind == "loha-core":
        core = (rank, rank, *kernel)
        halves = (rand(rank, outputs), rand(rank, inputs), rand(rank, outputs), rand(rank, inputs))
        return Hadamard(*halves, alpha, rand(*core), rand(*core))
    if kind == "lokr":
        w1_a, w1_b = rand(2, rank), rand(rank, 2)
        w2_a, w2_b = rand(outputs // 2, rank), rand(rank, inputs // 2 * area)
        return Kronecker(alpha, w1_a=w1_a, w1_b=w1_b, w2_a=w2_a, w2_b=w2_b)
    if kind == "lokr-whole" or (kind == "lokr-core" and area == 1):
        return Kronecker(alpha, w1=rand(2, 2), w2=rand(outputs // 2, inputs // 2, *kernel))
    if kind == "lokr-core":
        w2_a, w2_b, core = rand(rank, outputs // 2), rand(rank, inputs // 2), rand(rank, rank, *kernel)
        return Kronecker(alpha, w1=rand(2, 2), w2_a=w2_a, w2_b=w2_b, t2=core)
    if kind == "full":
        return Full(rand(*shape))
    return LowRank(rand(rank, inputs, *kernel), rand(outputs, rank, *(1,) * len(kernel)), alpha)


def random_layers(
    shapes: Mapping[str, tuple[int, ...]], kinds: Iterable[str], ranks: Iterable[int], alphas: Iterable[float]
) -> dict[str, Change]:
    """A change for every layer, with kinds, ranks and alphas dealt out in turn."""
    kinds, ranks, alphas = list(kinds), list(ranks), list(alphas)
    return {
        path: random_change(
            kinds[i % len(kinds)], shape, ranks[i % len(ranks)], alphas[i % len(alphas)], seed=i
        )
        for i, (path, shape) in enumerate(shapes.items())
    }


def weight_for(shape: tuple[int, ...]) -> Tensor:
    """A weight of that shape, the same every time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(99))
