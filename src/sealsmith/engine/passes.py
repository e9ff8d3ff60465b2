"""One pass of the denoiser for several pictures: who shares it, how their seals act in it, and what if it fails.

Pictures share a pass when their latents and texts have the same shapes; one whose seals have a pass each is in it
once for each. Seals act beside the layers, each on its own rows, or are in the weights; then only pictures of the
same seals share the pass. Not for: what is done with what it predicts (drawing.py), or who is admitted (loop.py).
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import accumulate
from typing import TypeVar

import torch
from torch import Tensor

from ..adapters import Fusion
from ..bases import Base, concatenate
from ..bases.decoding import decode
from ..bases.placing import rest
from ..errors import BusyError, DrawingError, SealSizeError, SealsmithError
from ..generate import Picture
from ..shortage import is_out_of_memory
from .bank import Bank, Rows
from .beside import beside
from .called import Listener
from .cost import Costs
from .drawing import Drawing, OwnPass
from .fitted import can_merge
from .packing import Packed
from .pool import PAGE_ELEMENTS, Lease, Pool
from .request import Path
from .residents import Residents
from .settings import EngineSettings

_T = TypeVar("_T")
REGROW_TURNS = 64
"""After so many passes without running out of memory, a limit that it lowered is doubled."""
OUT_OF_MEMORY = (torch.OutOfMemoryError, MemoryError, RuntimeError)
"""What may mean that there is no memory left (see `is_out_of_memory`): on a CPU PyTorch raises the last."""


class Passes:
    """The passes of one base, and the seals that are in its weights just now."""

    def __init__(self, base: Base, settings: EngineSettings, costs: Costs | None = None):
        """Without `costs` only those seals go into the weights that must. Allocates the pool."""
        self._base = base
        self._costs = None if settings.deterministic else costs
        self._settings = settings
        self._row_limit = settings.max_rows
        self._passes_since_lowered = 0
        self._fusion: Fusion | None = None
        self._merged: object = ()
        """`Drawing.seals_key` of the seals in the weights."""
        self._turns_merged = 0
        self._seats: list[Drawing] = []
        """The pictures of the last pass, in the order of their rows."""
        element_bytes = PAGE_ELEMENTS * base.dtype.itemsize
        self.pool = Pool(settings.pool_bytes // element_bytes, dtype=base.dtype, device=base.device)
        self._residents = Residents(self.pool)
        fold_bytes = 0 if settings.deterministic else settings.fold_bytes  # what has room depends on others
        self._bank = Bank(base, self.pool, fold_bytes=fold_bytes, is_timed=not settings.deterministic)
        self._listener = Listener(base)

    def enter(self, drawing: Drawing) -> None:
        """Brings the seals of a picture that goes by the bank into the pool; without room there, it goes beside.

        Raises: BusyError and SealSizeError where it must not go beside, so that its bytes stay the same.
        """
        if drawing.path is not Path.BANK:
            return
        try:
            for number, (seal, _) in enumerate(drawing.seals):
                if seal.packed and seal.packed.places:
                    drawing.leases[number] = self._lease(seal.key, seal.packed)
        except (BusyError, SealSizeError):
            self.leave(drawing)
            if self._settings.deterministic:
                raise
            drawing.path = Path.BESIDE

    def _lease(self, key: str, seal: Packed) -> Lease:
        try:
            return self._residents.enter(key, seal)
        except BusyError:
            self._bank.clear()  # it still held the seals of the last pass
            return self._residents.enter(key, seal)

    def leave(self, drawing: Drawing) -> None:
        """Gives the picture's places in the pool back."""
        for lease in drawing.leases.values():
            self._residents.leave(lease)
        drawing.leases = {}

    def rest(self) -> None:
        """Leaves the base's layers alone until the next pass; what is in the weights stays."""
        self._bank.clear()
        self._seats = []
        rest(self._base)

    def check_integrity(self) -> None:
        """Proves that the pool holds what was put into it."""
        self._residents.check_integrity()

    def has_room(self, underway: Sequence[Drawing], num_rows: int) -> bool:
        """Whether a picture of so many rows may begin: beside others as far as they fit, and alone in any case."""
        total = num_rows + sum(drawing.num_rows for drawing in underway)
        return not underway or total <= self._settings.max_underway_rows

    def choose(self, underway: Sequence[Drawing]) -> list[Drawing]:
        """The picture that has waited longest, and those that can go along, as many as fit.

        Seals once in the weights stay there for some turns, as long as a picture needs them. When deterministic,
        one picture after the other: by a product's shape and a row's place in it, libraries choose how to sum.
        """
        if not underway:
            return []
        if self._settings.deterministic:
            begun = [drawing for drawing in self._seats if drawing in underway]
            self._seats = begun or [min(underway, key=lambda drawing: drawing.turn)]
            return self._seats
        waiting = sorted(underway, key=lambda drawing: (not self._is_held(drawing), drawing.turn))
        group = _group(waiting[0])
        chosen: list[Drawing] = []
        num_rows = 0
        for drawing in (each for each in waiting if _group(each) == group):
            num_rows += drawing.num_rows
            if chosen and num_rows > self._row_limit:
                break
            chosen.append(drawing)
        self._seats = seated(chosen, self._seats)
        return self._seats

    def run(self, drawings: Sequence[Drawing]) -> list[tuple[Drawing, Tensor | SealsmithError]]:
        """What the denoiser predicts for each in its next step, [P R, C, h, w], or why it does not."""
        try:
            self._put_into_weights(drawings)
        except SealsmithError as error:
            return [(drawing, error) for drawing in drawings]
        passes = [own for drawing in drawings for own in drawing.own_passes]
        predictions: dict[Drawing, list[Tensor]] = {drawing: [] for drawing in drawings}
        errors: dict[Drawing, SealsmithError] = {}
        for group in fitting(passes, self._row_limit):
            for own, prediction in zip(group, self._predictions(group), strict=True):
                if isinstance(prediction, Tensor):
                    predictions[own.drawing].append(prediction)
                else:
                    errors[own.drawing] = prediction
        return [(drawing, errors.get(drawing) or torch.cat(own)) for drawing, own in predictions.items()]

    def path_of(self, drawing: Drawing) -> Path:
        """The way its seals acted in the last pass."""
        return Path.MERGED if self._merged else drawing.path

    def decode(self, drawings: Sequence[Drawing]) -> Iterator[tuple[Drawing, Picture | SealsmithError]]:
        """The finished pictures of one pass, or why there is none."""
        at_once = 1 if self._settings.deterministic else self._settings.max_decoded
        for start in range(0, len(drawings), at_once):
            yield from self._decoded(drawings[start : start + at_once])

    def close(self) -> None:
        """Takes the seals out of the weights and forgets the copies of those."""
        if self._fusion is not None:
            self._fusion.close()
        self._fusion, self._merged = None, ()
        self._bank.clear()

    def _is_held(self, drawing: Drawing) -> bool:
        """Whether the weights are as the picture needs them, and are to stay so for now."""
        is_merged = drawing.path is Path.MERGED and drawing.seals_key == self._merged
        return is_merged and self._turns_merged < self._settings.merged_turns

    def _put_into_weights(self, drawings: Sequence[Drawing]) -> None:
        """Puts those seals into the weights that this pass needs there, and takes all others out."""
        first = drawings[0]
        wanted = first.seals_key if self._is_to_be_merged(drawings) else ()
        self._turns_merged += 1
        if wanted == self._merged:
            return
        self._fusion = self._fusion or Fusion(self._base)
        self._merged, self._turns_merged = (), 0
        try:
            self._fusion.switch(first.acting if wanted else [])
        except (SealsmithError, *OUT_OF_MEMORY) as error:
            self._fusion.clear()
            if not is_out_of_memory(error):
                raise
            raise too_large("to hold its seals in the weights") from error
        self._merged = wanted

    def _is_to_be_merged(self, drawings: Sequence[Drawing]) -> bool:
        """Whether the seals, the same in all of these, belong into the weights: they must, or it is worth it."""
        first = drawings[0]
        if first.path is Path.MERGED:
            return True
        if self._costs is None or first.mix != "sum" or not can_merge(first.seals):
            return False
        if not first.seals_key or any(drawing.seals_key != first.seals_key for drawing in drawings):
            return False
        num_rows = sum(drawing.num_rows for drawing in drawings)
        num_passes = min(drawing.num_steps - drawing.step for drawing in drawings)
        return first.seals_key == self._merged or self._costs.is_merging_worth(num_rows, num_passes)

    def _predictions(self, passes: Sequence[OwnPass]) -> list[Tensor | SealsmithError]:
        """What one shared pass predicts for each; out of memory, what two of half of them do, and so on."""
        try:
            predictions = self._pass(passes)
        except OUT_OF_MEMORY as error:
            if not is_out_of_memory(error):
                raise
            predictions = None
        if predictions is not None:  # behind the except clause, whose error keeps the pass's tensors alive
            self._regrow()
            return [*predictions]
        if self._base.device.type == "cuda":
            torch.cuda.empty_cache()
        if len(passes) == 1 or self._settings.deterministic:  # half a pass would have other bytes
            return [too_large("for one step") for _ in passes]
        half = (len(passes) + 1) // 2
        self._row_limit = sum(own.num_rows for own in passes[:half])
        self._passes_since_lowered = 0
        return self._predictions(passes[:half]) + self._predictions(passes[half:])

    def _regrow(self) -> None:
        self._passes_since_lowered += 1
        if self._row_limit < self._settings.max_rows and self._passes_since_lowered >= REGROW_TURNS:
            self._row_limit = min(self._row_limit * 2, self._settings.max_rows)
            self._passes_since_lowered = 0

    def _pass(self, passes: Sequence[OwnPass]) -> tuple[Tensor, ...]:
        counts = [own.num_rows for own in passes]
        rows = [own.drawing for own, count in zip(passes, counts, strict=True) for _ in range(count)]
        x = torch.cat([own.drawing.inputs() for own in passes])
        t = torch.stack([drawing.t.float() for drawing in rows])
        guidance = torch.tensor([drawing.guidance for drawing in rows])
        conditioning = concatenate([own.drawing.prompt.conditioning for own in passes])
        with self._acting(passes), self._listener.listening(passes):
            predicted = self._base.family.workings.predict(self._base, x, t, conditioning, guidance)
        return predicted.split(counts)

    def _acting(self, passes: Sequence[OwnPass]) -> AbstractContextManager[None]:
        """The seals of a shared pass that are not in the weights, on the rows of their own passes."""
        if self._merged:
            self._bank.compose([Rows(own.num_rows, (), own.reading) for own in passes])
            return nullcontext()
        are_beside = [own.drawing.path is Path.BESIDE for own in passes]
        self._bank.compose(
            [
                Rows(own.num_rows, own.uses, None if is_beside else own.reading)
                for own, is_beside in zip(passes, are_beside, strict=True)
            ]
        )
        ends = [*accumulate(own.num_rows for own in passes)]
        places = [slice(end - own.num_rows, end) for end, own in zip(ends, passes, strict=True)]
        shares = zip(places, passes, are_beside, strict=True)
        return beside([(place, own) for place, own, is_beside in shares if is_beside])

    def _decoded(self, drawings: Sequence[Drawing]) -> list[tuple[Drawing, Picture | SealsmithError]]:
        """Pictures of one call of the VAE; if that fails, of two calls for half of them, and so on."""
        error: SealsmithError | None = None
        try:
            pixels, said = decode(self._base, torch.cat([drawing.latents for drawing in drawings]))
        except OUT_OF_MEMORY as caught:
            if not is_out_of_memory(caught):
                raise
            error = too_large("to be decoded")
        except DrawingError as caught:
            error = caught
        if error is None:
            return [
                (drawing, Picture(own.clone(), drawing.recipe(), (*drawing.warnings, *filter(None, [said]))))
                for drawing, own in zip(drawings, pixels, strict=True)
            ]
        if len(drawings) == 1:
            return [(drawings[0], error)]
        half = len(drawings) // 2
        return self._decoded(drawings[:half]) + self._decoded(drawings[half:])


def seated(chosen: Sequence[_T], seats: Sequence[_T]) -> list[_T]:
    """Those chosen in the order in which they were seated, new ones on places that have become free.

    So rows that stay have the neighbours they had, and what was made for these together is of use again.
    """
    kept = [each if each in chosen else None for each in seats[: len(chosen)]]
    others = iter([each for each in chosen if each not in kept])
    return [next(others) if each is None else each for each in kept] + list(others)


def fitting(passes: Sequence[OwnPass], max_rows: int) -> list[list[OwnPass]]:
    """The passes in order, cut where more rows than that would come together; one at least in each."""
    groups: list[list[OwnPass]] = []
    num_rows = max_rows
    for own in passes:
        num_rows += own.num_rows
        if not groups or num_rows > max_rows:
            groups.append([])
            num_rows = own.num_rows
        groups[-1].append(own)
    return groups


def _group(drawing: Drawing) -> object:
    """Equal for pictures that can share a pass."""
    return drawing.shape, drawing.seals_key if drawing.path is Path.MERGED else ()


def too_large(what: str) -> DrawingError:
    """What is said of a picture that does not fit into memory, even alone."""
    return DrawingError(
        f"the picture is lost: there is not enough memory {what}", "ask for a smaller one, or try it later"
    )
