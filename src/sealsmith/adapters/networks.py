"""Hypernetworks: small networks that change what a cross-attention's key or value layer reads.

Instead of changing weights, each adds to a layer's input something it makes of that input. Not for: where they
are in a file (formats/vectors.py), or how they get beside a base's layers (attaching.py).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import SealFormatError, SealShapeError
from .magnitude import largest_magnitude

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: x,
    "relu": functional.relu,
    "leakyrelu": functional.leaky_relu,
    "elu": functional.elu,
    "swish": functional.hardswish,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": functional.gelu,
    "mish": functional.mish,
    "softplus": functional.softplus,
}
"""A1111's names. Its "swish" is the piecewise one (Howard et al. 2019, arXiv:1905.02244)."""

_DAMAGED = "the file is damaged; fetch it again"


@dataclass(frozen=True, eq=False)
class Network:
    """`x + strength * f(x)`, f being linear layers with an activation between them.

    Shapes: weights [n1, n0], [n2, n1], ..., the last [n0, ...]; biases [n1], ...; norms, if there are any, weight
    and bias [n1], ... of a layer norm behind each layer. Dropout is a matter of training and leaves nothing here.
    Source: hypernetworks as AUTOMATIC1111's web UI has them, which took them from NovelAI's.
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    activation: str = "relu"
    norms: tuple[tuple[Tensor, Tensor], ...] = ()

    @property
    def width(self) -> int:
        """Of the input it reads."""
        return int(self.weights[0].shape[1])

    @property
    def rank(self) -> int:
        """Its narrowest layer, which is how many directions it can add."""
        return min(int(weight.shape[0]) for weight in self.weights)

    @property
    def has_effect(self) -> bool:
        """Whether it adds anything to any input."""
        last = self.norms[-1] if self.norms else (self.weights[-1], self.biases[-1])
        return any(bool(tensor.any()) for tensor in last)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All tensors by the name they have in a file, e.g. "0.weight", "1.norm.bias"."""
        found: dict[str, Tensor] = {}
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            found |= {f"{index}.weight": weight, f"{index}.bias": bias}
        for index, (weight, bias) in enumerate(self.norms):
            found |= {f"{index}.norm.weight": weight, f"{index}.norm.bias": bias}
        return found

    def moved(self, device: torch.device, dtype: torch.dtype) -> "Network":
        """The same network there and of that type."""
        return replace(
            self,
            weights=tuple(weight.to(device, dtype) for weight in self.weights),
            biases=tuple(bias.to(device, dtype) for bias in self.biases),
            norms=tuple((scale.to(device, dtype), shift.to(device, dtype)) for scale, shift in self.norms),
        )

    def beside(self, x: Tensor) -> Tensor:
        """What is added to `x` [..., width] at strength 1; `x` is where the network is, and of its type."""
        activate = ACTIVATIONS[self.activation]
        y = x
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            y = functional.linear(y, weight, bias)
            if index + 1 < len(self.weights):
                y = activate(y)
            if self.norms:
                scale, shift = self.norms[index]
                y = functional.layer_norm(y, scale.shape, scale, shift)
        return y


def network_of(path: str, tensors: Mapping[str, Tensor], activation: str) -> Network:
    """The network of these tensors, named as `Network.tensors` names them.

    Raises: SealFormatError, SealShapeError naming the layer at `path`.
    """
    count = sum(name.endswith(".weight") and ".norm." not in name for name in tensors)
    has_norms = any(".norm." in name for name in tensors)
    ends = ("weight", "bias", *(("norm.weight", "norm.bias") if has_norms else ()))
    expected = {f"{index}.{end}" for index in range(count) for end in ends}
    if not count or expected != tensors.keys():
        odd = min(expected ^ tensors.keys(), default="0.weight")
        raise SealFormatError(f"the hypernetwork of {path!r} is not whole: see {odd!r}", _DAMAGED)
    network = Network(
        tuple(tensors[f"{index}.weight"] for index in range(count)),
        tuple(tensors[f"{index}.bias"] for index in range(count)),
        activation,
        tuple((tensors[f"{i}.norm.weight"], tensors[f"{i}.norm.bias"]) for i in range(count * has_norms)),
    )
    check_networks({path: network})
    return network


def check_networks(networks: Mapping[str, Network]) -> None:
    """Refuses networks whose tensors do not fit each other or are not finite, naming the layer.

    Raises: SealFormatError, SealShapeError.
    """
    several = sorted({network.activation for network in networks.values()})
    if len(several) > 1:
        raise SealFormatError(
            f"the hypernetworks of one seal have the activations {', '.join(several)}",
            "a file holds those of one activation; write two files",
        )
    for path, network in networks.items():
        if network.activation not in ACTIVATIONS:
            raise SealFormatError(
                f"the hypernetwork of {path!r} has the unknown activation {network.activation!r}",
                f"known are {', '.join(ACTIVATIONS)}",
            )
        shapes = [tuple(weight.shape) for weight in network.weights]
        chained = all(len(shape) == 2 and 0 not in shape for shape in shapes) and all(
            before[0] == behind[1] for before, behind in zip(shapes, [*shapes[1:], shapes[0]], strict=True)
        )
        sides = [*zip(network.biases, shapes, strict=True)]
        sides += [(part, shape) for pair, shape in zip(network.norms, shapes, strict=False) for part in pair]
        if not chained or any(tuple(side.shape) != shape[:1] for side, shape in sides):
            raise SealShapeError(
                f"the hypernetwork of {path!r}: its layers {shapes} do not fit each other", _DAMAGED
            )
        for name, tensor in network.tensors.items():
            if not math.isfinite(largest_magnitude(tensor)):
                raise SealFormatError(
                    f"the hypernetwork of {path!r} holds NaN or infinity in {name!r}",
                    "the training diverged; use an earlier checkpoint",
                )
