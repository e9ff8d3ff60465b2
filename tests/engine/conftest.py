"""Without a GPU, Triton's kernels run under its interpreter; it has to be told before they are imported.

Which library is quicker for linear layers is another on each machine: tests that depend on it say which one.
"""

import os

import pytest
import torch

from sealsmith.engine import products

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"


@pytest.fixture
def mkl(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor where both libraries are as quick as each other."""
    monkeypatch.setattr(products, "is_onednn_quicker", lambda: False)


@pytest.fixture
def onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor where oneDNN is quicker."""
    monkeypatch.setattr(products, "is_onednn_quicker", lambda: True)


@pytest.fixture(params=["mkl", "onednn"])
def library(request: pytest.FixtureRequest) -> str:
    """One after the other."""
    request.getfixturevalue(request.param)
    return str(request.param)
