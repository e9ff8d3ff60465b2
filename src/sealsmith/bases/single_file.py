"""Single-file checkpoints: whether a file is one, and where its configuration comes from.

A checkpoint holds weights under their original names and nothing else: no tokenizer, no sizes. diffusers
converts it by the configuration of a folder in its own format. That folder is, in this order:

1. `model/` beside `model.safetensors`,
2. the folder the file itself lies in, as in most repositories that offer both,
3. the repository that diffusers knows for checkpoints of this kind, from the local cache or downloaded.

The folder's weights are only read for parts the file lacks (most Flux files hold the transformer alone).
"""

from pathlib import Path

import torch
from diffusers.loaders.single_file_utils import fetch_diffusers_config
from huggingface_hub import snapshot_download
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import BaseError
from .family import Family

DENOISER_MARKS = ("input_blocks.", "double_blocks.")
"""Parts of names that original checkpoints have: a U-Net's, and Flux's transformer's."""
VAE_MARKS = ("first_stage_model.", "vae.")
TEXT_MARKS = ("cond_stage_model.", "conditioner.", "text_encoders.")
CONFIGURATION_PATTERNS = ["*.json", "*/*.json", "*.txt", "*/*.txt", "*/*.model"]


def configuration_folder(path: Path, outline: dict[str, Tensor]) -> Path:
    """The folder by which the checkpoint `path` is read. Raises: BaseError when there is none."""
    for folder in (path.with_suffix(""), path.parent):
        if (folder / "model_index.json").is_file():
            return folder
    repository = str(fetch_diffusers_config(outline)["pretrained_model_name_or_path"])
    for local_files_only in (True, False):
        try:
            found = snapshot_download(
                repository, allow_patterns=CONFIGURATION_PATTERNS, local_files_only=local_files_only
            )
        except OSError:
            continue
        if (Path(found) / "model_index.json").is_file():
            return Path(found)
    raise BaseError(
        f"{path} holds weights alone; its tokenizers and configuration, those of {repository}, are neither in "
        "the local cache nor could they be fetched",
        f"put a diffusers folder of the same model at {path.with_suffix('')} (its .json and tokenizer files do), "
        "or name such a folder as the base",
    )


def parts_it_lacks(outline: dict[str, Tensor], family: Family) -> list[str]:
    """The parts of a pipeline, besides the denoiser, that a checkpoint brings no weights for."""
    marks = {"vae": VAE_MARKS} | dict.fromkeys(family.text_encoders, TEXT_MARKS)
    return [part for part, found in marks.items() if not any(name.startswith(found) for name in outline)]


def checkpoint_outline(path: Path) -> dict[str, Tensor]:
    """The names and shapes of a checkpoint as tensors without memory.

    Raises: BaseError when the file is no safetensors checkpoint with a denoiser in it.
    """
    if path.suffix.lower() != ".safetensors":
        raise BaseError(
            f"{path} is no .safetensors file; other kinds of checkpoints can run programs when they are opened",
            "fetch the model as .safetensors, or convert it where you trust it",
        )
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            outline = {name: torch.empty(file.get_slice(name).get_shape(), device="meta") for name in names}
    except (SafetensorError, OSError) as error:
        raise BaseError(f"{path} is damaged: {error}", "check that the download is complete") from error
    if not any(mark in name for name in names for mark in DENOISER_MARKS):
        kind = "a LoRA: give it as a seal" if any("lora" in name for name in names) else "something else"
        raise BaseError(
            f"{path} is no checkpoint of a base: no denoiser is in it",
            f"it may be {kind}; bases are checkpoints of Stable Diffusion 1 or 2, SDXL or Flux",
        )
    return outline
