"""A layer of the denoiser whose forward pass is another one for as long as some row of the batch needs it.

The module, its weights and its hooks stay what they are; only its `forward` is replaced meanwhile: by a kernel's,
or by what the layer made of the prompts, which is the same in all steps of a picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from .kernels import Kernel, check_rows
from .own_forward import OwnForward
from .segments import Part, Segment


class AdaptedLayer:
    """A layer with seals beside it, by a kernel."""

    def __init__(self, path: str, module: nn.Module, kernel: Kernel):
        self._own = OwnForward(module)
        self._layer = kernel.layer(path, module, self._own.run)
        self._segments: Sequence[Segment] = ()

    def arrange(self, segments: Sequence[Segment]) -> None:
        """Puts the kernel in place for these segments. Does nothing when they are the ones it has."""
        if segments == self._segments:
            return
        self._segments = segments
        self._layer.arrange(segments)
        self._own.replace(self._forward)

    def release(self) -> None:
        """Gives the module its own forward pass back."""
        if not self._segments:
            return
        self._segments = ()
        self._layer.arrange(())
        self._own.restore()

    def _forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return self._layer.forward(x)


@dataclass(eq=False)
class Reading:
    """What text layers have made of one picture's prompt, kept from step to step for as long as it is underway.

    The picture's seals stay the same, so if no parts act beside a layer, all that act are in its weights.
    """

    made: dict[str, tuple[tuple[Part, ...], Tensor]] = field(default_factory=dict)
    """Layer -> the parts that acted beside it when it was read, and its output [R, L, O]."""


class TextLayer:
    """A layer that reads the prompts and nothing else: each picture's once, those of pictures that begin together
    at once.

    It makes one product less for each step.
    """

    def __init__(self, path: str, module: nn.Module, kernel: Kernel):
        self._path, self._module = path, module
        self._reader = kernel.layer(path, module, self._plain)
        self._own: OwnForward | None = None
        """While it is replaced."""
        self._segments: Sequence[Segment] = ()
        self._readings: Sequence[Reading | None] = ()
        self._whole: Tensor | None = None
        """What it last gave, where nobody else writes into that: the rows of `_joined`, one behind the other."""
        self._joined: Sequence[Tensor] = ()
        self._is_joined = False
        """Whether those are the rows of the present arrangement."""

    def arrange(self, segments: Sequence[Segment], readings: Sequence[Reading | None]) -> None:
        """From now on the segments' rows are those of these pictures; None: read anew in every pass."""
        if (segments, readings) == (self._segments, self._readings):
            return
        self._segments, self._readings, self._is_joined = segments, readings, False
        self._own = self._own or OwnForward(self._module)
        self._own.replace(self._forward)

    def release(self) -> None:
        """Gives the module its own forward pass back."""
        if self._own is None:
            return
        self._own.restore()
        self._own = self._whole = None
        self._segments, self._readings, self._joined = (), (), ()

    def _forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_rows(x, self._segments)
        if self._whole is not None and self._is_joined:
            return self._whole
        rows = [*self._rows(x)]
        if None in self._readings:  # hooks may write into it
            return torch.cat(rows)
        self._whole = self._join(rows)
        self._joined, self._is_joined = rows, True
        return self._whole

    def _join(self, rows: Sequence[Tensor]) -> Tensor:
        """All pictures' rows in one tensor; where only some are others than before, these are put in between."""
        if self._whole is None or [each.shape for each in rows] != [each.shape for each in self._joined]:
            return torch.cat([*rows])
        for segment, new, old in zip(self._segments, rows, self._joined, strict=True):
            if new is not old:
                self._whole[segment.start : segment.stop] = new
        return self._whole

    def _rows(self, x: Tensor) -> Iterator[Tensor]:
        """Each segment's, kept or read now."""
        pairs = [*zip(self._segments, self._readings, strict=True)]
        kept = [self._kept(segment, reading) for segment, reading in pairs]
        wanted = [segment for segment, each in zip(self._segments, kept, strict=True) if each is None]
        fresh = iter(self._read(x, wanted))
        for each, (segment, reading) in zip(kept, pairs, strict=True):
            rows = next(fresh) if each is None else each
            if reading is not None:
                reading.made[self._path] = segment.parts, rows
            yield rows

    def _kept(self, segment: Segment, reading: Reading | None) -> Tensor | None:
        parts, rows = (reading and reading.made.get(self._path)) or (None, None)
        return rows if parts == segment.parts else None

    def _read(self, x: Tensor, segments: Sequence[Segment]) -> Sequence[Tensor]:
        """The rows of these segments."""
        if not segments:
            return ()
        counts = [segment.num_rows for segment in segments]
        stops = [*accumulate(counts)]
        # What is read once is not worth weights of its own, which lasting segments might get.
        together = [
            replace(segment, start=stop - count, stop=stop, is_lasting=False)
            for segment, count, stop in zip(segments, counts, stops, strict=True)
        ]
        text = torch.cat([x[segment.start : segment.stop] for segment in segments])
        self._reader.arrange(together)
        y = self._reader.forward(text)
        self._reader.arrange(())
        return y.split(counts)

    def _plain(self, text: Tensor) -> Tensor:
        assert self._own is not None
        return self._own.run(text)
