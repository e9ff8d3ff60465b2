"""The peers do the same work as we do, or the comparison means nothing."""

import numpy as np

from sealsmith.bases import Base
from sealsmith.bench.peers import stock_picture, stock_pipeline
from sealsmith.generate import Request, generate

PROMPT = "a red wax seal of an emblem on parchment"


def test_the_stock_picture_is_ours(tiny_base: Base) -> None:
    ours = generate(tiny_base, Request(PROMPT, seed=3, num_steps=2, guidance=4.0))[0].image
    theirs = stock_picture(stock_pipeline(tiny_base.folder), PROMPT, num_steps=2, guidance=4.0, seed=3)
    assert np.abs(np.asarray(ours, dtype=int) - np.asarray(theirs, dtype=int)).max() <= 1
