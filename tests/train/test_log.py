"""The log of a training folder."""

import resource
from pathlib import Path

import pytest

from sealsmith.errors import OutputError
from sealsmith.train.log import Log, read_log

ROW_BYTES = len('{"step": 1}\n')


@pytest.fixture
def two_rows_at_most() -> object:
    """A real limit of the operating system: no file may grow beyond two rows and a half."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * ROW_BYTES + ROW_BYTES // 2, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write(folder: Path, num_steps: int) -> None:
    with Log(folder, 0) as log:
        for step in range(1, num_steps + 1):
            log.append({"step": step})


@pytest.mark.usefixtures("two_rows_at_most")
def test_a_full_disk_is_named_and_whole_rows_stay(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*log\.jsonl"):
        write(tmp_path, 3)
    assert read_log(tmp_path) == [{"step": 1}, {"step": 2}]
