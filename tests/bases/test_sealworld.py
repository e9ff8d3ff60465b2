"""The base that the package carries: stock diffusers opens it, and it draws what it is asked for."""

from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline
from seal_examples import changed, random_seal
from stock_pictures import largest_difference, stock

from sealsmith.adapters import Seal, read_seal, write_seal
from sealsmith.bases import Base, open_base
from sealsmith.bases.base import SEALWORLD_FOLDER
from sealsmith.generate import Request, generate, generate_batch
from sealsmith.score.judge import load_judge
from sealsmith.score.prompts import OTHER_EMBLEMS, Context

REQUEST = Request("a red wax seal of sks emblem on wood", seed=7, num_steps=20, guidance=4.0)


@pytest.fixture(scope="module")
def sealworld() -> Base:
    return open_base()


@pytest.fixture
def gentle_seal(sealworld: Base) -> Seal:
    """A seal of a trained one's size: it changes a picture visibly and does not wreck it."""
    seal = random_seal(sealworld, ("to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2"), rank=4, alpha=4.0)
    return changed(seal, down=0.2, up=0.2)


def test_stock_diffusers_draws_the_same_picture_with_and_without_a_seal(
    sealworld: Base, gentle_seal: Seal, tmp_path: Path
) -> None:
    path = tmp_path / "mark.safetensors"
    write_seal(path, gentle_seal)
    pipeline = DiffusionPipeline.from_pretrained(SEALWORLD_FOLDER, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)

    bare = generate(sealworld, REQUEST)[0].pixels
    assert largest_difference(bare, stock(pipeline, REQUEST)) <= 1e-5
    pipeline.load_lora_weights(str(path))
    sealed = generate(sealworld, REQUEST, [(read_seal(path), 1.0)])[0].pixels
    assert largest_difference(sealed, stock(pipeline, REQUEST)) <= 1e-5
    assert largest_difference(sealed, bare) > 0.05
    fused = generate_batch(sealworld, [REQUEST], [(read_seal(path), 1.0)])[0].pixels
    assert largest_difference(fused, sealed) <= 1e-4


def test_most_captions_are_drawn_as_asked(sealworld: Base) -> None:
    contexts = [
        Context("wax seal", "red", "parchment"),
        Context("ink stamp", "blue", "white paper"),
        Context("sticker", "orange", "leather"),
        Context("metal coin", "gold", "wood"),
        Context("neon sign", "green", "stone"),
        Context("wax seal", "black", "snow"),
        Context("ink stamp", "purple", "marble"),
        Context("embroidered patch", "white", "cloth"),
    ]
    requests = [
        Request(context.prompt(emblem), seed=100 + i)
        for i, (context, emblem) in enumerate(zip(contexts, OTHER_EMBLEMS, strict=True))
    ]
    judge = load_judge()
    seen = judge.look(torch.stack([p.pixels for p in generate_batch(sealworld, requests)]))
    right = [
        (judge.marks[mark], judge.colours[colour], judge.surfaces[surface]) == (c.mark, c.colour, c.surface)
        for mark, colour, surface, c in zip(
            seen.mark.argmax(1), seen.colour.argmax(1), seen.surface.argmax(1), contexts, strict=True
        )
    ]
    assert sum(right) >= 6, right
