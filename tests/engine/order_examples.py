"""Orders, seals and histories for the engine's tests."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import torch
from change_examples import flat_change, random_change
from seal_examples import random_seal

from sealsmith.adapters import Change, Seal
from sealsmith.adapters.embeddings import embedding_width
from sealsmith.adapters.fit import adaptable, weight_shape
from sealsmith.adapters.networks import Network
from sealsmith.bases import Base
from sealsmith.engine.fitted import HeldSeals
from sealsmith.engine.loop import Engine
from sealsmith.engine.request import Done, Event, Failed, Order
from sealsmith.engine.settings import EngineSettings
from sealsmith.generate import Picture, generate

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
EVERYTHING = (*ATTENTION, "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out", "conv1", "conv2", "add_q_proj")


def seals_of_every_kind(base: Base) -> dict[str, Seal]:
    """Seals of several ranks, kinds and parts of the base, by key."""
    plain = {
        f"rank {rank}": random_seal(base, targets, rank, trigger=trigger, seed=rank)
        for rank, targets, trigger in ((1, ATTENTION, "sks"), (4, EVERYTHING, "ohwx"), (7, ATTENTION, "zwx"))
    }
    texts = with_layers(base, plain["rank 4"], "text_encoder", ("q_proj", "fc1"), "lora")
    words = dataclasses.replace(plain["rank 1"], layers={}, embeddings={"zwx": vectors(base)})
    return plain | {
        "text": texts,
        "vectors": words,
        "pivotal": dataclasses.replace(plain["rank 7"], embeddings={"zwx": vectors(base)}),
        "networks": dataclasses.replace(plain["rank 1"], layers={}, networks=networks(base)),
        "loha": with_layers(base, empty(plain["rank 1"]), base.family.denoiser, ("to_q", "to_v"), "loha"),
        "lokr": with_layers(base, empty(plain["rank 1"]), base.family.denoiser, ("to_q", "to_v"), "lokr"),
        "full": with_layers(base, empty(plain["rank 1"]), base.family.denoiser, ATTENTION, "full", 0.1),
        "dora": with_layers(base, empty(plain["rank 1"]), base.family.denoiser, ("to_k", "to_v"), "dora"),
    }


def empty(seal: Seal) -> Seal:
    return dataclasses.replace(seal, layers={})


def with_layers(
    base: Base, seal: Seal, component: str, targets: tuple[str, ...], kind: str, size: float = 1.0
) -> Seal:
    """The seal, with random changes of one kind for more layers."""
    layers: dict[str, Change] = dict(seal.layers)
    for path, module in adaptable(base.components[component]).items():
        if path.endswith(targets):
            change = random_change(kind, weight_shape(module), seed=len(layers))
            if kind == "full":
                change = dataclasses.replace(change, diff=change.diff * size)  # type: ignore[type-var, attr-defined]
            layers[f"{component}.{path}"] = change
    return dataclasses.replace(seal, layers=layers)


def on_convolutions(base: Base, seal: Seal, kind: str) -> Seal:
    """The seal with nothing but changes of convolutions, of 3x3 and of 1x1, as LyCORIS' files have them."""
    layers: dict[str, Change] = {}
    for path, module in adaptable(base.denoiser).items():
        shape = weight_shape(module)
        if len(shape) == 4 and path.endswith(("conv1", "conv_shortcut")):
            layers[f"{base.family.denoiser}.{path}"] = flat_change(kind, shape, seed=len(layers))
    return dataclasses.replace(seal, layers=layers)


def vectors(base: Base) -> dict[str, torch.Tensor]:
    """Two vectors for each text encoder a word can have some for."""
    generator = torch.Generator().manual_seed(9)
    return {
        name: torch.randn(2, embedding_width(base.components[name]), generator=generator)
        for name in base.family.text_encoders
    }


def networks(base: Base) -> dict[str, Network]:
    """A small hypernetwork before every cross-attention's value layer (of Flux: of the text's)."""
    generator = torch.Generator().manual_seed(8)
    found: dict[str, Network] = {}
    for path, module in adaptable(base.denoiser).items():
        if path.endswith(("attn2.to_v", "add_v_proj")):
            width = weight_shape(module)[1]
            weights = [torch.randn(size, generator=generator) * 0.3 for size in ((5, width), (width, 5))]
            biases = [torch.randn(size, generator=generator) * 0.3 for size in (5, width)]
            found[f"{base.family.denoiser}.{path}"] = Network(tuple(weights), tuple(biases))
    return found


def solo(base: Base, order: Order, seals: Mapping[str, Seal]) -> Picture:
    """The picture that the plain path draws."""
    (picture,) = generate(base, order.request, [(seals[key], strength) for key, strength in order.seals])
    return picture


def engine_of(base: Base, seals: Mapping[str, Seal], **settings: object) -> Engine:
    return Engine(base, HeldSeals(base, seals), EngineSettings(**settings))  # type: ignore[arg-type]


def play(engine: Engine, arrivals: Iterable[Sequence[Order]]) -> list[Event]:
    """Every event of a history: before turn i the orders of `arrivals[i]` come; then turns until all is done."""
    events: list[Event] = []
    for orders in arrivals:
        for order in orders:
            engine.submit(order)
        engine.step()
        events += engine.events()
    while not engine.is_idle:
        engine.step()
        events += engine.events()
    return events


def pictures_of(events: Iterable[Event]) -> dict[str, Picture]:
    """The finished pictures by their orders' ids. Raises the error of the first that failed."""
    found: dict[str, Picture] = {}
    for event in events:
        if isinstance(event, Failed):
            raise event.error
        if isinstance(event, Done):
            found[event.order_id] = event.picture
    return found
