"""One prediction a step from the passes of several seals: averaged, or place by place by where each is called.

Not for: which seal acts in which pass (mixing.py).

Shape letters: S seals, C channels, h and w of the latents.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from ..bases import Base, Conditioning
from ..errors import ConfigError
from .attention_shares import RowsCrossAttention, cross_attentions, grid_of
from .mixing import Seals, num_passes
from .prompt import main_trigger
from .prompt_tokens import PromptTokens, lay_out_prompt
from .request import Request

SHARPNESS = 8.0
"""How sharply a place decides between triggers: one attended twice as much as another counts 2⁸ times."""


class Passes:
    """The passes of each step: how many, and what their predictions come to together."""

    def __init__(self, number: int, called: "CalledPlaces | None" = None):
        self.number = number
        self.called = called

    def joined(self, predictions: Sequence[Tensor]) -> Tensor:
        """The step's prediction [1, C, h, w] from those of its passes, each of that shape."""
        if len(predictions) == 1:
            return predictions[0]
        each = torch.cat(list(predictions))
        if self.called is None:
            return each.mean(0, keepdim=True)
        return (each * self.called.weights().to(each)).sum(0, keepdim=True)


class CalledPlaces:
    """Where in a picture each trigger is attended: sums over all layers and passes so far."""

    def __init__(self, columns: Sequence[Sequence[int]], latent_size: tuple[int, int]):
        """`columns`: of each trigger, its places in the text that the denoiser reads."""
        self.columns = columns
        self.totals = torch.zeros(len(columns), *latent_size)

    def add(self, shares: Tensor) -> None:
        """Takes the attention [N, K, P] of one layer; the last row is the prompt's own."""
        self.totals = self.totals.to(shares.device) + self.maps(shares[-1])

    def maps(self, shares: Tensor) -> Tensor:
        """How much each trigger is attended where, [S, h, w], by the shares [K, P] of one layer."""
        size = tuple(self.totals.shape[1:])
        own = torch.stack([shares[list(columns)].sum(0) for columns in self.columns]).float()
        return F.interpolate(own.unflatten(1, grid_of(own.shape[1], *size))[None], size, mode="bilinear")[0]

    def weights(self) -> Tensor:
        """How much each seal has to say at each place, [S, 1, h, w]; 1 together.

        A trigger's attention counts against its own mean over the picture, so that no word is louder by itself.
        """
        least = torch.finfo(self.totals.dtype).tiny
        contrast = self.totals / self.totals.mean((1, 2), keepdim=True).clamp(min=least)
        return (SHARPNESS * contrast.clamp(min=least).log()).softmax(0)[:, None]


@contextmanager
def passes_of(
    base: Base, request: Request, seals: Seals, prompt: str, conditioning: Conditioning
) -> Iterator[Passes]:
    """The passes of one picture of a resolved request; while it is drawn, attention is read if the mix needs it.

    Raises: ConfigError for masks on a base without cross-attention, or of a seal that the prompt does not call.
    """
    number = num_passes(len(seals), request.mix)
    if number == 1 or request.mix != "masked":
        yield Passes(number)
        return
    called = called_places(base, request, trigger_columns(base, request, seals, prompt, conditioning))
    with ExitStack() as stack:
        for module in cross_attentions(base.denoiser).values():
            watched = RowsCrossAttention(module, [-1])
            stack.callback(watched.close)
            watched.open(called.add)
        yield Passes(number, called)


def called_places(base: Base, request: Request, columns: Sequence[Sequence[int]]) -> CalledPlaces:
    """Places of triggers with these columns in the picture of a resolved request, nothing read yet."""
    _, height, width = base.latent_shape_of(*request.size_px)
    return CalledPlaces(columns, (height, width))


def trigger_columns(
    base: Base, request: Request, seals: Seals, prompt: str, conditioning: Conditioning
) -> list[tuple[int, ...]]:
    """Of each seal's trigger, its columns in the text [N, K, D] that the denoiser reads.

    Raises: ConfigError for a base without cross-attention, or a seal that the prompt does not call.
    """
    if base.family.denoiser != "unet":
        raise ConfigError(
            f"{base.name} is a transformer, whose words have no places of their own to mask seals by",
            "mix by composite or switch",
        )
    triggers = [main_trigger(seal.header.trigger) for seal, _ in seals]
    num_chunks = conditioning.text.shape[1] // int(base.prompt_tokenizer.model_max_length)
    tokens = lay_out_prompt(base, prompt, triggers, request.long_prompts == "cut", num_chunks)
    return [_columns(tokens, seal.name, word) for (seal, _), word in zip(seals, triggers, strict=True)]


def _columns(tokens: PromptTokens, name: str, trigger: str) -> tuple[int, ...]:
    columns = tokens.columns_of(trigger)
    if not columns:
        raise ConfigError(
            f"seals are to be masked by their triggers, and the prompt does not call {name!r} by its {trigger!r}",
            "write every seal's trigger in the prompt, or mix by composite",
        )
    return columns
