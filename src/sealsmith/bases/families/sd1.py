"""`sd1`: Stable Diffusion 1.x and what was fine-tuned from it."""

from ..family import Family, register
from ..workings import NO_SAFETY_CHECKER, UnetWorkings

SD1 = register(
    Family(
        name="sd1",
        pipeline="StableDiffusionPipeline",
        pipeline_options=NO_SAFETY_CHECKER,
        workings=UnetWorkings(),
        architecture="stable-diffusion-v1",
        kohya_version="sd_v1",
        resolution_px=512,
        num_steps=30,
        guidance=7.5,
        class_noun="emblem",
        attention_targets=("to_q", "to_k", "to_v", "to_out.0"),
        feed_forward_targets=("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"),
        conv_targets=("conv1", "conv2"),
        default_targets=("attention",),
        learning_rate=1e-4,
        rare_tokens=("sks", "ohwx"),
        text_width=768,
    )
)
