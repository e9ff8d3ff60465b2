"""What every other kernel must equal: one row after the other, one seal after the other, in float32."""

from collections.abc import Sequence

from torch import Tensor, nn

from ..pool import Lease, Pool
from ..segments import Segment, expand, shrink
from . import Forward, check_rows


class ReferenceKernel:
    name = "reference"

    def __init__(self, pool: Pool):
        self._pool = pool

    def layer(self, path: str, module: nn.Module, base: Forward) -> "ReferenceLayer":
        return ReferenceLayer(self._pool, module, base)

    def hold(self, leases: Sequence[Lease]) -> None:
        """Nothing is kept between passes."""


class ReferenceLayer:
    """`base(x)[i] + sum of factor * up(down(x[i]))` over the parts of row i's segment."""

    def __init__(self, pool: Pool, module: nn.Module, base: Forward):
        self._pool = pool
        self._module = module
        self._base = base
        self._segments: Sequence[Segment] = ()

    def arrange(self, segments: Sequence[Segment]) -> None:
        self._segments = segments

    def forward(self, x: Tensor) -> Tensor:
        check_rows(x, self._segments)
        y = self._base(x)
        wide = y.float()
        for segment in self._segments:
            for row in range(segment.start, segment.stop):
                for part in segment.parts:
                    down, up = self._pool.read(part.lease, part.path)
                    thin = shrink(self._module, x[row : row + 1].float(), down.float())
                    wide[row] += part.factor * expand(self._module, thin, up.float())[0]
        return wide.to(y.dtype)
