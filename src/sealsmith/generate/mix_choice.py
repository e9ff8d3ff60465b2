"""How several seals act together where a request leaves it open, and why.

Masks keep two seals apart where they were measured to, which a base's family says; everywhere else seals are added
up, as stock pipelines add them. Not for: what each way does (mixing.py, passes.py).
"""

from dataclasses import dataclass, replace

from ..adapters import Seal
from ..adapters.strength import Strength
from ..bases import Base
from .mixing import AUTO, Seals
from .prompt import main_trigger
from .prompt_tokens import lay_out_prompt
from .request import Request
from .sent_prompt import sent_prompt


@dataclass(frozen=True)
class MixChoice:
    """A way of mixing, one of `mixing.MIXES`, and why it was chosen."""

    mix: str
    reason: str


def settled(base: Base, request: Request, seals: Seals) -> Request:
    """The resolved request with its mix decided."""
    return replace(request, mix=choose_mix(base, request, seals).mix)


def choose_mix(base: Base, request: Request, seals: Seals) -> MixChoice:
    """How the seals of a resolved request act together.

    Masks, where the base's family has them for pairs, two seals or more change the denoiser, and the prompt calls
    every seal by a trigger of its own; else the sum.
    """
    if request.mix != AUTO:
        return MixChoice(request.mix, "it was asked for")
    if sum(_acts(base, seal, strength) for seal, strength in seals) < 2:
        return MixChoice("sum", "fewer than two seals change what is drawn")
    family = base.family
    if family.pair_mix == "sum":
        return MixChoice("sum", f"nothing else was measured on {family.name}")
    if family.pair_mix == "masked" and (why := _why_not_masked(base, request, seals)):
        return MixChoice("sum", why)
    return MixChoice(family.pair_mix, f"it was measured to be best on {family.name}")


def _acts(base: Base, seal: Seal, strength: float | Strength) -> bool:
    """Whether the seal changes the denoiser at all."""
    number = strength.number if isinstance(strength, Strength) else strength
    ours = f"{base.family.denoiser}."
    return number != 0 and any(path.startswith(ours) for path in (*seal.layers, *seal.networks))


def _why_not_masked(base: Base, request: Request, seals: Seals) -> str:
    """What keeps the seals from being told apart by their triggers; empty where nothing does."""
    triggers = [main_trigger(seal.header.trigger) for seal, _ in seals]
    if len({trigger.lower() for trigger in triggers}) < len(triggers):
        return "two of the seals have the same trigger, or none"
    prompt, _ = sent_prompt(base, request, seals)
    tokens = lay_out_prompt(base, prompt, triggers, request.long_prompts == "cut")
    lost = (repr(seal.name) for (seal, _), word in zip(seals, triggers, strict=True) if not tokens.has(word))
    names = ", ".join(lost)
    return names and f"the prompt does not call {names}"
