"""Module names of the text encoders, CLIP's and T5's.

transformers had a `text_model.` level in CLIP's, took it out of `CLIPTextModel` in 5.6 and left it in
`CLIPTextModelWithProjection`; files have it or not. Canonical paths never do.
"""

from .place import Grammar

_CLIP = {"layers", "self_attn", "q_proj", "k_proj", "v_proj", "out_proj", "mlp", "fc1", "fc2"}
_T5 = {"block", "layer", "SelfAttention", "DenseReluDense", "q", "k", "v", "o", "wi", "wi_0", "wi_1", "wo"}
GRAMMAR = Grammar(frozenset({"encoder", "text_projection"}), frozenset(_CLIP | _T5))

_OLD_LEAVES = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}


def canonical(module: str) -> str:
    """A dotted path without the `text_model.` level and with today's names of the attention's parts."""
    module = module.removeprefix("text_model.").replace(".processor.", ".")
    parent, _, leaf = module.rpartition(".")
    return f"{parent}.{_OLD_LEAVES[leaf]}" if parent and leaf in _OLD_LEAVES else module


def nested(module: str) -> str:
    """A canonical path with the `text_model.` level where CLIP had it."""
    return f"text_model.{module}" if module.startswith("encoder.layers.") else module
