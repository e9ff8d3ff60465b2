"""`sealworld`: the small base the project carries itself, an `sd1`-shaped pipeline at 128 px."""

from ..family import Family, register
from ..workings import NO_SAFETY_CHECKER, UnetWorkings

SEALWORLD = register(
    Family(
        name="sealworld",
        pipeline="StableDiffusionPipeline",
        pipeline_options=NO_SAFETY_CHECKER,
        workings=UnetWorkings(),
        architecture="sealworld-v1",
        kohya_version="sealworld_v1",
        resolution_px=128,
        num_steps=8,
        guidance=4.0,
        class_noun="emblem",
        attention_targets=("to_q", "to_k", "to_v", "to_out.0"),
        feed_forward_targets=("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"),
        conv_targets=("conv1", "conv2"),
        default_targets=("attention", "feed-forward"),
        learning_rate=2e-3,
        rare_tokens=(
            "sks", "ohwx", "zwx", "vlk", "qyx", "bzr", "xjp", "wkq", "zvk", "qtl", "jrx", "pfw", "hzq", "kvj",
            "xwb", "ngq", "mzx", "vqd", "tjk", "lxz", "rqf", "dwj", "gzp", "cvx", "ykq", "fjz", "bxh", "wzt",
            "qmk", "jvl", "zpr", "xqs",
        ),
        attention_weight=0.05,
        slot=" on ",
        pair_aspect=1.5,
        pair_mix="masked",
        is_declared=True,
    )
)  # fmt: skip
