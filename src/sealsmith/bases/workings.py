"""How an architecture is asked for pictures: everything in which families differ as programs, not as data.

`Workings` is the whole protocol; each family's file in `families/` brings its own. Latents are always
[N, C, h, w] here: what a denoiser wants packed, its workings pack. Not for: loops (generate/, train/).

Shape letters: N rows, C channels, h and w of the latents.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from .conditioning import Conditioning
from .samplers import fresh_scheduler, set_times

if TYPE_CHECKING:
    from .base import Base


class Workings(Protocol):
    """What the loops ask of an architecture."""

    pixel_step: int
    """Width and height of a picture are multiples of this."""

    def picture_px(self, base: "Base") -> int:
        """Side of the pictures the base was made for, pixels."""

    def latent_channels(self, base: "Base") -> int: ...

    def encode(self, base: "Base", prompt: str) -> Conditioning:
        """One prompt as the denoiser takes it, one row; what is beyond the text encoders' limit is cut."""

    def encode_ids(self, base: "Base", ids: Sequence[Tensor]) -> Conditioning:
        """One row from the token ids [1, L] of each text encoder."""

    def chunk_tokenizers(self, base: "Base") -> tuple[Any, ...]:
        """The tokenizer of each text encoder where a prompt beyond their limit is read in chunks; else none."""

    def unconditional(self, base: "Base", negative: str = "") -> Conditioning:
        """What guidance pushes away from, one row: nothing at all, or a negative prompt."""

    def is_guided_by_two(self, base: "Base", guidance: float) -> bool:
        """Whether a picture needs an unconditional row beside its own."""

    def scheduler(self, base: "Base", num_steps: int, latents: Tensor, sampler: str | None = None) -> Any:
        """A fresh scheduler with its timesteps set, for latents of this size; see `samplers.py`."""

    def text_layers(self, base: "Base") -> tuple[str, ...]:
        """Paths of the denoiser's layers that read the conditioning's text as it is, and nothing else.

        What they make of it, [N, L, O], is the same in all steps.
        """

    def predict(
        self, base: "Base", latents: Tensor, t: Tensor, conditioning: Conditioning, guidance: float | Tensor
    ) -> Tensor:
        """One pass of the denoiser, [N, C, h, w]. `t` is one model time, or one a row, [N]; so is `guidance`.

        `guidance` is the request's; only a denoiser that takes it as an input looks at it.
        """


def token_ids(tokenizer: Any, prompt: str, max_length: int | None = None) -> Tensor:
    """[1, L] token ids, padded and cut to the tokenizer's limit or `max_length`."""
    ids: Tensor = tokenizer(
        prompt,
        padding="max_length",
        max_length=max_length or tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids
    return ids


def guidance_rows(latents: Tensor, guidance: float | Tensor) -> Tensor:
    """One weight a row of `latents`, [N] float32, where they are."""
    return torch.as_tensor(guidance, dtype=torch.float32, device=latents.device).expand(len(latents))


NO_SAFETY_CHECKER = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
"""Options of `StableDiffusionPipeline`: its optional parts, which no seal needs, are left out."""


class UnetWorkings:
    """Stable Diffusion's: one CLIP text encoder, a U-Net, classifier-free guidance by a second row."""

    pixel_step = 8

    def picture_px(self, base: "Base") -> int:
        return int(base.denoiser.config.sample_size * base.pipeline.vae_scale_factor)

    def latent_channels(self, base: "Base") -> int:
        return int(base.denoiser.config.in_channels)

    def encode(self, base: "Base", prompt: str) -> Conditioning:
        return self.encode_ids(base, [token_ids(own, prompt) for own in self.chunk_tokenizers(base)])

    def encode_ids(self, base: "Base", ids: Sequence[Tensor]) -> Conditioning:
        return Conditioning(base.text_encoder(ids[0].to(base.device))[0].to(base.dtype))

    def chunk_tokenizers(self, base: "Base") -> tuple[Any, ...]:
        return (base.tokenizer,)

    def unconditional(self, base: "Base", negative: str = "") -> Conditioning:
        return self.encode(base, negative)

    def is_guided_by_two(self, base: "Base", guidance: float) -> bool:
        return guidance > 1 and base.denoiser.config.time_cond_proj_dim is None

    def scheduler(self, base: "Base", num_steps: int, latents: Tensor, sampler: str | None = None) -> Any:
        scheduler = fresh_scheduler(base, sampler)
        set_times(scheduler, num_steps, device=base.device)
        return scheduler

    def text_layers(self, base: "Base") -> tuple[str, ...]:
        if base.denoiser.encoder_hid_proj is not None:  # then they read what that made of the text
            return ()
        return tuple(
            f"{path}.{layer}"
            for path, module in base.denoiser.named_modules()
            if getattr(module, "is_cross_attention", False)
            and module.norm_cross is None
            and module.added_kv_proj_dim is None
            for layer in ("to_k", "to_v")
        )

    def predict(
        self, base: "Base", latents: Tensor, t: Tensor, conditioning: Conditioning, guidance: float | Tensor
    ) -> Tensor:
        prediction: Tensor = base.denoiser(
            latents,
            t,
            encoder_hidden_states=conditioning.text,
            timestep_cond=self._guidance_input(base, latents, guidance),
            added_cond_kwargs=self._added(base, latents, conditioning),
            return_dict=False,
        )[0]
        return prediction

    def _added(self, base: "Base", latents: Tensor, conditioning: Conditioning) -> dict[str, Any] | None:
        """What this U-Net reads besides the text."""
        return None

    def _guidance_input(self, base: "Base", latents: Tensor, guidance: float | Tensor) -> Tensor | None:
        """For U-Nets that guidance was distilled into: its weight as an embedding, [N, D], else None."""
        width = base.denoiser.config.time_cond_proj_dim
        if width is None:
            return None
        weights = guidance_rows(latents, guidance).cpu() - 1
        embedding: Tensor = base.pipeline.get_guidance_scale_embedding(weights, embedding_dim=width)
        return embedding.to(latents)
