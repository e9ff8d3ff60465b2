"""Seals beside the layers of a denoiser, each on its own pictures' rows of a batch, one picture after another.

It does for some rows what attaching does for all, with the same arithmetic: every kind of change, hypernetworks
included, at strengths that change over the steps. What can be done for many pictures at once is done by the bank.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from ..adapters.beside import InputParts, OutputParts
from .drawing import OwnPass


@contextmanager
def beside(shares: Sequence[tuple[slice, OwnPass]]) -> Iterator[None]:
    """A context for one shared pass in which the seals of each own pass act on its rows, as in the next step."""
    outputs: dict[nn.Module, list[tuple[slice, OutputParts]]] = {}
    inputs: dict[nn.Module, list[tuple[slice, InputParts]]] = {}
    for rows, own in shares:
        drawing, (of_outputs, of_inputs) = own.drawing, own.parts
        for output in of_outputs:
            output.at(drawing.step, drawing.num_steps)
            outputs.setdefault(output.module, []).append((rows, output))
        for each in of_inputs:
            each.at(drawing.step, drawing.num_steps)
            inputs.setdefault(each.module, []).append((rows, each))
    handles: list[RemovableHandle] = []
    try:
        handles += [module.register_forward_pre_hook(_before(own)) for module, own in inputs.items()]
        handles += [module.register_forward_hook(_behind(own)) for module, own in outputs.items()]
        yield
    finally:
        for handle in handles:
            handle.remove()


def _before(own: Sequence[tuple[slice, InputParts]]) -> Any:
    def add(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        x = inputs[0].clone()  # others read it, too
        for rows, parts in own:
            x[rows] = parts.add(module, (inputs[0][rows],))[0]
        return (x, *inputs[1:])

    return add


def _behind(own: Sequence[tuple[slice, OutputParts]]) -> Any:
    def add(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        for rows, parts in own:
            output[rows] = parts.add(module, (inputs[0][rows],), output[rows])
        return output

    return add
