"""A layer of the denoiser whose forward pass is a kernel's for as long as some row of the batch needs it.

The module, its weights and its hooks stay what they are; only its `forward` is another one meanwhile.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from .kernels import Kernel
from .segments import Segment


class AdaptedLayer:
    def __init__(self, path: str, module: nn.Module, kernel: Kernel):
        self._module = module
        self._own_forward = module.__dict__.get("forward")
        """Another library's, where one has put it in the class's place."""
        self._layer = kernel.layer(path, module, module.forward)
        self._segments: Sequence[Segment] = ()

    def arrange(self, segments: Sequence[Segment]) -> None:
        """Puts the kernel in place for these segments. Does nothing when they are the ones it has."""
        if segments == self._segments:
            return
        self._segments = segments
        self._layer.arrange(segments)
        self._module.forward = self._forward

    def release(self) -> None:
        """Gives the module its own forward pass back."""
        if not self._segments:
            return
        self._segments = ()
        self._layer.arrange(())
        if self._own_forward is None:
            del self._module.forward
        else:
            self._module.forward = self._own_forward

    def _forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return self._layer.forward(x)
