"""How often a judge is right about renders of glyphs that it has never seen.

A glyph is known by its prototype, the mean embedding of several of its renders. Not for: how good a base is by the
judge (evaluate.py).
"""

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor
from torch.utils.data import default_collate

from sealsmith.score.judge import LoadedJudge

from . import glyphs
from .renders import Renders, decoded


def prototypes(loaded: LoadedJudge, names: list[str], seed: int, renders: int = 4) -> Tensor:
    """Mean embedding [len(names), D] of several random renders of each glyph, of length 1."""
    means = []
    for i, name in enumerate(names):
        one = Renders([name], renders, seed=seed * 100_000 + i)
        pictures = torch.stack([one[k].picture for k in range(renders)]).float() / 255
        means.append(loaded.look(pictures).embedding.mean(0))
    return F.normalize(torch.stack(means), dim=1)


def accuracy(
    loaded: LoadedJudge,
    distractors: Tensor,
    vae: AutoencoderKL | None = None,
    small_share: float = 0.0,
    wide_share: float = 0.0,
    glyph_count: int = 200,
    per_glyph: int = 4,
) -> dict[str, float]:
    """How often the judge is right about renders of unseen glyphs; shares as `Renders` has them.

    `unseen_top1`: a render is nearest to its own glyph's prototype (of 4 other renders) among the distractors.
    `vae`: what all of them go through first.
    """
    names = glyphs.heldout_names()[:: max(1, len(glyphs.heldout_names()) // glyph_count)][:glyph_count]
    references = prototypes(loaded, names, seed=7)
    right = {"unseen_top1": 0, "mark": 0, "surface": 0, "colour": 0}
    similarity = 0.0
    for i, name in enumerate(names):
        data = Renders([name], per_glyph, 8_000_000 + i, small_share, wide_share)
        batch = default_collate([data[k] for k in range(per_glyph)])
        pictures = batch.picture.float() / 255
        if vae is not None:
            pictures = decoded(pictures, vae, 1.0, torch.Generator().manual_seed(i))
        seen, label = loaded.look(batch.shown(pictures)), batch.labels
        own = seen.embedding @ references[i]
        right["unseen_top1"] += int((own > (seen.embedding @ distractors.T).max(1).values).sum())
        similarity += float(own.sum())
        for k, logits in ((1, seen.mark), (2, seen.surface), (3, seen.colour)):
            right[("", "mark", "surface", "colour")[k]] += int((logits.argmax(1) == label[:, k]).sum())
    total = len(names) * per_glyph
    return {
        **{k: round(v / total, 4) for k, v in right.items()},
        "unseen_similarity": round(similarity / total, 4),
        "pictures": total,
    }
