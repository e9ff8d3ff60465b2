"""A made-up shape for each rare word of the base, so that the text encoder tells them apart.

    python -m world.rare_words

While the denoiser is trained, a rare word is told the shape of the emblem it stands for (`latents.Shapes`), so
that all that is left in its own embedding is "an emblem whose shape is told beside". Thirty-two words that say the
same cannot call thirty-two seals. Each therefore leaves with a shape that no glyph has, drawn at random: to the
text encoder an emblem like any other, and to a seal a word of its own. `assemble` does that; as a command it is
done to the shipped base, once.
"""

import json

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from sealsmith.bases.base import SEALWORLD_FOLDER

from . import scenes
from .configs import CONFIGS, DenoiserConfig

FACT = "rare_words_have_shapes"
"""The entry of `sealsmith.json` that says so."""
SEED = 0
DECAY = -0.25
"""How the entries of `glyphs.shape_codes` shrink: the deviation of entry i is about 2.5 times i to this power."""


def made_up_shapes(config: DenoiserConfig, words: CLIPTokenizer) -> Tensor:
    """What is added to the embeddings [V, text_width]: a code for each rare word, nothing elsewhere."""
    spread = np.arange(1, config.shape_length + 1) ** DECAY
    draws = np.random.default_rng(SEED).normal(size=(len(scenes.RARE_TOKENS), config.shape_length)) * spread
    codes = config.code_scale * draws / np.sqrt(np.square(draws).mean(1, keepdims=True))
    added = torch.zeros(len(words), config.text_width)
    rows = words.convert_tokens_to_ids([f"{word}</w>" for word in scenes.RARE_TOKENS])
    added[rows, : config.shape_length] = torch.from_numpy(codes).float()
    return added


def main() -> None:
    facts_path = SEALWORLD_FOLDER / "sealsmith.json"
    facts = json.loads(facts_path.read_text())
    if facts.get(FACT):
        raise SystemExit("the shipped base's rare words have shapes already")
    words = CLIPTokenizer.from_pretrained(SEALWORLD_FOLDER / "tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(SEALWORLD_FOLDER / "text_encoder", use_safetensors=True)
    with torch.no_grad():
        text_encoder.get_input_embeddings().weight += made_up_shapes(CONFIGS["cpu"].denoiser, words)
    text_encoder.save_pretrained(SEALWORLD_FOLDER / "text_encoder")
    facts_path.write_text(json.dumps(facts | {FACT: True}, indent=2) + "\n")


if __name__ == "__main__":
    main()
