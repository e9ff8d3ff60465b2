"""A training on a device that is not the CPU, interrupted and resumed, beside the same one undisturbed.

    python -m tests.devices.resuming BASE FOLDER

Prints whether both learned the same bits.
"""

import sys
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from sealsmith.adapters import Seal
from sealsmith.adapters.changes import tensors
from sealsmith.bases import Base, open_base
from sealsmith.errors import Cancelled
from sealsmith.train import TrainConfig, train
from sealsmith.train.pictures import read_picture_set
from sealsmith.train.progress import Progress, Silent

from .shadow import NAME, begin

LOGO = Path(__file__).parents[2] / "examples/mark.svg"
CONFIG = TrainConfig(
    trigger="zwx", num_steps=4, checkpoint_every=2, preview_every=2, preview_prompts=("a coin",)
)


class Watching(Silent):
    """Sees to it that steps have the device for the denoiser alone."""

    def __init__(self, base: Base):
        self.base = base

    def advance(self, done: int, loss: float | None = None) -> None:
        if loss is not None:
            assert where(self.base.denoiser) == NAME
            assert where(self.base.vae) == where(self.base.pipeline.text_encoder) == "cpu"


class Interrupting(Watching):
    """Presses Ctrl-C after the second step."""

    def advance(self, done: int, loss: float | None = None) -> None:
        if loss is not None and done == CONFIG.num_steps // 2:
            raise KeyboardInterrupt


def where(part: nn.Module) -> str:
    return next(part.parameters()).device.type


def main(word: str, folder: Path) -> bool:
    base = open_base(word, NAME)
    pictures = read_picture_set(LOGO, trigger=CONFIG.trigger, class_noun=base.family.class_noun)

    def taught(name: str, progress: Progress, resume: bool = False) -> Seal:
        return train(base, pictures, CONFIG, folder / name, progress=progress, resume=resume).seal

    whole = taught("whole", Watching(base))
    with suppress(Cancelled):
        taught("broken", Interrupting(base))
    assert where(base.vae) == NAME
    assert not (folder / "broken/seal.safetensors").exists()
    resumed = taught("broken", Watching(base), resume=True)
    assert len([*folder.glob("whole/previews/*.png")]) == 2
    return all(
        torch.equal(tensor, tensors(resumed.layers[path])[name])
        for path, change in whole.layers.items()
        for name, tensor in tensors(change).items()
    )


if __name__ == "__main__":
    begin()
    print(main(sys.argv[1], Path(sys.argv[2])))
