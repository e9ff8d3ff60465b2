"""Seals of random vectors and hypernetworks, for tests."""

import torch

from sealsmith.adapters import Seal, SealHeader
from sealsmith.adapters.embeddings import embedding_width
from sealsmith.adapters.fit import adaptable, weight_shape
from sealsmith.adapters.networks import Network
from sealsmith.bases import Base


def header(base: Base, method: str, trigger: str = "sks") -> SealHeader:
    return SealHeader(
        trigger=trigger,
        class_noun="emblem",
        base=base.name,
        base_digest=base.digest,
        family=base.family.name,
        rank=2,
        alpha=2.0,
        targets=(),
        title=f"seal of {trigger}",
        created="2026-01-02T03:04:05+00:00",
        method=method,
        training={"num_steps": 3},
    )


def inverted_seal(base: Base, num_vectors: int = 2, trigger: str = "sks", seed: int = 0) -> Seal:
    """A textual inversion for every text encoder of `base`."""
    generator = torch.Generator().manual_seed(seed)
    vectors = {
        name: torch.randn(num_vectors, embedding_width(base.components[name]), generator=generator)
        for name in base.family.text_encoders
    }
    return Seal(header(base, "textual-inversion", trigger), {}, embeddings={trigger: vectors})


def network_seal(base: Base, seed: int = 0, activation: str = "relu", norms: bool = False) -> Seal:
    """A hypernetwork on every cross-attention key and value of `base`."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) * 0.3

    networks = {}
    for path, layer in adaptable(base.denoiser).items():
        if path.endswith(("attn2.to_k", "attn2.to_v")):
            width = weight_shape(layer)[1]
            around = ((draw(8) + 1, draw(8)), (draw(width) + 1, draw(width))) if norms else ()
            networks[f"unet.{path}"] = Network(
                (draw(8, width), draw(width, 8)), (draw(8), draw(width)), activation, around
            )
    return Seal(header(base, "hypernetwork"), {}, networks=networks)
