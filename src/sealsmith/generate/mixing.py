"""Several seals at strengths of their own, made ready for one base: its blocks looked up, their rows chosen, and,
where they take turns, each one's turn in its strength.

Ways of mixing, `MIXES`:
- "sum": every seal acts in every pass.
- "switch": one seal acts at a time, in turn over the steps.
- "composite": each seal has a pass of its own in every step, and the predictions are averaged.
- "masked": as "composite", but each place of the picture listens to the seal whose trigger is attended there.
Source: Zhong et al. 2024, arXiv:2402.16843, section 3, for switch and composite; for masks from the attention to a
concept's words Meral et al. 2024, arXiv:2403.19776. Differs: masks weigh predictions, they guide no latents.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..adapters import Seal
from ..adapters.beside import Schedule, factor_at
from ..adapters.blocks import TEXT_PREFIX, find_layout
from ..adapters.dylora import first_rows
from ..adapters.fit import adaptable
from ..adapters.strength import Strength
from ..bases import Base

MIXES = ("sum", "switch", "composite", "masked")
AUTO = "auto"
"""No way of its own: which of them it comes to is decided for a request and its seals (mix_choice.py)."""
TURNS = 20
"""Into how many turns a picture's steps are divided by "switch", as in the paper: 100 steps, a turn every 5."""

Seals = Sequence[tuple[Seal, float | Strength]]
"""Seals and how strongly each acts."""


@dataclass(frozen=True)
class Turn:
    """A seal's strength when `count` seals act one at a time over the steps: it is number `index` of them.

    Text encoders read the prompt once, for all steps: there it always acts.
    """

    strength: float | Schedule
    index: int
    count: int
    is_constant = False

    def factor(self, path: str, step: int, num_steps: int) -> float:
        length = max(1, num_steps // TURNS)
        is_on = step // length % self.count == self.index or path.startswith(TEXT_PREFIX)
        return factor_at(self.strength, path, step, num_steps) if is_on else 0.0


@dataclass(frozen=True)
class Share:
    """A seal's strength when every step has `count` passes, and pass `index` is its own.

    It is asked in passes, not in steps: of pass 5 of 40, with two seals, which is the second pass of step 2 of 20.
    Text encoders read the prompt once, for all passes: there it always acts.
    """

    strength: float | Schedule
    index: int
    count: int
    is_constant = False

    def factor(self, path: str, step: int, num_steps: int) -> float:
        if step % self.count != self.index and not path.startswith(TEXT_PREFIX):
            return 0.0
        return factor_at(self.strength, path, step // self.count, max(1, num_steps // self.count))


def placed(base: Base, seals: Seals, mix: str = "sum") -> list[tuple[Seal, float | Schedule]]:
    """The seals as they go onto this base: block weights read for its blocks, a DyLoRA cut to the rows asked for.

    Raises: ConfigError for block weights that the base has no blocks for, or rows of a seal that has none.
    """
    ready: list[tuple[Seal, float | Schedule]] = []
    for index, (seal, strength) in enumerate(seals):
        if isinstance(strength, Strength):
            seal = seal if strength.dyn is None else first_rows(seal, strength.dyn)
            if strength.number is None:
                strength = strength.on(find_layout(adaptable(base.denoiser)))
        ready.append((seal, _in_turn(strength, index, len(seals), mix)))
    return ready


def num_passes(seals: Seals, mix: str) -> int:
    """How many passes of the denoiser a step takes."""
    return len(seals) if mix in ("composite", "masked") and seals else 1


def is_fusible(seals: Seals, mix: str = "sum") -> bool:
    """Whether the seals are changes of weights alone, all act together, and no strength changes over the steps."""
    return (
        (mix == "sum" or len(seals) < 2)
        and all(seal.is_weights_alone for seal, _ in seals)
        and all(not isinstance(strength, Strength) or strength.is_constant for _, strength in seals)
    )


def _in_turn(strength: float | Schedule, index: int, count: int, mix: str) -> float | Schedule:
    if mix == "sum" or count < 2:
        return strength
    return Turn(strength, index, count) if mix == "switch" else Share(strength, index, count)
