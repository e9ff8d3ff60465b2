"""Reading attention along while a picture is drawn: running sums for each half of guidance, step group and layer.

Hooks take what a layer's own projections computed and form the attention's shares from it once more; the layer
computes as ever, so the picture is the same to the bit. Without a recording there is no hook and no cost.

Shape letters: N rows of the batch, A heads, D width of a head, P places (image tokens), K text tokens, L all
tokens of a joint attention, R rows of `PromptTokens`, h w a layer's grid, H W any size wanted.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor

from ..bases import Base
from ..generate.attention_shares import CrossAttention, Watched, cross_attentions, grid_of
from ..generate.prompt_tokens import PromptTokens

CONDITIONAL, UNCONDITIONAL = "conditional", "unconditional"
STEP_GROUPS = 4


@dataclass(frozen=True)
class Detail:
    """How finely a run is kept apart; what is not kept apart is summed as it comes."""

    per_step: bool = False
    """Every pass of the denoiser for itself, not STEP_GROUPS groups of equal length."""
    per_layer: bool = False
    """Every layer for itself, not the layers of a block together."""
    joint_rows: str = "text"
    """Of a joint attention: "text" keeps the text's rows over the image's columns (where a word looks), "image" the
    image's rows over the text's columns (which places read a word)."""


@dataclass(frozen=True)
class Place:
    """What one running sum is of."""

    half: str
    steps: int
    """Group of steps."""
    layers: str


@dataclass
class RunningSum:
    """Shares summed over calls: the mean is `total / count`."""

    total: Tensor
    """[R, h, w]"""
    count: int = 0


class AttentionRecord:
    """Attention of one picture, averaged over heads; one running sum for each half, step group and layer group."""

    def __init__(
        self,
        tokens: Mapping[str, PromptTokens],
        latent_size: tuple[int, int],
        num_passes: int,
        detail: Detail | None = None,
    ):
        """`latent_size`: height and width of the latents; `num_passes`: how often the denoiser is asked."""
        self.tokens = tokens
        self.latent_size = latent_size
        self.num_passes = num_passes
        self.detail = detail or Detail()
        self.sums: dict[Place, RunningSum] = {}
        self._pass = -1

    @property
    def num_groups(self) -> int:
        return self.num_passes if self.detail.per_step else min(STEP_GROUPS, self.num_passes)

    @property
    def step_names(self) -> tuple[str, ...]:
        """The step groups as they are written: "1-5", "6-10"; counted from 1."""
        borders = [-(-group * self.num_passes // self.num_groups) for group in range(self.num_groups + 1)]
        spans = pairwise(borders)
        return tuple(f"{low + 1}" if high - low == 1 else f"{low + 1}-{high}" for low, high in spans)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The layer groups, in the order in which they compute."""
        return tuple(dict.fromkeys(place.layers for place in self.sums))

    @property
    def halves(self) -> tuple[str, ...]:
        found = {place.half for place in self.sums}
        return tuple(half for half in (CONDITIONAL, UNCONDITIONAL) if half in found)

    @property
    def num_calls(self) -> int:
        """How many times a layer was read for the prompt's half."""
        return sum(part.count for place, part in self.sums.items() if place.half == CONDITIONAL)

    @property
    def num_bytes(self) -> int:
        """Memory of the running sums."""
        return sum(part.total.nbytes for part in self.sums.values())

    def next_pass(self) -> None:
        """The denoiser is asked once more."""
        self._pass += 1

    def add(self, layer: str, shares: Tensor) -> None:
        """Takes the shares [N, K, P] of one layer in one pass; of two rows the first is the unconditional one."""
        halves = (CONDITIONAL,) if len(shares) == 1 else (UNCONDITIONAL, CONDITIONAL)
        group = min(max(self._pass, 0), self.num_passes - 1) * self.num_groups // self.num_passes
        name = layer if self.detail.per_layer else layer_group(layer)
        grid = grid_of(shares.shape[2], *self.latent_size)
        for half, own in zip(halves, shares, strict=True):
            rows = self.tokens[half].merged(own.float()).unflatten(1, grid)
            part = self.sums.setdefault(Place(half, group, name), RunningSum(torch.zeros_like(rows)))
            part.total += rows
            part.count += 1

    def maps(
        self,
        height: int,
        width: int,
        half: str = CONDITIONAL,
        steps: int | None = None,
        layers: str | None = None,
        rows: Sequence[int] | None = None,
    ) -> Tensor:
        """Mean shares of every row, [R, H, W], of one step group or all, of one layer group or all.

        With `rows`, of those rows only.

        Every layer and every pass counts alike, whatever its size.
        Differs: DAAM (Tang et al. 2022, arXiv:2210.04885, section 2.2) sums over heads, layers and steps with
        bicubic interpolation; these are means, bilinear, so that shares stay shares.
        Raises: ValueError when nothing of that was recorded.
        """
        parts = [
            part
            for place, part in self.sums.items()
            if place.half == half and steps in (None, place.steps) and layers in (None, place.layers)
        ]
        if not parts:
            raise ValueError(f"no attention was recorded of half {half!r}, steps {steps}, layers {layers!r}")
        total = torch.zeros(())
        for part in parts:
            own = part.total if rows is None else part.total[list(rows)]
            total = total + F.interpolate(own[None], (height, width), mode="bilinear")[0].cpu()
        return total / sum(part.count for part in parts)

    @property
    def finest(self) -> tuple[int, int]:
        """Height and width of the largest grid that was recorded."""
        height, width = max((tuple(part.total.shape[1:]) for part in self.sums.values()), default=(1, 1))
        return height, width


@contextmanager
def recording(base: Base, record: AttentionRecord) -> Iterator[AttentionRecord]:
    """A context in which every attention to the prompt is added to `record`; afterwards no hook is left.

    U-Nets: the cross-attention, whose rows are places and whose columns are tokens. Flux: the joint attention of
    double and single blocks, text before image.
    """
    is_unet = base.family.denoiser == "unet"
    named = base.denoiser.named_modules()
    joint = {name: module for name, module in named if name.endswith(".attn")}
    layers = cross_attentions(base.denoiser) if is_unet else joint
    with ExitStack() as stack:
        entering = base.denoiser.register_forward_pre_hook(lambda *_: record.next_pass())
        stack.callback(entering.remove)
        for name, module in layers.items():
            watched = CrossAttention(module) if is_unet else _JointAttention(module, record)
            stack.callback(watched.close)
            watched.open(partial(record.add, name.rpartition(".")[0]))
        yield record


def joint_shares(query: Tensor, key: Tensor, num_text: int, rows: str) -> Tensor:
    """A joint attention's block between text and image, averaged over heads; the softmax is over all tokens.

    Shapes: query and key [N, L, A, D], the first `num_text` of L are text -> [N, K, P]. With `rows` "text", what
    share of its attention a token gives a place: over P it sums to what it does not give the text. With "image",
    what share a place gives a token: over K it sums to what the place does not give the image.
    Memory: one head at a time, as a head's scores are L x L.
    """
    asked = slice(None, num_text) if rows == "text" else slice(num_text, None)
    answering = slice(num_text, None) if rows == "text" else slice(None, num_text)
    num_heads, scale = query.shape[2], query.shape[3] ** -0.5
    total = torch.zeros(())
    for head in range(num_heads):
        scores = query[:, asked, head].float() @ key[:, :, head].float().transpose(1, 2) * scale
        total = total.to(scores) + scores.softmax(-1)[:, :, answering]
    mean = total / num_heads
    return mean if rows == "text" else mean.transpose(1, 2)


def layer_group(layer: str) -> str:
    """The block a layer belongs to: "down_blocks.1", "mid_block", or "double" and "single" of a transformer."""
    parts = layer.split(".")
    if parts[0] in ("transformer_blocks", "single_transformer_blocks"):
        return "single" if parts[0].startswith("single") else "double"
    return parts[0] if parts[0] == "mid_block" else ".".join(parts[:2])


class _JointAttention(Watched):
    """A Flux block's attention over text and image; in double blocks the text has projections of its own."""

    def __init__(self, attention: Any, record: AttentionRecord):
        super().__init__(attention)
        self.num_text = len(record.tokens[CONDITIONAL].columns)
        self.rows = record.detail.joint_rows

    @property
    def sources(self) -> tuple[str, ...]:
        own = ("norm_q", "norm_k")
        is_double = self.attention.added_kv_proj_dim is not None
        return (*own, "norm_added_q", "norm_added_k") if is_double else own

    def read(self, kwargs: Mapping[str, Any]) -> Tensor:
        query, key = self.seen["norm_q"], self.seen["norm_k"]
        if "norm_added_q" in self.seen:
            query = torch.cat([self.seen["norm_added_q"], query], dim=1)
            key = torch.cat([self.seen["norm_added_k"], key], dim=1)
        rotation = kwargs.get("image_rotary_emb")
        if rotation is not None:
            query = apply_rotary_emb(query, rotation, sequence_dim=1)
            key = apply_rotary_emb(key, rotation, sequence_dim=1)
        return joint_shares(query, key, self.num_text, self.rows)
