"""How a seal changes the base: one file a method, one line of registration here."""

from difflib import get_close_matches

from ...errors import ConfigError
from .dora import DORA
from .dreambooth import Dreambooth
from .hypernetwork import HYPERNETWORK
from .loha import LOHA
from .lokr import LOKR
from .lora import LORA
from .pivotal import PIVOTAL
from .protocol import Adapted, Method
from .rslora import RSLORA
from .textual_inversion import TEXTUAL_INVERSION

_ALL: tuple[Method, ...] = (
    LORA,
    DORA,
    RSLORA,
    LOHA,
    LOKR,
    Dreambooth(),
    TEXTUAL_INVERSION,
    PIVOTAL,
    HYPERNETWORK,
)
METHODS: dict[str, Method] = {method.name: method for method in _ALL}

__all__ = ["METHODS", "Adapted", "Method", "find_method"]


def find_method(name: str) -> Method:
    """The method of this name.

    Raises: ConfigError naming the nearest known method.
    """
    if name not in METHODS:
        nearest = get_close_matches(name, METHODS, n=1, cutoff=0.3)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise ConfigError(f"unknown method {name!r}", f"{hint}known: {', '.join(METHODS)}")
    return METHODS[name]
