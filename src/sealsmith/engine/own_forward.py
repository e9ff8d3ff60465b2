"""A module's forward pass, for which another can stand in. Its weights and its hooks stay what they are."""

from collections.abc import Callable

from torch import Tensor, nn


class OwnForward:
    """The forward pass that a module has when this is made."""

    def __init__(self, module: nn.Module):
        self._module = module
        self._attribute = module.__dict__.get("forward")
        """Another's, where one has put it in the class's place."""
        self.run: Callable[[Tensor], Tensor] = module.forward

    def replace(self, other: Callable[..., Tensor]) -> None:
        self._module.forward = other

    def restore(self) -> None:
        if self._attribute is None:
            del self._module.forward
        else:
            self._module.forward = self._attribute
