"""The peers do the same work as we do, or the comparison means nothing."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sealsmith.bases import Base
from sealsmith.bench.peers import plain_lora_training, stock_picture, stock_pipeline
from sealsmith.generate import Request, generate
from sealsmith.train import TrainConfig
from sealsmith.train.methods.lora import LORA

PROMPT = "a red wax seal of an emblem on parchment"


def test_the_stock_picture_is_ours(tiny_base: Base) -> None:
    ours = generate(tiny_base, Request(PROMPT, seed=3, num_steps=2, guidance=4.0))[0].image
    theirs = stock_picture(stock_pipeline(tiny_base.folder), PROMPT, num_steps=2, guidance=4.0, seed=3)
    assert np.abs(np.asarray(ours, dtype=int) - np.asarray(theirs, dtype=int)).max() <= 1


def test_the_plain_training_trains_the_same_tensors_as_ours(tiny_base: Base, tiny_base_folder: Path) -> None:
    groups = tiny_base.family.default_targets
    pipeline = stock_pipeline(tiny_base_folder)
    losses = plain_lora_training(
        pipeline,
        [Image.new("RGB", (90, 90), "red")],
        ["a red wax seal of sks emblem on parchment"],
        targets=tiny_base.family.targets(groups),
        rank=2,
        batch_size=2,
        learning_rate=1e-3,
        num_steps=2,
    )
    trained = {n.replace(".default.", "."): p for n, p in pipeline.unet.named_parameters() if p.requires_grad}
    with LORA.attached(tiny_base, TrainConfig(rank=2, targets=groups)) as adapted:
        shapes = {name.removeprefix("unet."): p.shape for name, p in adapted.parameters.items()}
    assert {name: p.shape for name, p in trained.items()} == shapes
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    moved = [torch.count_nonzero(p) > 0 for name, p in trained.items() if "lora_B" in name]
    assert all(moved), "every up matrix starts at zero and must have been trained"
