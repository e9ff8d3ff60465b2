"""The state of a training, and its two files: a seal anyone can load, and what is needed to go on exactly.

`step-000100.safetensors` is a seal file like any other. `resume.safetensors` holds the newest step's
parameters, the optimizer's state, the losses so far, and what the training was made from. There is no random
state to save: every draw is a function of the seed and the step (streams.py).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..adapters import Seal, SealHeader, atomic_write, write_seal
from ..adapters.checks import MAX_RANK
from ..bases import Base
from ..errors import ConfigError, SealFormatError
from ..stage.captions import named_contexts
from .config import FREE_TO_CHANGE, TrainConfig
from .interrupts import interrupts_deferred
from .methods import Adapted
from .pictures import PictureSet
from .targets import endings

RESUME_NAME = "resume.safetensors"
SEAL_NAME = "seal.safetensors"
PARAMETER, OPTIMIZER, LOSSES = "parameter/", "optimizer/", "losses"


def checkpoint_path(folder: Path, step: int) -> Path:
    return folder / f"step-{step:06d}.safetensors"


def identity(base: Base, pictures: PictureSet, config: TrainConfig) -> dict[str, Any]:
    """What a training is made from, JSON-able: two trainings with equal identity give equal seals."""
    facts = {"base": base.digest, "pictures": pictures.digest, **config.to_dict()}
    return facts if base.dtype == torch.float32 else facts | {"precision": base.plan.precision}


@dataclass
class TrainingState:
    """What changes while training; the parameters themselves are in `adapted`."""

    adapted: Adapted
    optimizer: torch.optim.Optimizer
    identity: dict[str, Any]
    header: Callable[[int], SealHeader]
    """The seal header of the checkpoint after so many steps."""
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    saved_step: int = 0

    @property
    def step(self) -> int:
        """Steps done."""
        return len(self.losses)

    def seal(self) -> Seal:
        """What has been learned, as a seal; rank and alpha are those of its largest layer or hypernetwork.

        Of vectors alone the rank is their number.
        """
        layers, networks = self.adapted.layers(), self.adapted.networks()
        embeddings = self.adapted.embeddings()
        ranks = [layer.rank for layer in layers.values()] + [each.rank for each in networks.values()]
        ranks = ranks or [len(each) for vectors in embeddings.values() for each in vectors.values()]
        header = self.header(self.step)
        header = replace(
            header,
            rank=min(max(ranks, default=1), MAX_RANK),
            alpha=max((layer.alpha for layer in layers.values()), default=1.0),
            targets=header.targets if layers else (),
        )
        return Seal(header, layers, embeddings=embeddings, networks=networks)

    def save(self, folder: Path) -> Path:
        """Writes both files, the seal first; each is whole or not there. Ctrl-C waits until they are.

        Raises: OutputError when they cannot be written; the previous checkpoint is still there then.
        """
        path = checkpoint_path(folder, self.step)
        if self.saved_step == self.step:
            return path
        with interrupts_deferred():
            write_seal(path, self.seal())
            tensors = {PARAMETER + key: tensor for key, tensor in self.adapted.state().items()}
            for number, slots in self.optimizer.state_dict()["state"].items():
                tensors |= {f"{OPTIMIZER}{number}/{name}": slot.cpu() for name, slot in slots.items()}
            tensors[LOSSES] = torch.tensor(self.losses, dtype=torch.float64)
            facts = {"identity": self.identity, "seconds": self.seconds}
            atomic_write(folder / RESUME_NAME, save(tensors, metadata={"resume": json.dumps(facts)}))
            self.saved_step = self.step
        return path

    def resume(self, folder: Path) -> bool:
        """Whether there was a state to go on from; if so it is in place, bit for bit.

        Raises: ConfigError naming the setting in which the folder's training differs from this one,
        SealFormatError when the file is damaged.
        """
        path = folder / RESUME_NAME
        if not path.exists():
            return False
        tensors, facts = _read(path)
        _check_same(folder, facts["identity"], self.identity)
        self.adapted.load({key: tensors[PARAMETER + key] for key in self.adapted.parameters})
        slots: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            if key.startswith(OPTIMIZER):
                _, number, name = key.split("/")
                slots.setdefault(int(number), {})[name] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": slots})
        self.losses = tensors[LOSSES].tolist()
        self.seconds = facts["seconds"]
        self.saved_step = self.step
        return True


_MODEL_SPEC_WORDS = {"epsilon": "epsilon", "v_prediction": "v"}
"""What diffusers calls a prediction -> what ModelSpec calls it."""


def seal_header(base: Base, pictures: PictureSet, config: TrainConfig, step: int) -> SealHeader:
    """The header of the seal as it is after `step` steps. `config` must be resolved.

    Its `training` holds the settings, the step, and the contexts (mark, surface) that captions name, so that a
    scorecard knows what is unseen. Captions stay at home, and with them the preview prompts.
    """
    assert config.class_noun is not None
    assert config.targets is not None
    return SealHeader(
        trigger=config.trigger,
        class_noun=config.class_noun,
        base=base.name,
        base_digest=base.digest,
        family=base.family.name,
        method=config.method,
        rank=config.rank,
        alpha=config.rank * config.scale,
        targets=endings(base, config.targets),
        title=f"{config.trigger} {config.class_noun}",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        training={key: value for key, value in config.to_dict().items() if key not in FREE_TO_CHANGE}
        | {
            "step": step,
            "pictures": pictures.digest,
            "num_pictures": len(pictures.pictures),
            "contexts": sorted(map(list, named_contexts(p.caption or "" for p in pictures.pictures))),
        },
        architecture=base.family.architecture,
        kohya_version=base.family.kohya_version,
        resolution_px=base.picture_px,
        prediction_type=_MODEL_SPEC_WORDS.get(base.scheduler.config.get("prediction_type", ""), ""),
    )


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()["resume"])
            return {key: file.get_tensor(key) for key in file.keys()}, facts  # noqa: SIM118 - no mapping
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise SealFormatError(
            f"{path} is damaged: {error}", "start again without resuming, or in another folder"
        ) from error


def _check_same(folder: Path, kept: dict[str, Any], asked: dict[str, Any]) -> None:
    for key in asked | kept:
        if key not in FREE_TO_CHANGE and kept.get(key) != asked.get(key):
            raise ConfigError(
                f"the training in {folder} has {key} = {kept.get(key)!r}, and this one {asked.get(key)!r}",
                "resume with the settings, pictures and base it was begun with, or train into another folder",
            )
