"""A device that is none: its tensors lie in main memory, but belong to it, and meet no others.

    python -m tests.devices.shadow train logo.svg --device shadow ...
    python -m tests.devices.shadow < commands.json

runs `sealsmith` with one, once or for each list of words. What would fail on a GPU fails here: an operation whose
tensors are on two devices, or NumPy asked for what is on a device. It computes what the CPU computes. Not for:
GPUs' own kernels, memory or speed; gradient checkpointing, whose second pass wants a thread of the device's.
"""

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from sealsmith.adapters import beside, fuse
from sealsmith.cli import main

NAME = "shadow"
FACTORIES = (
    "empty.memory_format", "empty_strided", "eye", "eye.m", "arange", "arange.start", "arange.start_step",
    "linspace", "randperm", "randperm.generator",
)  # fmt: skip
"""Operations that make tensors out of nothing; others are made of these."""
BRIDGES = ("aten::_to_copy", "aten::copy_", "aten::index", "aten::index_put_", "aten::_index_put_impl_")
"""Operations whose tensors may be on two devices, as they may on a GPU: copies, and indices that are on the CPU."""


class Shadow(Tensor):
    """A tensor on the device; `raw` is where its numbers are."""

    raw: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, raw: Tensor) -> "Shadow":
        made: Shadow = torch.Tensor._make_wrapper_subclass(
            cls,
            raw.size(),
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            device=torch.device(NAME, 0),
        )
        made.raw = raw
        return made

    @property
    def data(self) -> Tensor:  # type: ignore[override]
        """Also to be set, with all it is."""
        found: Tensor = Tensor.data.__get__(self)  # type: ignore[attr-defined]
        return found

    @data.setter
    def data(self, value: "Shadow") -> None:
        Tensor.data.__set__(self, value)  # type: ignore[attr-defined]
        self.raw = value.raw

    def __repr__(self, **_: Any) -> str:
        return f"{NAME}({self.raw!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The operation on the numbers themselves, its results on the device where they belong there."""
    if func is torch.ops.aten._fused_sdp_choice.default:
        return torch.nn.attention.SDPBackend.MATH.value
    known: dict[int, Shadow] = {}

    def opened(value: Any) -> Any:
        if isinstance(value, Shadow):
            known[id(value.raw)] = value
            return value.raw
        is_number = not isinstance(value, Tensor) or value.dim() == 0
        if not is_number and func._schema.name not in BRIDGES:
            raise RuntimeError(
                f"{func} has a tensor {tuple(value.shape)} on {value.device}, others on {NAME}"
            )
        return value

    def closed(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if id(value) in known:
            if value.shape != known[id(value)].shape:
                raise NotImplementedError(f"{func} gave a tensor on {NAME} another shape")
            return known[id(value)]
        return Shadow(value) if stays else value

    wanted = kwargs.get("device")
    stays = wanted is None or torch.device(wanted).type == NAME
    if wanted is not None:
        kwargs = kwargs | {"device": "cpu"}
    args, kwargs = pytree.tree_map(opened, (args, kwargs))
    return pytree.tree_map(closed, func(*args, **kwargs))


def begin() -> None:
    """Gives this process the device, for good."""
    _setup_privateuseone_for_python_backend(NAME)
    for name in FACTORIES:
        _LIBRARY.impl(name, partial(_made, getattr(torch, name.partition(".")[0])), "PrivateUse1")
    _LIBRARY.impl("_copy_from", _copy, "PrivateUse1")
    torch.inference_mode = torch.no_grad  # type: ignore[assignment,misc]  # wrapped tensors cannot be inference's
    for module in (fuse, beside):
        module.type = _type_of  # type: ignore[attr-defined]


def _type_of(value: object) -> type:
    """A parameter on a GPU is of the same class as one on the CPU; quantised ones are not."""
    return nn.Parameter if isinstance(value, Shadow) else type(value)


def _made(make: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
    return Shadow(make(*args, **kwargs | {"device": "cpu"}))


def _copy(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    getattr(target, "raw", target).copy_(getattr(source, "raw", source))
    return target


_LIBRARY = torch.library.Library("aten", "IMPL")


def run_all(commands: list[list[str]]) -> None:
    """Prints a line of JSON for each: its exit status, and what it said on stderr."""
    for words in commands:
        said = io.StringIO()
        with redirect_stdout(io.StringIO()), redirect_stderr(said):
            status = main(words)
        print(json.dumps({"status": status, "said": said.getvalue()}), flush=True)


if __name__ == "__main__":
    begin()
    sys.exit(main(sys.argv[1:]) if sys.argv[1:] else run_all(json.load(sys.stdin)))
