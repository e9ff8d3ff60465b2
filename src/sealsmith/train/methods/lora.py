"""`lora`: a low-rank change `scale * up @ down` beside chosen layers of the denoiser, through PEFT.

Source: Hu et al. 2021, arXiv:2106.09685.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from peft import LoraConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from ...bases import Base
from ...errors import ConfigError
from ..config import TrainConfig
from ..streams import stream

ADAPTER = "learner"


class Lora:
    name = "lora"

    def check(self, base: Base, config: TrainConfig) -> None:
        """Raises: ConfigError when the rank is larger than a layer, or no layer matches the targets."""
        layers = target_layers(base, config.targets or base.family.default_targets)
        sizes = {name: tuple(layer.weight.flatten(1).shape) for name, layer in layers.items()}
        smallest = min(sizes, key=lambda name: min(sizes[name]))
        largest_rank = min(sizes[smallest])
        if config.rank > largest_rank:
            out, into = sizes[smallest]
            raise ConfigError(
                f"rank {config.rank} is larger than layer {smallest} ({into} inputs, {out} outputs)",
                f"the largest rank that fits every adapted layer is {largest_rank}",
            )

    @contextmanager
    def attached(self, base: Base, config: TrainConfig) -> Iterator["AdaptedDenoiser"]:
        layers = target_layers(base, config.targets or base.family.default_targets)
        lora = LoraConfig(
            r=config.rank,
            lora_alpha=config.rank * config.scale,
            init_lora_weights="gaussian" if config.init == "gaussian" else True,
            target_modules=list(layers),
        )
        try:
            # PEFT draws the start from torch's global generator, which is nobody's business but the caller's.
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(stream(config.seed, "init").initial_seed())
                base.denoiser.add_adapter(lora, ADAPTER)
            yield AdaptedDenoiser(base.denoiser, base.family.denoiser)
        finally:
            base.denoiser.unload_lora()


class AdaptedDenoiser:
    """A denoiser with one PEFT adapter being trained; `name` is what keys begin with."""

    def __init__(self, denoiser: nn.Module, name: str):
        self._layers = [module for module in denoiser.modules() if isinstance(module, BaseTunerLayer)]
        self.parameters: dict[str, nn.Parameter] = {
            f"{name}.{path.replace(f'.{ADAPTER}.', '.')}": parameter
            for path, parameter in denoiser.named_parameters()
            if f".{ADAPTER}." in path
        }

    def state(self) -> dict[str, Tensor]:
        return {key: parameter.detach().cpu().clone() for key, parameter in self.parameters.items()}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor]) -> None:
        for key, parameter in self.parameters.items():
            parameter.copy_(state[key])

    @contextmanager
    def off(self) -> Iterator[None]:
        for layer in self._layers:
            layer.enable_adapters(False)
        try:
            yield
        finally:
            for layer in self._layers:
                layer.enable_adapters(True)


def target_layers(base: Base, groups: tuple[str, ...]) -> dict[str, nn.Linear | nn.Conv2d]:
    """The denoiser's layers that the target groups name, by their module path.

    Convolutions are only those inside residual blocks: the first and last convolution of the network have
    names of their own, but down- and upsamplers may share theirs.
    Raises: ConfigError when a group has no layer in this base.
    """
    found: dict[str, nn.Linear | nn.Conv2d] = {}
    for group in groups:
        endings = tuple("." + ending for ending in base.family.targets((group,)))
        layers = {
            name: module
            for name, module in base.denoiser.named_modules()
            if name.endswith(endings)
            and isinstance(module, nn.Linear | nn.Conv2d)
            and (group != "convolutions" or ".resnets." in name)
        }
        if not layers:
            raise ConfigError(
                f"no layer of {base.name} belongs to the target group {group!r}", "leave that group out"
            )
        found |= layers
    return found
