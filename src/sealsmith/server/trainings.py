"""Trainings as the service hands them in: a tenant's pictures, and a job of the queue.

Not for: watching and ending them (long_work.py), or doing them (jobs/worker.py).
"""

import asyncio
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ..catalog import ArtefactKind, Catalog, NewArtefact
from ..errors import ConfigError
from ..jobs import TRAIN, Job
from ..jobs.train_payload import DEFAULT_PREVIEW_PROMPTS, DEFAULTS, TrainPayload
from .limits import MAX_CHECKPOINTS, MAX_PREVIEW_PROMPTS, MAX_PREVIEWS, MAX_TRAINING
from .long_work import JobWatch, LongWork, Ongoing

LEFT = (ArtefactKind.PREVIEW, ArtefactKind.CURVE)
"""What a training leaves beside its seal."""


class Trainings(LongWork):
    """The trainings of all tenants, on one base."""

    def __init__(self, catalog: Catalog, base: str, watch: JobWatch):
        """`base`: the word by which workers know the base that seals are for."""
        super().__init__(catalog, "training", (TRAIN,), LEFT, "/v1/trainings", watch)
        self._base = base

    async def submit(self, tenant: str, file: Path, wanted: TrainPayload) -> Ongoing:
        """Hands in a training on a file that was inspected; its own `pictures` and `base` are filled in.

        Raises: SealExistsError for a name that is taken; QuotaError, of storage or of trainings at once.
        """
        return await asyncio.to_thread(self._submit, tenant, file, wanted)

    def _submit(self, tenant: str, file: Path, wanted: TrainPayload) -> Ongoing:
        new = NewArtefact(ArtefactKind.UPLOAD, file.read_bytes(), "application/octet-stream", file.name)
        payload = {**wanted.to_dict(), "base": self._base}
        files = {"pictures": new}
        return Ongoing(self._queue.submit(tenant, TRAIN, payload, files=files, seal_name=wanted.name), ())

    def _uploads(self, job: Job) -> Collection[str]:
        return (job.payload["pictures"],)


def check_bounds(settings: Mapping[str, Any]) -> None:
    """Refuses settings that would keep a worker from everybody else. Raises: ConfigError naming the first."""
    for name, most in MAX_TRAINING.items():
        value = settings.get(name)
        if isinstance(value, int | float) and not value <= most:  # not a number is not within bounds either
            raise ConfigError(f"{name} is {value}; this service takes at most {most}", f"give {name} less")
    num_prompts = _num_preview_prompts(settings)
    num_previews = num_prompts * _num_times("preview_every", settings)
    num_checkpoints = _num_times("checkpoint_every", settings)
    _check_num("preview_prompts", num_prompts, MAX_PREVIEW_PROMPTS, "give fewer")
    _check_num(
        "previews", num_previews, MAX_PREVIEWS, "give a larger preview_every, or fewer preview_prompts"
    )
    _check_num("checkpoints", num_checkpoints, MAX_CHECKPOINTS, "give a larger checkpoint_every")


def _check_num(what: str, num: int, most: int, remedy: str) -> None:
    if num > most:
        raise ConfigError(f"there would be {num} {what}; this service takes at most {most}", remedy)


def _num_preview_prompts(settings: Mapping[str, Any]) -> int:
    """How many; of what is no list nothing, for that is refused with the other settings."""
    prompts = settings.get("preview_prompts")
    if prompts is None:
        return DEFAULT_PREVIEW_PROMPTS
    return len(prompts) if isinstance(prompts, list) else 0


def _num_times(every: str, settings: Mapping[str, Any]) -> int:
    """How often something comes that this setting has come every so many steps, and after the last.

    Never, where it or the number of steps is none, for that is refused with the other settings.
    """
    num_steps, num_between = ({**DEFAULTS, **settings}[name] for name in ("num_steps", every))
    if not all(isinstance(number, int) and number >= 1 for number in (num_steps, num_between)):
        return 0
    return math.ceil(num_steps / num_between)
