"""The arithmetic of adapted layers, in several implementations of one protocol that all equal `reference`.

`kernel_for` is the one place where an implementation is chosen.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor, nn

from ...errors import ConfigError
from ..pool import Lease, Pool
from ..segments import Segment

Forward = Callable[[Tensor], Tensor]


class KernelLayer(Protocol):
    """One adapted layer of the denoiser."""

    def arrange(self, segments: Sequence[Segment]) -> None:
        """From now on row i of the input belongs to the segment around i. They lie side by side from row 0."""
        ...

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output with every segment's change in it, for x [B, ..., I] or [B, I, H, W].

        Raises: ValueError when x has not as many rows as the segments.
        """
        ...


class Kernel(Protocol):
    """One implementation, on one pool."""

    name: str

    def layer(self, path: str, module: nn.Module, base: Forward) -> KernelLayer:
        """The layer at `path`; `base` is the module's own forward pass."""
        ...

    def hold(self, leases: Sequence[Lease]) -> None:
        """Tells which seals the next arrangements read, all of them resident; what others need can go."""
        ...


def kernel_for(pool: Pool, name: str = "auto", fold_bytes: int = 0) -> Kernel:
    """The implementation called `name`; "auto": the fastest one for the device the pool is on.

    Units: `fold_bytes`, memory the CPU's kernel may take for weights with seals in them; 0: none.
    Raises: ConfigError for a name there is none of, or one that needs a package that is not here.
    """
    if name == "auto":
        name = "triton" if pool.device.type == "cuda" else "cpu"
    if name == "reference":
        from .reference import ReferenceKernel

        return ReferenceKernel(pool)
    if name == "cpu":
        from .cpu import CpuKernel

        return CpuKernel(pool, fold_bytes)
    if name == "triton":
        try:
            from .triton import TritonKernel
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"the kernel 'triton' needs the package {error.name}", "pip install '.[triton]' in the clone"
            ) from error

        return TritonKernel(pool)
    raise ConfigError(f"there is no kernel {name!r}", "use auto, reference, cpu or triton")


def check_rows(x: Tensor, segments: Sequence[Segment]) -> None:
    """Raises: ValueError when x has not as many rows as the segments."""
    expected = segments[-1].stop if segments else 0
    if x.shape[0] != expected:
        raise ValueError(f"the batch was arranged for {expected} rows, the layer got {tuple(x.shape)}")
