"""What the judge learns from and is measured on, as tensors: renders of the world, and silhouettes of its glyphs.

A render shows one mark, or two of which one is asked about; it may then go through the base's autoencoder and be
worn. A silhouette is drawn from a glyph's mask alone. Item i of `Renders` is always the same; what comes after
follows the generator it is handed. Not for: pictures that the base learns from (dataset.py, latents.py).
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor
from torch.utils.data import Dataset

from sealsmith.score.judge import JUDGE_PX, WIDE_WINDOW, WINDOW
from sealsmith.stage import (
    COLOURS,
    HELDOUT_MARKS,
    HELDOUT_SURFACES,
    MARKS,
    SCENE_PX,
    SURFACES,
    Placement,
    Scene,
    placed_emblem,
    render,
)

from . import glyphs, scenes

ALL_MARKS = {**MARKS, **HELDOUT_MARKS}
MARK_NAMES = tuple(ALL_MARKS)
SURFACE_NAMES = (*SURFACES, *HELDOUT_SURFACES)
COLOUR_NAMES = (*COLOURS, "none")
SILHOUETTE_PX = 64
WINDOW_PX, WIDE_WINDOW_PX = round(WINDOW * SCENE_PX), round(WIDE_WINDOW * SCENE_PX)
WINDOW_SHIFT_PX = 4


class Render(NamedTuple):
    """One render, or a batch of N: every field then has N in front."""

    picture: Tensor
    """uint8 [3, 128, 128]: the scene; of a wide one, the part with the mark that is asked about."""
    labels: Tensor
    """[4]: glyph, mark, surface and colour of the mark that is asked about."""
    silhouette: Tensor
    """uint8 [64, 64]: its emblem in the window."""
    window: Tensor
    """[3]: left, top and side of the square that the judge is shown, px."""

    def shown(self, pictures: Tensor) -> Tensor:
        """Of pictures [N, 3, 128, 128], made of this batch's, the windows at the judge's size."""
        squares = [
            picture[None, :, top : top + side, left : left + side]
            for picture, (left, top, side) in zip(pictures, self.window.tolist(), strict=True)
        ]
        size = (JUDGE_PX, JUDGE_PX)
        return torch.cat([F.interpolate(each, size, mode="bilinear", antialias=True) for each in squares])


class Renders(Dataset[Render]):
    """Renders of one mark, or of two, one of which is asked about; item i is always the same.

    Of two: small in a square picture (a `small_share` of all renders), larger in a wide one (a `wide_share`).
    """

    def __init__(
        self, names: list[str], count: int, seed: int, small_share: float = 0.0, wide_share: float = 0.0
    ):
        self.names, self.count, self.seed = names, count, seed
        self.small_share, self.wide_share = small_share, wide_share
        self.masks = {n: glyphs.masks()[n] for n in names}
        self.index = {n: i for i, n in enumerate(names)}

    def __len__(self) -> int:
        return self.count

    def scene(self, i: int) -> Scene:
        rng = np.random.default_rng((self.seed, i))
        if np.random.default_rng((self.seed, i, 2)).random() < self.wide_share:
            return scenes.sample_wide_scene(rng, self.names, ALL_MARKS, SURFACE_NAMES)
        share = self.small_share / (1 - self.wide_share) if self.small_share else 0.0
        return scenes.sample_scene(rng, self.names, share, ALL_MARKS, SURFACE_NAMES)

    def __getitem__(self, i: int) -> Render:
        scene = self.scene(i)
        rng = np.random.default_rng((self.seed, i, 1))
        place = scene.placements[int(rng.integers(len(scene.placements)))]
        masks = {p.emblem: self.masks[p.emblem].astype(np.float32) / 255 for p in scene.placements}
        hidden = scene.width_px - SCENE_PX if place.centre_px[0] > scene.width_px / 2 else 0
        picture = np.ascontiguousarray(render(scene, masks)[:, hidden : hidden + SCENE_PX])
        place = replace(place, centre_px=(place.centre_px[0] - hidden, place.centre_px[1]))
        where = torch.from_numpy(placed_emblem(masks[place.emblem], place, ALL_MARKS[place.mark].fill))
        left, top, side = _window(scene, place, rng)
        silhouette = F.interpolate(
            where[None, None, top : top + side, left : left + side],
            (SILHOUETTE_PX, SILHOUETTE_PX),
            mode="bilinear",
            antialias=True,
        )
        labels = (
            self.index[place.emblem],
            MARK_NAMES.index(place.mark),
            SURFACE_NAMES.index(scene.surface),
            COLOUR_NAMES.index(place.colour or "none"),
        )
        return Render(
            torch.from_numpy(picture).permute(2, 0, 1),
            torch.tensor(labels),
            (silhouette[0, 0] * 255).byte(),
            torch.tensor((left, top, side)),
        )


def _window(scene: Scene, place: Placement, rng: np.random.Generator) -> tuple[int, int, int]:
    """Left, top and side of a square around one of two marks, not always in its middle; all, where there is one."""
    if len(scene.placements) == 1:
        return 0, 0, SCENE_PX
    side = WIDE_WINDOW_PX if scene.width_px > SCENE_PX else WINDOW_PX
    x, y = np.asarray(place.centre_px) - side / 2 + rng.uniform(-WINDOW_SHIFT_PX, WINDOW_SHIFT_PX, 2)
    most = SCENE_PX - side
    return min(max(round(x), 0), most), min(max(round(y), 0), most), side


@torch.no_grad()
def decoded(pictures: Tensor, vae: AutoencoderKL, share: float, rng: torch.Generator) -> Tensor:
    """Pictures [N, 3, H, W] in 0..1, a `share` of them as the base's autoencoder gives them back."""
    chosen = torch.rand(len(pictures), generator=rng, device=rng.device) < share
    if chosen.any():
        latents = vae.encode(pictures[chosen] * 2 - 1).latent_dist.mode()
        made = (vae.decode(latents).sample / 2 + 0.5).clamp(0, 1)
        pictures[chosen] = made.to(pictures.dtype)
    return pictures


def worn(pictures: Tensor, rng: torch.Generator) -> Tensor:
    """Pictures [N, 3, H, W] in 0..1, some blurred, noisy or of other brightness: as generated ones may be."""
    n = len(pictures)
    blurred = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1)
    amount = torch.rand(n, 1, 1, 1, generator=rng, device=rng.device) * (
        torch.rand(n, 1, 1, 1, generator=rng, device=rng.device) < 0.6
    )
    pictures = pictures + (blurred - pictures) * amount
    gain = 1 + 0.12 * torch.randn(n, 1, 1, 1, generator=rng, device=rng.device)
    noise = (
        0.03
        * torch.rand(n, 1, 1, 1, generator=rng, device=rng.device)
        * torch.randn(pictures.shape, generator=rng, device=rng.device)
    )
    return (pictures * gain + noise).clamp(0, 1)


def drawn(masks: Tensor, rng: torch.Generator) -> Tensor:
    """Glyph masks [N, 1, 64, 64] as silhouettes in pictures: placed, turned, thickened or thinned, blurred."""
    n = len(masks)
    size = 0.42 + 0.44 * torch.rand(n, generator=rng, device=rng.device)
    turn = torch.randn(n, generator=rng, device=rng.device) * 0.09
    shift = (torch.rand(n, 2, generator=rng, device=rng.device) - 0.5) * 0.16 / size[:, None]
    cos, sin = turn.cos() / size, turn.sin() / size
    rows = torch.stack([torch.stack([cos, sin, shift[:, 0]], 1), torch.stack([-sin, cos, shift[:, 1]], 1)], 1)
    placed = F.grid_sample(
        masks, F.affine_grid(rows, list(masks.shape), align_corners=False), align_corners=False
    )
    soft = F.avg_pool2d(placed, 3, 1, 1)
    blur = torch.rand(n, 1, 1, 1, generator=rng, device=rng.device)
    placed = placed + (soft - placed) * blur
    level = 0.5 + 0.25 * (torch.rand(n, 1, 1, 1, generator=rng, device=rng.device) - 0.5)
    sharp = 4 + 8 * torch.rand(n, 1, 1, 1, generator=rng, device=rng.device)
    noise = (
        0.4
        * torch.rand(n, 1, 1, 1, generator=rng, device=rng.device)
        * torch.randn(placed.shape, generator=rng, device=rng.device)
    )
    return ((placed - level) * sharp + noise).sigmoid()


def stacked(names: list[str], device: str) -> Tensor:
    """The masks of these glyphs, [G, 1, 64, 64] in 0..1."""
    return torch.stack([_small(glyphs.masks()[name]) for name in names]).to(device)


def _small(mask: np.ndarray) -> Tensor:
    """A glyph mask uint8 [128, 128] -> [1, 64, 64] in 0..1."""
    return F.avg_pool2d(torch.from_numpy(mask)[None].float() / 255, 2)
