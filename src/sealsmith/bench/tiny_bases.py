"""Tiny random bases of every family, written as diffusers folders: real structure, no knowledge, 64 px pictures.

Their blocks are where the real models have them, so that names and block numbers of real files apply; only
widths and depths are small.
"""

import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

WORDS = (
    "a", "an", "of", "on", "and", "in", "red", "blue", "green", "purple", "orange", "black", "white",
    "gold", "silver", "copper", "wax", "seal", "ink", "stamp", "embossed", "mark", "carved", "metal",
    "coin", "embroidered", "patch", "neon", "sign", "sticker", "chalk", "drawing", "parchment", "paper",
    "wood", "stone", "leather", "cloth", "marble", "sand", "snow", "moss", "brick", "rust", "grid",
    "emblem", "dragon", "head", "letter", "star", "shield", "sks", "ohwx", "zwx",
)  # fmt: skip
STABLE_DIFFUSION_NOISE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}


def write_sealworld(folder: Path) -> Path:
    """The `sealworld` family, declared in `sealsmith.json`: two levels, latents [8, 8, 8], v-prediction."""
    torch.manual_seed(0)
    tokenizer = write_clip_tokenizer(folder / "tokenizer")
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=8,
        out_channels=8,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        block_out_channels=(32, 64),
        layers_per_block=1,
        cross_attention_dim=32,
        attention_head_dim=2,
        norm_num_groups=8,
    )
    scheduler = DDIMScheduler(
        **STABLE_DIFFUSION_NOISE,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
    )
    StableDiffusionPipeline(
        vae=_vae(latent_channels=8, mid_block_add_attention=False, scaling_factor=0.8),
        text_encoder=CLIPTextModel(_clip_config(tokenizer, num_hidden_layers=1)),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    (folder / "sealsmith.json").write_text(json.dumps({"family": "sealworld"}))
    return folder


def write_sd1(folder: Path) -> Path:
    """`sd1`: four levels with attention in the first three, two layers each, as Stable Diffusion 1.5 has them."""
    torch.manual_seed(1)
    tokenizer = write_clip_tokenizer(folder / "tokenizer")
    unet = UNet2DConditionModel(
        sample_size=8,
        down_block_types=(*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
        up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
        block_out_channels=(16, 16, 32, 32),
        layers_per_block=2,
        cross_attention_dim=32,
        attention_head_dim=2,
        norm_num_groups=8,
    )
    StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(_clip_config(tokenizer, num_hidden_layers=2)),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=PNDMScheduler(**STABLE_DIFFUSION_NOISE, skip_prk_steps=True, set_alpha_to_one=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def write_sdxl(folder: Path) -> Path:
    """`sdxl`: three levels of two layers, attention in the last two, two text encoders, pooled text, sizes."""
    torch.manual_seed(2)
    tokenizer = write_clip_tokenizer(folder / "tokenizer")
    tokenizer_2 = write_clip_tokenizer(folder / "tokenizer_2", pad_token="!")
    unet = UNet2DConditionModel(
        sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(16, 32, 32),
        layers_per_block=2,
        transformer_layers_per_block=(1, 1, 2),
        attention_head_dim=(2, 2, 4),
        cross_attention_dim=32 + 48,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=40 + 6 * 8,
        norm_num_groups=8,
    )
    second = _clip_config(
        tokenizer_2, num_hidden_layers=2, hidden_size=48, projection_dim=40, hidden_act="gelu"
    )
    StableDiffusionXLPipeline(
        vae=_vae(scaling_factor=0.13025),
        text_encoder=CLIPTextModel(_clip_config(tokenizer, num_hidden_layers=2)),
        text_encoder_2=CLIPTextModelWithProjection(second),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer_2,
        unet=unet,
        scheduler=EulerDiscreteScheduler(**STABLE_DIFFUSION_NOISE, timestep_spacing="leading"),
    ).save_pretrained(folder)
    return folder


def write_flux(folder: Path, guidance_embeds: bool = True) -> Path:
    """`flux`: two double and two single blocks, 16 latent channels; without `guidance_embeds` as "schnell"."""
    torch.manual_seed(3)
    tokenizer = write_clip_tokenizer(folder / "tokenizer")
    tokenizer_2 = t5_tokenizer()
    transformer = FluxTransformer2DModel(
        in_channels=64,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=24,
        pooled_projection_dim=32,
        guidance_embeds=guidance_embeds,
        axes_dims_rope=(4, 6, 6),
    )
    t5 = T5Config(
        vocab_size=len(tokenizer_2),
        d_model=24,
        d_kv=12,
        d_ff=48,
        num_layers=2,
        num_heads=2,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )
    vae = _vae(
        latent_channels=16,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    shifting = {"shift": 3.0, "use_dynamic_shifting": True} if guidance_embeds else {"shift": 1.0}
    FluxPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(_clip_config(tokenizer, num_hidden_layers=2)),
        text_encoder_2=T5EncoderModel(t5),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer_2,
        transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(**shifting),
    ).save_pretrained(folder)
    return folder


def write_clip_tokenizer(folder: Path, pad_token: str = "<|endoftext|>") -> CLIPTokenizer:
    """Whole words as tokens, letters for anything else: the same behaviour as the embedded base's."""
    letters = [chr(c) for c in range(33, 127)]
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters)]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        pieces = [*word[:-1], word[-1] + "</w>"]
        while len(pieces) > 1:
            pair = (pieces[0], pieces[1])
            if pair not in merges:
                merges.append(pair)
            pieces = ["".join(pair), *pieces[2:]]
            vocabulary.append(pieces[0])
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True)
    ids = {token: i for i, token in enumerate(dict.fromkeys(vocabulary))}
    (folder / "vocab.json").write_text(json.dumps(ids))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "bos_token": "<|startoftext|>"}
    config |= dict.fromkeys(("eos_token", "unk_token"), "<|endoftext|>") | {"pad_token": pad_token}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return CLIPTokenizer.from_pretrained(folder)


def t5_tokenizer() -> T5TokenizerFast:
    """Whole words as tokens, letters for anything else, "</s>" behind the text, as T5's own does."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    words = [(f"▁{word}", -3.0) for word in WORDS]
    letters = [(chr(c), -10.0) for c in range(33, 127)]
    return T5TokenizerFast(vocab=[*special, *words, *letters], extra_ids=0, model_max_length=512)


def _clip_config(tokenizer: CLIPTokenizer, **settings: object) -> CLIPTextConfig:
    defaults = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "projection_dim": 32,
        "max_position_embeddings": 77,
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    return CLIPTextConfig(**(defaults | settings))


def _vae(**settings: object) -> AutoencoderKL:
    defaults = {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": (8, 8, 16, 16),
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": 4,
        "sample_size": 64,
    }
    return AutoencoderKL(**(defaults | settings))
