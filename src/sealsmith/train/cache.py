"""Everything a training reads, computed once: latents, masks, encoded captions, class rows.

Pictures are kept by size, since the rows of a pass have one: square, and wide where the base draws wide pictures.

Shape letters: N pictures of one size, K class rows, M distinct captions, C channels, H and W of the latents. All
tensors live on the base's device.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..bases import Base, Conditioning, concatenate
from ..bases.latents import from_vae
from ..generate import fit_prompt, insert_trigger
from ..generate.prompt_tokens import lay_out_prompt
from .config import TrainConfig
from .objectives import Objective, objective_of
from .pictures import PictureSet, TrainingPicture, fit
from .precision import encoding_in_fp32
from .prior import EMPTY_SHARE, NUM_CLASS_PROMPTS, class_pictures, class_prompts
from .progress import Progress
from .trigger_attention import TriggerPlaces

Size = tuple[int, int]
"""Width and height, pixels."""


@dataclass(frozen=True)
class Sized:
    """The pictures of one size."""

    latents: Tensor
    """[N, C, H, W], as the denoiser knows them."""
    masks: Tensor | None
    """[N, 1, H, W] in 0..1, or None when no picture has one."""
    places: TriggerPlaces | None
    """Where the trigger stands and where the seal is; None when nobody asks."""
    captions: Tensor
    """[N], row of each picture's caption in `TrainingData.texts`."""
    order: Tensor
    """Picture numbers, each as often as its repeats."""
    class_latents: Tensor | None
    """[K, C, H, W], or None without a prior."""


@dataclass(frozen=True)
class TrainingData:
    """A picture set as the training loop reads it."""

    sizes: tuple[Sized, ...]
    """One at least; square pictures are the first."""
    class_captions: Tensor
    """[K], row of each class row's prompt in `texts`."""
    prompts: tuple[str, ...]
    """M texts; the first is the empty prompt."""
    texts: Conditioning
    """M rows, of `prompts`; row 0 is the empty prompt, as guidance knows it."""
    objective: Objective

    @property
    def captioned(self) -> list[tuple[Tensor, int]]:
        """Of every picture, its latents [C, H, W] and its caption's row in `texts`."""
        return [pair for own in self.sizes for pair in zip(own.latents, own.captions.tolist(), strict=True)]


def full_captions(pictures: PictureSet, config: TrainConfig, base: Base) -> list[str]:
    """The caption of each picture, with the trigger where the text encoder reads it.

    Pictures without a caption get "<trigger> <class noun>".
    """
    noun = config.class_noun or base.family.class_noun
    plain = f"{config.trigger} {noun}"
    captions = [picture.caption or plain for picture in pictures.pictures]
    called = [insert_trigger(caption, config.trigger, noun, slot=base.family.slot)[0] for caption in captions]
    return [
        fit_prompt(base.prompt_tokenizer, caption, base.prompt_tokens, [config.trigger]).prompt
        for caption in called
    ]


@torch.no_grad()
def prepare(
    base: Base, pictures: PictureSet, config: TrainConfig, folder: Path, progress: Progress
) -> TrainingData:
    """The picture set as tensors. Class pictures are drawn here when the prior asks for them."""
    captions = full_captions(pictures, config, base)
    class_captions = _class_captions(captions, config, base)
    rows = {text: row for row, text in enumerate(dict.fromkeys(["", *captions, *class_captions]))}
    groups = _by_size(base, pictures.pictures)
    drawn: dict[Size, list[Image.Image]] = {
        size_px: class_pictures(base, class_captions, config.seed, size_px, folder, progress)
        for size_px in groups
        if config.prior == "pictures"
    }
    progress.start("caching", len(rows) + len(captions) + sum(map(len, drawn.values())))
    texts = _encode_texts(base, list(rows), progress)
    columns = _trigger_columns(base, list(rows), config.trigger) if config.attention_weight else None
    sizes, done = [], len(rows)
    for size_px, numbers in groups.items():
        chosen = [pictures.pictures[number] for number in numbers]
        images = [picture.image for picture in chosen] + drawn.get(size_px, [])
        encoded = _encode_images(base, images, size_px, done, progress)
        done += len(images)
        latents, class_latents = encoded[: len(chosen)], encoded[len(chosen) :]
        if config.prior == "adapter-off":
            class_latents = latents[torch.arange(len(class_captions)) % len(latents)]
        sizes.append(
            Sized(
                latents=latents,
                masks=_masks(chosen, base, size_px),
                places=None if columns is None else TriggerPlaces(columns, _regions(chosen, base, size_px)),
                captions=torch.tensor([rows[captions[number]] for number in numbers]),
                order=torch.tensor([n for n, picture in enumerate(chosen) for _ in range(picture.repeats)]),
                class_latents=class_latents if class_captions else None,
            )
        )
    return TrainingData(
        sizes=tuple(sizes),
        class_captions=torch.tensor([rows[text] for text in class_captions], dtype=torch.long),
        prompts=tuple(rows),
        texts=texts,
        objective=objective_of(base),
    )


def _class_captions(captions: Sequence[str], config: TrainConfig, base: Base) -> list[str]:
    if config.prior == "adapter-off":
        return class_prompts(captions, config, base, NUM_CLASS_PROMPTS, EMPTY_SHARE)
    if config.prior == "pictures":
        return class_prompts(captions, config, base, config.prior_pictures, empty_share=0)
    return []


def _by_size(base: Base, pictures: Sequence[TrainingPicture]) -> dict[Size, list[int]]:
    """The numbers of the pictures that are trained in each size, smaller sizes first."""
    groups: dict[Size, list[int]] = {}
    for number, picture in enumerate(pictures):
        groups.setdefault(training_size_px(base, picture.image.size), []).append(number)
    return dict(sorted(groups.items()))


def training_size_px(base: Base, size_px: Size) -> Size:
    """Width and height in which a picture of this size is trained: square, or wide if that is nearer.

    Where a base has no wide pictures all are square.
    """
    wide_px, height_px = base.pair_size_px
    is_wide = (size_px[0] / size_px[1]) ** 2 > wide_px / height_px
    return (wide_px, height_px) if is_wide else (base.picture_px, base.picture_px)


def _encode_texts(base: Base, texts: Sequence[str], progress: Progress) -> Conditioning:
    encoded = []
    for number, text in enumerate(texts):
        if cut := fit_prompt(base.prompt_tokenizer, text, base.prompt_tokens).cut:
            progress.note(f"a caption is too long for the text encoder, it does not see: {cut!r}")
        encoded.append(_encode(base, text))
        progress.advance(number + 1)
    return concatenate(encoded)


def encode_texts(base: Base, prompts: Sequence[str], rows: Tensor) -> Conditioning:
    """The prompts of these rows, encoded by the text encoders as they are now; gradients flow into them."""
    return concatenate([_encode(base, prompts[row]) for row in rows.tolist()])


def _encode(base: Base, text: str) -> Conditioning:
    workings = base.family.workings
    return workings.encode(base, text) if text else workings.unconditional(base)


def _encode_images(
    base: Base, images: Sequence[Image.Image], size_px: Size, done: int, progress: Progress
) -> Tensor:
    """Latents [N, C, H, W] in fp32: the mode of each picture's posterior, one picture a pass."""
    latents = []
    with encoding_in_fp32(base):
        for number, image in enumerate(images):
            pixels = np.asarray(fit(image, size_px), dtype=np.float32) / 127.5 - 1
            x = torch.from_numpy(pixels).permute(2, 0, 1)[None].to(base.device)
            mode = base.vae.encode(x).latent_dist.mode()
            latents.append(from_vae(base.vae, mode))
            progress.advance(done + number + 1)
    return torch.cat(latents)


def _masks(pictures: Sequence[TrainingPicture], base: Base, size_px: Size) -> Tensor | None:
    """[N, 1, H, W]: the share of each latent that its mask covers; ones for pictures without a mask."""
    if all(picture.mask is None for picture in pictures):
        return None
    return torch.stack([_covered(picture.mask, base, size_px, 1.0) for picture in pictures])


def _regions(pictures: Sequence[TrainingPicture], base: Base, size_px: Size) -> Tensor:
    """[N, 1, H, W]: the share of each latent that the seal covers; zeros for pictures that do not say."""
    return torch.stack([_covered(picture.region or picture.mask, base, size_px, 0.0) for picture in pictures])


def _covered(mask: Image.Image | None, base: Base, size_px: Size, otherwise: float) -> Tensor:
    """[1, H, W]: the share of each latent that a mask covers."""
    _, height, width = base.latent_shape_of(*size_px)
    if mask is None:
        return torch.full((1, height, width), otherwise, device=base.device)
    fitted = fit(mask.convert("RGB"), size_px).convert("L")
    share = torch.from_numpy(np.asarray(fitted, dtype=np.float32) / 255).to(base.device)
    return F.adaptive_avg_pool2d(share[None], (height, width))


def _trigger_columns(base: Base, texts: Sequence[str], trigger: str) -> Tensor:
    """[M, K]: 1 where the denoiser reads the trigger in a text."""
    found = []
    for text in texts:
        tokens = lay_out_prompt(base, text, is_cut=True)
        own = torch.zeros(len(tokens.columns), device=base.device)
        own[list(tokens.columns_of(trigger))] = 1
        found.append(own)
    return torch.stack(found)
