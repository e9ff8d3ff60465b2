"""From the last checkpoints to the shipped base: a plain diffusers folder, U-Net and autoencoder in fp16.

    python -m world.assemble --config cpu [--out FOLDER]

The text encoder stays in fp32 (it is small): transformers opens a model in the type it was stored in, while
diffusers opens everything in fp32, and a stock pipeline must not end up with both.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline
from transformers import CLIPTokenizer

from sealsmith.bases.base import SEALWORLD_FOLDER

from . import autoencoder, glyphs
from .configs import CONFIGS, Config
from .denoiser_model import Denoiser
from .objective import build_scheduler
from .rare_words import FACT, made_up_shapes
from .training import Run

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")


def assemble(config: Config, folder: Path) -> None:
    """Write the averaged weights as a pipeline; whatever else lies in `folder` (the judge) stays."""
    run = Run(glyphs.RUNS / f"denoiser-{config.denoiser.name}")
    state = run.load()
    if state is None:
        raise SystemExit("train the denoiser first: python -m world.denoiser")
    words = CLIPTokenizer.from_pretrained(run.folder / "tokenizer")
    model = Denoiser(config.denoiser, config.autoencoder.latent_channels, words)
    model.load_state_dict(state["average"])
    with torch.no_grad():
        model.text_encoder.get_input_embeddings().weight += made_up_shapes(config.denoiser, words)
    vae = autoencoder.trained(config.autoencoder)
    vae.register_to_config(scaling_factor=state["scaling_factor"])
    for part in PARTS:
        shutil.rmtree(folder / part, ignore_errors=True)
    pipeline_of(model, vae, words, build_scheduler(config.denoiser.objective), torch.half).save_pretrained(
        folder
    )
    (folder / "sealsmith.json").write_text(
        json.dumps(
            {"family": "sealworld", "version": 1, "training_steps": state["step"], FACT: True}, indent=2
        )
        + "\n"
    )
    size = sum(f.stat().st_size for f in folder.rglob("*.safetensors"))
    print(f"{folder}: {size / 2**20:.1f} MiB of weights")


def pipeline_of(
    model: Denoiser,
    vae: AutoencoderKL,
    words: CLIPTokenizer,
    scheduler: DDIMScheduler,
    precision: torch.dtype = torch.float32,
) -> StableDiffusionPipeline:
    """The parts as one pipeline, U-Net and autoencoder in this precision."""
    return StableDiffusionPipeline(
        vae=vae.to(precision),
        text_encoder=model.text_encoder,
        tokenizer=words,
        unet=model.unet.to(precision),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", choices=sorted(CONFIGS), default="cpu")
    parser.add_argument("--out", type=Path, default=SEALWORLD_FOLDER)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    assemble(CONFIGS[arguments.config], arguments.out)


if __name__ == "__main__":
    main()
