"""Parameters by name: copying them out and back, and other values in their place for a while."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def copied(parameters: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """A copy of every parameter, on the CPU."""
    return {key: parameter.detach().cpu().clone() for key, parameter in parameters.items()}


@torch.no_grad()
def put_back(parameters: Mapping[str, nn.Parameter], state: Mapping[str, Tensor]) -> None:
    """The values of `state` in the parameters."""
    for key, parameter in parameters.items():
        parameter.copy_(state[key])


@contextmanager
def standing_in(values: Mapping[nn.Parameter, Tensor]) -> Iterator[None]:
    """A context in which each parameter has the value given for it; afterwards its own again, the very tensor.

    Nothing is copied: parameters point at other memory for the while.
    """
    own = {parameter: parameter.data for parameter in values}
    try:
        for parameter, value in values.items():
            parameter.data = value
        yield
    finally:
        for parameter, value in own.items():
            parameter.data = value
