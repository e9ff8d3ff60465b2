"""What the engine is asked for and what it says: an order, and the events of its life.

    queued -> loading -> step, step, preview, step, ... -> done
                                                        -> failed (also from any point before)

Exactly one of done and failed is said of every order that was taken in, and nothing after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from torch import Tensor

from ..adapters.strength import Strength
from ..errors import SealsmithError
from ..generate import Picture, Request


class Path(StrEnum):
    """How the seals of a picture reach the denoiser."""

    PLAIN = "plain"
    """No seal changes the denoiser: the picture shares a pass with any others."""
    BANK = "bank"
    """Beside the layers, those of all pictures of a shared pass at once."""
    BESIDE = "beside"
    """Beside the layers, picture by picture, on its own rows of a shared pass."""
    MERGED = "merged"
    """In the weights, for passes that only pictures of the same seals share."""


@dataclass(frozen=True)
class Order:
    """One picture, wanted by a tenant: that of `request.seed`."""

    id: str
    request: Request
    seals: tuple[tuple[str, float | Strength], ...] = ()
    """Content hash of each seal, and how strongly it acts."""
    tenant: str = ""
    deadline_s: float | None = None
    """On the engine's clock. An order that has not begun by then fails."""
    preview_every: int = 0
    """A preview after every so many steps; 0: none."""


def orders_of(order: Order) -> Iterator[Order]:
    """One order for each picture of a request: seeds counted up, "-2" and so on behind the further ids."""
    for index in range(order.request.num_pictures):
        request = replace(order.request, seed=order.request.seed + index, num_pictures=1)
        yield replace(order, id=f"{order.id}-{index + 1}" if index else order.id, request=request)


@dataclass(frozen=True)
class Event:
    """Something that happened to the order `order_id`."""

    name: ClassVar[str]
    order_id: str


@dataclass(frozen=True)
class Queued(Event):
    """It waits for its turn, with so many others of all tenants, which came before it."""

    name = "queued"
    num_ahead: int


@dataclass(frozen=True)
class Loading(Event):
    """Its turn is near: its seals are being fetched, if they are not here yet."""

    name = "loading"


@dataclass(frozen=True)
class Stepped(Event):
    """`step` of `num_steps` steps are done, the last one by way of `path`."""

    name = "step"
    step: int
    num_steps: int
    path: Path


@dataclass(frozen=True, eq=False)
class Previewed(Event):
    """What the picture looks like after `step` steps: 8-bit RGB [h, w, 3], one pixel a latent."""

    name = "preview"
    step: int
    pixels: Tensor


@dataclass(frozen=True, eq=False)
class Done(Event):
    """The picture is finished."""

    name = "done"
    picture: Picture


@dataclass(frozen=True, eq=False)
class Failed(Event):
    """There will be no picture."""

    name = "failed"
    error: SealsmithError
