"""`flux`: Flux.1 ("dev" and "schnell") and what was fine-tuned from it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ..conditioning import Conditioning
from ..family import Family, register
from ..flow import num_patches, pack, patch_places, shift, unpack
from ..samplers import fresh_scheduler, set_times
from ..workings import guidance_rows, token_ids

if TYPE_CHECKING:
    from ..base import Base


class FluxWorkings:
    """A transformer over 2x2 patches of latents, trained by flow matching.

    CLIP gives the pooled vector alone, T5 the text. Guidance was distilled into "dev", which takes it as an
    input; "schnell" has none. So no picture has a second row, and a negative prompt has no place to go.
    """

    pixel_step = 16

    def picture_px(self, base: "Base") -> int:
        """The VAE's size: the transformer itself has none."""
        return int(base.vae.config.sample_size)

    def latent_channels(self, base: "Base") -> int:
        return int(base.denoiser.config.in_channels) // 4

    def encode(self, base: "Base", prompt: str) -> Conditioning:
        pipeline = base.pipeline
        t5_ids = token_ids(pipeline.tokenizer_2, prompt, base.prompt_tokens)
        ids = token_ids(pipeline.tokenizer, prompt), t5_ids
        return self.encode_ids(base, ids)

    def encode_ids(self, base: "Base", ids: Sequence[Tensor]) -> Conditioning:
        pipeline, dtype = base.pipeline, base.dtype
        clip_ids, t5_ids = (own.to(base.device) for own in ids)
        pooled = pipeline.text_encoder(clip_ids).pooler_output
        return Conditioning(pipeline.text_encoder_2(t5_ids)[0].to(dtype), pooled.to(dtype))

    def chunk_tokenizers(self, base: "Base") -> tuple[Any, ...]:
        """None: T5 reads far more than CLIP at once, and was never trained on chunks."""
        return ()

    def unconditional(self, base: "Base", negative: str = "") -> Conditioning:
        return self.encode(base, negative)

    def is_guided_by_two(self, base: "Base", guidance: float) -> bool:
        return False

    def scheduler(self, base: "Base", num_steps: int, latents: Tensor, sampler: str | None = None) -> Any:
        scheduler = fresh_scheduler(base, sampler)
        config = scheduler.config
        sigmas = None if config.get("use_flow_sigmas") else np.linspace(1.0, 1 / num_steps, num_steps)
        mu = {"mu": shift(config, num_patches(*latents.shape[2:]))} if config.use_dynamic_shifting else {}
        set_times(scheduler, num_steps, device=base.device, sigmas=sigmas, **mu)
        return scheduler

    def text_layers(self, base: "Base") -> tuple[str, ...]:
        return ()  # every block changes the text, too

    def predict(
        self, base: "Base", latents: Tensor, t: Tensor, conditioning: Conditioning, guidance: float | Tensor
    ) -> Tensor:
        num_rows, _, height, width = latents.shape
        wants_guidance = base.denoiser.config.guidance_embeds
        weight = guidance_rows(latents, guidance) if wants_guidance else None
        packed = base.denoiser(
            hidden_states=pack(latents),
            timestep=t.expand(num_rows).to(latents.dtype) / 1000,
            guidance=weight,
            pooled_projections=conditioning.pooled,
            encoder_hidden_states=conditioning.text,
            txt_ids=latents.new_zeros(conditioning.text.shape[1], 3),
            img_ids=patch_places(height // 2, width // 2).to(latents),
            return_dict=False,
        )[0]
        return unpack(packed, height, width)


FLUX = register(
    Family(
        name="flux",
        pipeline="FluxPipeline",
        denoiser="transformer",
        text_encoders=("text_encoder", "text_encoder_2"),
        prompt_tokenizer="tokenizer_2",
        max_prompt_tokens=512,
        objective="flow",
        workings=FluxWorkings(),
        architecture="flux-1-dev",
        kohya_version="flux1",
        resolution_px=1024,
        num_steps=28,
        guidance=3.5,
        training_guidance=1.0,
        class_noun="emblem",
        attention_targets=(
            "to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out",
        ),
        feed_forward_targets=(
            "ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2", "proj_mlp", "proj_out",
        ),
        conv_targets=(),
        default_targets=("attention",),
        learning_rate=1e-4,
        rare_tokens=("sks", "ohwx"),
    )
)  # fmt: skip
