"""The judge: a small network that says which emblem, mark, surface and colour a sealworld picture shows.

It was trained on renders of the world (`world/judge.py`), never on generated pictures; how often it is right
about renders stands in docs/sealworld.md, and no score is better than that. Not for: other bases' pictures.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from ..bases.base import SEALWORLD_FOLDER
from ..errors import BaseError

JUDGE_FOLDER = SEALWORLD_FOLDER / "judge"
JUDGE_PX = 128
WINDOW, WIDE_WINDOW = 0.547, 0.781
"""Side of the square that shows it one of two marks, in shares of the height, in a square and a wide picture."""


@dataclass(frozen=True)
class JudgeOutput:
    """What the judge sees in N pictures."""

    embedding: Tensor
    """[N, D], of length 1: near for the same emblem, whatever it is made of."""
    mark: Tensor
    """Logits [N, marks]."""
    surface: Tensor
    """Logits [N, surfaces]."""
    colour: Tensor
    """Logits [N, colours]."""
    silhouette: Tensor
    """Logits [N, 1, 64, 64]: where the emblem is."""


class Judge(nn.Module):
    """Finds the emblem's silhouette in a picture, then says what emblem it is from the silhouette alone.

    The silhouette is what all marks of one emblem share, so an embedding that sees nothing else cannot be
    swayed by wax or neon, and it can be taught from drawings of thousands of glyphs without rendering any.
    Mark, surface and colour are read from the features in between.
    """

    def __init__(self, num_marks: int, num_surfaces: int, num_colours: int, width: int = 24, size: int = 128):
        super().__init__()
        w = width
        self.stem = _block(12, w)
        self.down32 = nn.Sequential(_block(w, 2 * w, 2), _block(2 * w, 2 * w))
        self.down16 = nn.Sequential(_block(2 * w, 4 * w, 2), _block(4 * w, 4 * w))
        self.down8 = nn.Sequential(_block(4 * w, 6 * w, 2), _block(6 * w, 6 * w))
        self.up16 = _block(6 * w + 4 * w, 3 * w)
        self.up32 = _block(3 * w + 2 * w, w)
        self.up64 = _block(2 * w, w)
        self.silhouette = nn.Conv2d(w, 1, 3, padding=1)
        self.context = nn.Linear(2 * w + 4 * w + 6 * w, 128)
        self.mark = nn.Linear(128, num_marks)
        self.surface = nn.Linear(128, num_surfaces)
        self.colour = nn.Linear(128, num_colours)
        self.shape = nn.Sequential(
            _block(1, w, 2),
            _block(w, 2 * w, 2),
            _block(2 * w, 2 * w),
            _block(2 * w, 4 * w, 2),
            _block(4 * w, 4 * w),
            nn.Conv2d(4 * w, 32, 1),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(32 * 64, size),
        )

    def forward(self, pictures: Tensor) -> JudgeOutput:
        """Judge pictures [N, 3, 128, 128] in 0..1."""
        at64 = self.stem(F.pixel_unshuffle(pictures * 2 - 1, 2))
        at32 = self.down32(at64)
        at16 = self.down16(at32)
        at8 = self.down8(at16)
        pooled = torch.cat([at32.mean((2, 3)), at16.mean((2, 3)), at8.mean((2, 3))], 1)
        context = F.relu(self.context(pooled))
        up = self.up16(torch.cat([_doubled(at8), at16], 1))
        up = self.up32(torch.cat([_doubled(up), at32], 1))
        up = self.up64(torch.cat([_doubled(up), at64], 1))
        silhouette = self.silhouette(up)
        return JudgeOutput(
            self.embed(silhouette.sigmoid()),
            self.mark(context),
            self.surface(context),
            self.colour(context),
            silhouette,
        )

    def embed(self, silhouettes: Tensor) -> Tensor:
        """Embeddings [N, D] of length 1 of silhouettes [N, 1, 64, 64] in 0..1."""
        return F.normalize(self.shape(silhouettes), dim=1)


def _doubled(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2.0, mode="nearest")


def _block(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


@dataclass(frozen=True)
class LoadedJudge:
    """A judge with the words for its classes and the emblems a seal is told apart from."""

    judge: Judge
    marks: tuple[str, ...]
    surfaces: tuple[str, ...]
    colours: tuple[str, ...]
    """The last one is "none": the colour of marks that have the surface's own."""
    distractors: Tensor
    """[1000, D] embeddings of other emblems, each the mean over several renders, of length 1."""

    @torch.inference_mode()
    def look(self, pictures: Tensor, batch: int = 32) -> JudgeOutput:
        """Judge pictures [N, 3, H, W] in 0..1 of any size."""
        if pictures.shape[-2:] != (JUDGE_PX, JUDGE_PX):
            pictures = F.interpolate(pictures, (JUDGE_PX, JUDGE_PX), mode="bilinear", antialias=True)
        seen = [self.judge(part) for part in pictures.split(batch)]
        return JudgeOutput(
            torch.cat([s.embedding for s in seen]),
            torch.cat([s.mark for s in seen]),
            torch.cat([s.surface for s in seen]),
            torch.cat([s.colour for s in seen]),
            torch.cat([s.silhouette for s in seen]),
        )


def pictures_to_tensor(pictures: list[Image.Image]) -> Tensor:
    """PIL pictures -> [N, 3, 128, 128] in 0..1, resized where they are not 128 px."""
    import numpy as np

    sized = [p.convert("RGB").resize((JUDGE_PX, JUDGE_PX), Image.Resampling.LANCZOS) for p in pictures]
    return torch.from_numpy(np.stack([np.asarray(p) for p in sized])).permute(0, 3, 1, 2).float() / 255


def load_judge(folder: Path = JUDGE_FOLDER) -> LoadedJudge:
    """The judge stored in a folder (`config.json`, `model.safetensors`), ready to look.

    Raises: BaseError when the folder holds none.
    """
    try:
        config = json.loads((folder / "config.json").read_text())
        tensors = load_file(folder / "model.safetensors")
    except OSError as error:
        raise BaseError(
            f"no judge in {folder}: {error}", "reinstall Sealsmith: the judge comes with its embedded base"
        ) from error
    judge = Judge(
        len(config["marks"]), len(config["surfaces"]), len(config["colours"]), config["width"], config["size"]
    )
    distractors = F.normalize(tensors.pop("distractors").float(), dim=1)
    judge.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    judge.eval().requires_grad_(False)
    return LoadedJudge(
        judge, tuple(config["marks"]), tuple(config["surfaces"]), tuple(config["colours"]), distractors
    )
