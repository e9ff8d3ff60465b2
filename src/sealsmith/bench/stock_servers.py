"""The engine's peers: stock diffusers serving many seals, each in one of the ways its documentation has.

All get what helps them: seals are in the system's file cache, those that a way keeps ready are loaded before the
clock starts, and waiting requests for the same seal are drawn in one batch, as large as ours. Not for: sharing a
pipeline; each peer has its own, so that none leaves anything behind for another.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from peft.tuners.lora import LoraLayer
from torch import nn

from ..bases import Base
from .peers import stock_pipeline
from .serving import Finished
from .shelf import Shelf
from .workload import Wish, seals_of

SLOT = "slot"
"""The name of the one adapter that is swapped."""


class StockServer(ABC):
    """Requests one batch after the other, the oldest first."""

    def __init__(
        self, base: Base, shelf: Shelf, asked: Sequence[Wish], at_once: int, num_steps: int, guidance: float
    ):
        """`asked`: all that will be submitted; `at_once`: pictures of a batch. Loads what this way keeps ready."""
        self._shelf, self._at_once = shelf, at_once
        self._how = {"num_inference_steps": num_steps, "guidance_scale": guidance}
        self._is_guided = guidance > 1
        self._waiting: list[Wish] = []
        with quiet():
            pipeline = stock_pipeline(base.folder)
            self._pipeline: StableDiffusionPipeline = pipeline.to(base.device, base.dtype)
            self._get_ready(asked)

    def submit(self, wish: Wish) -> None:
        self._waiting.append(wish)

    @property
    def is_idle(self) -> bool:
        return not self._waiting

    def turn(self) -> list[Finished]:
        """One batch: the oldest request, and those that can go along."""
        first = self._waiting[0]
        batch = [wish for wish in self._waiting if self._goes_along(wish, first)][: self._at_once]
        self._waiting = [wish for wish in self._waiting if wish not in batch]
        with quiet(), self._acting(batch):
            made = self._pipeline(
                [wish.prompt for wish in batch],
                generator=[torch.Generator("cpu").manual_seed(wish.seed) for wish in batch],
                **self._how,
            )
        return [(wish.id, image) for wish, image in zip(batch, made.images, strict=True)]

    def _get_ready(self, asked: Sequence[Wish]) -> None:
        """Before the clock starts."""
        return

    def _goes_along(self, wish: Wish, first: Wish) -> bool:
        return wish.seal == first.seal

    def _load(self, seal: int, name: str, **how: bool) -> None:
        self._pipeline.load_lora_weights(str(self._shelf.path(seal)), adapter_name=name, **how)

    @abstractmethod
    @contextmanager
    def _acting(self, batch: Sequence[Wish]) -> Iterator[None]:
        """A context in which the batch's seals act."""


class BaseAlone(StockServer):
    """No seals at all: what batches of stock diffusers cost by themselves."""

    def _goes_along(self, wish: Wish, first: Wish) -> bool:
        return True

    @contextmanager
    def _acting(self, batch: Sequence[Wish]) -> Iterator[None]:
        yield


class LoadUnload(StockServer):
    """`load_lora_weights` before a batch, `unload_lora_weights` behind it."""

    @contextmanager
    def _acting(self, batch: Sequence[Wish]) -> Iterator[None]:
        self._load(batch[0].seal, name_of(batch[0].seal))
        yield
        self._pipeline.unload_lora_weights()


class Hotswap(StockServer):
    """`load_lora_weights(hotswap=True)`: the matrices of one adapter, made for the largest rank, are replaced."""

    def _get_ready(self, asked: Sequence[Wish]) -> None:
        self._pipeline.enable_lora_hotswap(target_rank=max(self._shelf.ranks))
        self._load(asked[0].seal, SLOT)

    @contextmanager
    def _acting(self, batch: Sequence[Wish]) -> Iterator[None]:
        self._load(batch[0].seal, SLOT, hotswap=True)
        yield


class Preloaded(StockServer):
    """All seals that will be asked for are loaded beforehand; those that are not, are not."""

    def _get_ready(self, asked: Sequence[Wish]) -> None:
        for seal in seals_of(asked):
            self._load(seal, name_of(seal))


class SetAdapters(Preloaded):
    """`set_adapters`, of adapters that are all loaded."""

    @contextmanager
    def _acting(self, batch: Sequence[Wish]) -> Iterator[None]:
        self._pipeline.set_adapters(name_of(batch[0].seal))
        yield


class FuseUnfuse(Preloaded):
    """`fuse_lora` before a batch, `unfuse_lora` behind it, of adapters that are all loaded."""

    @contextmanager
    def _acting(self, batch: Sequence[Wish]) -> Iterator[None]:
        self._pipeline.fuse_lora(components=["unet"], adapter_names=[name_of(batch[0].seal)])
        yield
        self._pipeline.unfuse_lora(components=["unet"])


class Loop(Preloaded):
    """Different seals in one batch: PEFT's layers go through the batch's adapters one by one, each on its rows."""

    def _get_ready(self, asked: Sequence[Wish]) -> None:
        super()._get_ready(asked)
        self._names: list[str] = []
        for module in self._pipeline.unet.modules():
            if isinstance(module, LoraLayer):
                module.register_forward_pre_hook(self._with_names, with_kwargs=True)

    def _goes_along(self, wish: Wish, first: Wish) -> bool:
        return True

    @contextmanager
    def _acting(self, batch: Sequence[Wish]) -> Iterator[None]:
        names = [name_of(wish.seal) for wish in batch]
        self._names = names * 2 if self._is_guided else names  # the unconditional rows come first
        yield

    def _with_names(self, module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        return args, {**kwargs, "adapter_names": self._names}


STOCK: dict[str, type[StockServer]] = {
    "base": BaseAlone,
    "load_unload": LoadUnload,
    "fuse": FuseUnfuse,
    "hotswap": Hotswap,
    "set_adapters": SetAdapters,
    "loop": Loop,
}
"""Arm -> how it serves."""
ONE_BY_ONE = ("load_unload", "fuse", "hotswap", "set_adapters")
"""Arms that cannot draw different seals in one batch."""


def name_of(seal: int) -> str:
    """What a seal's adapter is called."""
    return f"seal{seal}"


@contextmanager
def quiet() -> Iterator[None]:
    """Without diffusers' and PEFT's remarks on precision, on text encoders left alone, and on several seals."""
    level = diffusers_logging.get_verbosity()
    diffusers_logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Already found a `peft_config`", category=UserWarning)
        try:
            yield
        finally:
            diffusers_logging.set_verbosity(level)
