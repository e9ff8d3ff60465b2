"""The embedded base's text encoder and U-Net, and what they begin with: words, and random or shipped weights.

A large model knows what words look like before it learns to draw: its text encoder was trained on pictures. Here
the embedding of an emblem's name begins as the emblem's shape (`informed_embeddings`), so that the U-Net learns to
draw any shape it is told instead of memorising some hundred of them. Emblems without a name are told in the same
way beside a rare token (`latents.Shapes`). Not for: training it (denoiser.py).
"""

import json
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from sealsmith.bases.base import SEALWORLD_FOLDER
from sealsmith.stage import COLOURS, HELDOUT_MARKS, HELDOUT_SURFACES, MARKS, SURFACES

from . import autoencoder, glyphs, rare_words, scenes, tokenizer
from .configs import Config, DenoiserConfig
from .training import check_shapes


class Denoiser(nn.Module):
    """Text encoder and U-Net together: what one training changes."""

    def __init__(self, config: DenoiserConfig, latent_channels: int, words: CLIPTokenizer):
        super().__init__()
        self.text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(words),
                hidden_size=config.text_width,
                intermediate_size=4 * config.text_width,
                num_hidden_layers=config.text_layers,
                num_attention_heads=config.text_width // 48,
                max_position_embeddings=tokenizer.MAX_TOKENS,
                projection_dim=config.text_width,
                bos_token_id=words.bos_token_id,
                eos_token_id=words.eos_token_id,
                pad_token_id=words.pad_token_id,
                initializer_factor=1.0,
            )
        )
        self.unet = UNet2DConditionModel(
            sample_size=16,
            in_channels=latent_channels,
            out_channels=latent_channels,
            down_block_types=("CrossAttnDownBlock2D",) * len(config.channels),
            up_block_types=("CrossAttnUpBlock2D",) * len(config.channels),
            block_out_channels=config.channels,
            layers_per_block=1,
            cross_attention_dim=config.text_width,
            attention_head_dim=config.heads,
            norm_num_groups=16,
        )

    def forward(self, noisy: Tensor, time: Tensor, tokens: Tensor, told: Tensor) -> Tensor:
        """v predicted for latents [N, C, 16, 16] at integer model times [N] under token ids [N, 77].

        `told` [N, 77, text_width] is added to the tokens' embeddings.
        """
        embeddings = self.text_encoder.get_input_embeddings()
        hook = embeddings.register_forward_hook(lambda module, given, out: out + told)
        try:
            states = self.text_encoder(tokens).last_hidden_state
        finally:
            hook.remove()
        return self.unet(noisy, time, encoder_hidden_states=states).sample

    def attend_by_products(self) -> None:
        """Attention as two matrix products: on a CPU its gradients cost half of the fused kernel's."""
        self.unet.set_attn_processor(AttnProcessor())
        self.text_encoder.set_attn_implementation("eager")


def build_tokenizer(config: DenoiserConfig, folder: Path) -> CLIPTokenizer:
    """A tokenizer that knows every word of every caption, held-out marks and surfaces included."""
    words = {word for name in glyphs.train_names(config.glyphs) for word in name.split()}
    words |= {*scenes.RARE_TOKENS, scenes.CLASS_NOUN, "a", "an", "the", "of", "on", "in", "and", "with", "no"}
    for vocabulary in (MARKS, SURFACES, COLOURS, HELDOUT_MARKS, HELDOUT_SURFACES):
        words |= {word for name in vocabulary for word in name.split()}
    return tokenizer.build(sorted(words), folder)


@torch.no_grad()
def informed_embeddings(model: Denoiser, config: DenoiserConfig, words: CLIPTokenizer) -> None:
    """Begin the token embeddings [V, text_width] as what they mean.

    The first `shape_length` entries are a shape: a glyph's for its name, nothing for any other token. The rest
    tell words apart; names and rare tokens have most of theirs in common, so that a rare token begins as an
    emblem whose shape nobody knows.
    """
    table = model.text_encoder.get_input_embeddings().weight
    length = config.shape_length
    random = torch.Generator().manual_seed(0)
    table[:, :length] = 0
    table[:, length:] = torch.randn(len(table), config.text_width - length, generator=random)
    names = [n for n in glyphs.train_names(config.glyphs) if n != "letter a"]  # "a" is everybody's article
    named = words.convert_tokens_to_ids([f"{n.split()[-1]}</w>" for n in names])
    rare = words.convert_tokens_to_ids([f"{n}</w>" for n in scenes.RARE_TOKENS])
    common = torch.randn(config.text_width - length, generator=random)
    table[named + rare, length:] = 0.8 * common + 0.6 * table[named + rare, length:]
    table[named, :length] = torch.from_numpy(glyphs.shape_codes(names, length))
    table *= config.code_scale


def load_shipped(model: Denoiser, settings: Config, words: CLIPTokenizer) -> int:
    """Put the shipped weights into `model`, whose tokens are those of `words`; the number of steps behind them.

    Rare words lose the shapes they were shipped with: in training each is told one. Where the latents are another
    autoencoder's than the shipped one's, the convolutions that read and write them stay as they are.
    The optimiser's state is not shipped: a training that goes on from here warms its momentum up anew.
    Raises: SystemExit, with nothing changed, when the package carries none or others than this shape.
    """
    facts = SEALWORLD_FOLDER / "sealsmith.json"
    if not facts.exists():
        raise SystemExit("no weights are shipped yet: leave --from-shipped out")
    unet = UNet2DConditionModel.from_pretrained(SEALWORLD_FOLDER / "unet", use_safetensors=True)
    text_encoder = CLIPTextModel.from_pretrained(SEALWORLD_FOLDER / "text_encoder", use_safetensors=True)
    order = _shipped_ids(words)
    drawing, reading = unet.state_dict(), text_encoder.state_dict()
    for own, state in ((model.unet, drawing), (model.text_encoder, reading)):
        check_shapes(own, state)
    if not autoencoder.is_shipped(settings.autoencoder):
        ends = {k: v for k, v in model.unet.state_dict().items() if k.startswith(("conv_in.", "conv_out."))}
        drawing |= ends
    model.unet.load_state_dict(drawing)
    model.text_encoder.load_state_dict(reading)
    table = model.text_encoder.get_input_embeddings().weight
    told = json.loads(facts.read_text())
    with torch.no_grad():
        table.copy_(table[order].clone())
        if told.get(rare_words.FACT):
            table -= rare_words.made_up_shapes(settings.denoiser, words).to(table.device)
    return int(told["training_steps"])


def _shipped_ids(words: CLIPTokenizer) -> list[int]:
    """The shipped tokenizer's id of each token of `words`, in the order of their ids.

    Building a tokenizer twice may number its pieces differently. Raises: SystemExit when the tokens differ.
    """
    shipped = CLIPTokenizer.from_pretrained(SEALWORLD_FOLDER / "tokenizer").get_vocab()
    own = words.get_vocab()
    if set(own) != set(shipped):
        raise SystemExit("the shipped weights know other words")
    return [shipped[token] for token in sorted(own, key=own.__getitem__)]
