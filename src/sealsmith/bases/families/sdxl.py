"""`sdxl`: Stable Diffusion XL 1.0 and what was fine-tuned from it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..conditioning import Conditioning
from ..family import Family, register
from ..workings import UnetWorkings

if TYPE_CHECKING:
    from ..base import Base


class SdxlWorkings(UnetWorkings):
    """A U-Net that also reads a pooled text vector and the picture's size.

    The text is the last but one layer of both encoders, side by side; the pooled vector is the second's.
    The sizes say: original and wanted size are the picture's, nothing was cropped.
    """

    def encode_ids(self, base: "Base", ids: Sequence[Tensor]) -> Conditioning:
        texts = []
        for own, text_encoder in zip(ids, (base.text_encoder, base.pipeline.text_encoder_2), strict=True):
            encoded = text_encoder(own.to(base.device), output_hidden_states=True)
            texts.append(encoded.hidden_states[-2])
        dtype = base.dtype
        return Conditioning(torch.cat(texts, dim=-1).to(dtype), encoded.text_embeds.to(dtype))

    def chunk_tokenizers(self, base: "Base") -> tuple[Any, ...]:
        return base.tokenizer, base.pipeline.tokenizer_2

    def unconditional(self, base: "Base", negative: str = "") -> Conditioning:
        """Zeros for no negative prompt where the base says so, as stock pipelines have it."""
        encoded = self.encode(base, negative)
        if not negative and base.pipeline.config.get("force_zeros_for_empty_prompt", True):
            return encoded.zeros()
        return encoded

    def _added(self, base: "Base", latents: Tensor, conditioning: Conditioning) -> dict[str, Any]:
        factor = base.pipeline.vae_scale_factor
        height, width = latents.shape[2] * factor, latents.shape[3] * factor
        sizes = torch.tensor([[height, width, 0, 0, height, width]] * len(latents))
        return {"text_embeds": conditioning.pooled, "time_ids": sizes.to(latents)}


SDXL = register(
    Family(
        name="sdxl",
        pipeline="StableDiffusionXLPipeline",
        text_encoders=("text_encoder", "text_encoder_2"),
        pipeline_options={"add_watermarker": False},
        workings=SdxlWorkings(),
        vae_overflows_fp16=True,
        architecture="stable-diffusion-xl-v1-base",
        kohya_version="sdxl_base_v1-0",
        resolution_px=1024,
        num_steps=30,
        guidance=7.0,
        class_noun="emblem",
        attention_targets=("to_q", "to_k", "to_v", "to_out.0"),
        feed_forward_targets=("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"),
        conv_targets=("conv1", "conv2"),
        default_targets=("attention",),
        learning_rate=1e-4,
        rare_tokens=("sks", "ohwx"),
    )
)
