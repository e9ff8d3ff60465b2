"""Samplers by name: which of diffusers' schedulers turns noise into a picture, in place of the base's own.

The base's configuration (noise schedule, kind of prediction, spacing of times) goes along; a scheduler that could
not follow it is refused. Not for: the loop (generate/pipeline.py).
"""

import inspect
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..errors import ConfigError

if TYPE_CHECKING:
    from .base import Base


@dataclass(frozen=True)
class Sampler:
    """One way from noise to a picture."""

    name: str
    title: str
    """As web interfaces call it, and as a picture's recipe names it."""
    scheduler: str
    """Class in diffusers."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What is set on top of the base's own configuration."""


_KARRAS = {"use_karras_sigmas": True}
_SDE = {"algorithm_type": "sde-dpmsolver++"}

DIFFUSION_SAMPLERS: tuple[Sampler, ...] = (
    Sampler("ddim", "DDIM", "DDIMScheduler"),
    Sampler("ddpm", "DDPM", "DDPMScheduler"),
    Sampler("pndm", "PNDM", "PNDMScheduler"),
    Sampler("lms", "LMS", "LMSDiscreteScheduler"),
    Sampler("euler", "Euler", "EulerDiscreteScheduler"),
    Sampler("euler-a", "Euler a", "EulerAncestralDiscreteScheduler"),
    Sampler("heun", "Heun", "HeunDiscreteScheduler"),
    Sampler("dpm++-2m", "DPM++ 2M", "DPMSolverMultistepScheduler"),
    Sampler("dpm++-2m-karras", "DPM++ 2M Karras", "DPMSolverMultistepScheduler", _KARRAS),
    Sampler("dpm++-2m-sde", "DPM++ 2M SDE", "DPMSolverMultistepScheduler", _SDE),
    Sampler("dpm++-2m-sde-karras", "DPM++ 2M SDE Karras", "DPMSolverMultistepScheduler", {**_SDE, **_KARRAS}),
    Sampler("unipc", "UniPC", "UniPCMultistepScheduler"),
    Sampler("lcm", "LCM", "LCMScheduler"),
)
FLOW_SAMPLERS: tuple[Sampler, ...] = (
    Sampler("euler", "Euler", "FlowMatchEulerDiscreteScheduler"),
    Sampler("euler-karras", "Euler Karras", "FlowMatchEulerDiscreteScheduler", _KARRAS),
    Sampler("euler-beta", "Euler Beta", "FlowMatchEulerDiscreteScheduler", {"use_beta_sigmas": True}),
)

_FRESH: WeakKeyDictionary[Any, dict[str | None, tuple[Any, Any]]] = WeakKeyDictionary()
"""By a base's scheduler and a sampler's name: a scheduler that nobody has used, and the configuration it is of."""


def samplers_of(base: "Base") -> tuple[Sampler, ...]:
    """The samplers for bases of this objective, whether or not they can follow this base's noise schedule."""
    return FLOW_SAMPLERS if base.family.objective == "flow" else DIFFUSION_SAMPLERS


def usable_samplers(base: "Base") -> tuple[Sampler, ...]:
    """The samplers that can follow this base's noise schedule."""
    return tuple(sampler for sampler in samplers_of(base) if _can_follow(sampler, base))


def find_sampler(base: "Base", name: str) -> Sampler:
    """The sampler of this name or title, in any case.

    Raises: ConfigError for an unknown name, naming the nearest one, and for a sampler that cannot begin at pure
    noise where the base's schedule does (zero terminal signal-to-noise ratio).
    """
    known = {key.lower(): s for s in samplers_of(base) for key in (s.title, s.name)}
    sampler = known.get(name.lower())
    if sampler is None:
        names = [s.name for s in samplers_of(base)]
        near = get_close_matches(name.lower(), names, 1) or names
        raise ConfigError(f"there is no sampler {name!r} for {base.name}", f"give {' or '.join(near)}")
    if not _can_follow(sampler, base):
        able = [s.name for s in usable_samplers(base)]
        raise ConfigError(
            f"{sampler.name} cannot begin at pure noise, as {base.name} was trained to",
            f"give {', '.join(able)}",
        )
    return sampler


def sampler_title(base: "Base", name: str | None) -> str:
    """What a recipe calls the sampler of this name; None: the base's own, whose class it names if need be."""
    own = _own_title(base)
    return own if name in (None, own) else find_sampler(base, name).title


def _own_title(base: "Base") -> str:
    kind, config = type(base.scheduler).__name__, base.scheduler.config
    for sampler in samplers_of(base):
        wanted = {"use_karras_sigmas": False, "algorithm_type": "dpmsolver++", **sampler.options}
        if sampler.scheduler == kind and all(config.get(k, v) == v for k, v in wanted.items()):
            return sampler.title
    return kind.removesuffix("Scheduler")


def fresh_scheduler(base: "Base", name: str | None = None) -> Any:
    """A scheduler without the state that steps leave in one: the base's own kind, or that of the named sampler.

    A copy of one that is kept: to make one takes six times as long. Raises: as `find_sampler` does.
    """
    kept, config = _FRESH.setdefault(base.scheduler, {}), base.scheduler.config
    if name not in kept or kept[name][0] is not config:
        kept[name] = config, _made(base, config, name)
    return deepcopy(kept[name][1])


def _made(base: "Base", config: Mapping[str, Any], name: str | None) -> Any:
    if name in (None, _own_title(base)):
        return type(base.scheduler).from_config(config)
    sampler = find_sampler(base, name)
    return _kind(sampler).from_config(config, **sampler.options)


def set_times(scheduler: Any, num_steps: int, **options: Any) -> None:
    """Has a scheduler choose its times for so many steps, and begin at the first of them.

    Differs: diffusers begins at the second where the first two are the same, as they are with many steps, and then
    runs over the end. Raises: ConfigError when it cannot take so many.
    """
    name, remedy = type(scheduler).__name__, "give another number of steps, or another sampler"
    try:
        scheduler.set_timesteps(num_steps, **options)
    except ValueError as error:
        raise ConfigError(f"{name} cannot take {num_steps} steps: {error}", remedy) from error
    known = None if hasattr(scheduler, "sigmas") else getattr(scheduler, "alphas_cumprod", None)
    if known is not None and scheduler.timesteps.max() > len(known) - 1:  # those with sigmas have made theirs
        raise ConfigError(
            f"{name} cannot take {num_steps} steps: there are {len(known)} noise levels", remedy
        )
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)


def _can_follow(sampler: Sampler, base: "Base") -> bool:
    option = "rescale_betas_zero_snr"
    takes = inspect.signature(_kind(sampler).__init__).parameters
    return not base.scheduler.config.get(option) or option in takes


def _kind(sampler: Sampler) -> Any:
    import diffusers

    return getattr(diffusers, sampler.scheduler)
