"""Whether captions belong to their pictures, asked of the base before anything is learned.

A base that tells the captions apart predicts the noise in a picture better with the caption that is true of it.
A table of losses is taken of every picture with every caption; what is left without the means of pictures and of
captions is how each pair fits. One table acquits; to accuse takes more, and that two halves of them agree. Not for:
captions a base does not understand, which prove nothing.

Shape letters: N pictures, all with captions of their own.
"""

import torch
from torch import Tensor

from ..bases import Base
from ..errors import TrainingError
from .cache import TrainingData
from .losses import row_losses
from .precision import predicted
from .streams import stream

NUM_PICTURES = 6
MIN_PICTURES = 4
NUM_TABLES = 4
"""Tables, each with noise of its own, before captions are said to be shuffled."""
MIN_AGREEMENT = 0.5
"""Correlation of the two halves from which on the base is taken to tell the captions apart."""
MIN_STRENGTH = 0.05
"""How much, as a share of the loss, what a caption says must matter for the base to be believed."""


@torch.no_grad()
def check_captions(base: Base, data: TrainingData, seed: int) -> None:
    """Raises: TrainingError when the base finds that the captions fit other pictures than their own."""
    chosen = _chosen(data)
    if len(chosen) < MIN_PICTURES:
        return
    tables = [fits(base, data, chosen, seed, 0)]
    if float(tables[0].trace()) <= 0:
        return
    tables += [fits(base, data, chosen, seed, number) for number in range(1, NUM_TABLES)]
    one, other = torch.stack(tables[::2]).sum(0), torch.stack(tables[1::2]).sum(0)
    agreement = float((one * other).sum() / (one.norm() * other.norm()).clamp(min=1e-12))
    both = (one + other) / NUM_TABLES
    strength = float(both.square().mean().sqrt())
    if agreement >= MIN_AGREEMENT and strength >= MIN_STRENGTH and float(both.trace()) > 0:
        raise TrainingError(
            f"the training cannot work: of {len(chosen)} captions tried, most describe other pictures than "
            "their own; they are shuffled",
            "check that every caption file is named after its picture",
        )


def fits(base: Base, data: TrainingData, chosen: Tensor, seed: int, table: int) -> Tensor:
    """[N, N]: how much worse than expected each picture goes with each caption, as a share of the mean loss.

    Rows and columns sum to 0.
    """
    draws = stream(seed, "caption check", table)
    captioned = data.captioned
    pictures = [captioned[number] for number in chosen.tolist()]
    texts = data.texts[torch.tensor([caption for _, caption in pictures])]
    total = torch.zeros(len(chosen), len(chosen), dtype=torch.float64)
    for row, (picture, _) in enumerate(pictures):
        latents = picture[None].expand(len(chosen), -1, -1, -1)
        noise = torch.randn(latents[:1].shape, generator=draws).to(latents.device).expand_as(latents)
        times = data.objective.draw_times(1, draws).expand(len(chosen))
        noisy = data.objective.add_noise(latents, noise, times)
        prediction = predicted(base, noisy, times, texts)
        total[row] = row_losses(prediction, data.objective.target(latents, noise, times)).double().cpu()
    left = total - total.mean(0, keepdim=True) - total.mean(1, keepdim=True) + total.mean()
    return left / total.mean()


def _chosen(data: TrainingData) -> Tensor:
    """[N] pictures, evenly over the set, no two with the same caption."""
    seen: dict[int, int] = {}
    for number, (_, row) in enumerate(data.captioned):
        seen.setdefault(row, number)
    numbers = torch.tensor(sorted(seen.values()))
    if len(numbers) <= NUM_PICTURES:
        return numbers
    return numbers[torch.linspace(0, len(numbers) - 1, NUM_PICTURES).round().long()]
