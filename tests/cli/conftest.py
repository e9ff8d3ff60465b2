"""A folder of its own for commands that write where they are called."""

from pathlib import Path

import pytest


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called from an empty folder; what it tells libraries by the environment is taken back."""
    monkeypatch.chdir(tmp_path)
    for name in ("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY", "TQDM_DISABLE"):
        monkeypatch.setenv(name, "1" if name.startswith("TQDM") else "error")
