"""What no test of the world may do: copy this process, which has threads, and a browser's pipes by the time."""

import os
from typing import NoReturn

import pytest


@pytest.fixture(autouse=True)
def no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> NoReturn:
        raise AssertionError("a process with threads was copied: it may wait for a lock for ever")

    monkeypatch.setattr(os, "fork", fork)
