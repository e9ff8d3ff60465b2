"""The log of a training folder."""

from pathlib import Path

import pytest
from full_disk import files_of_at_most

from sealsmith.errors import OutputError
from sealsmith.train.log import Log, read_log

ROW_BYTES = len('{"step": 1}\n')


def write(folder: Path, num_steps: int) -> None:
    with Log(folder, 0) as log:
        for step in range(1, num_steps + 1):
            log.append({"step": step})


def test_a_full_disk_is_named_and_whole_rows_stay(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"cannot write .*log\.jsonl"),
        files_of_at_most(2 * ROW_BYTES + ROW_BYTES // 2),
    ):
        write(tmp_path, 3)
    assert read_log(tmp_path) == [{"step": 1}, {"step": 2}]
