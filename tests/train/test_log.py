"""The log of a training folder."""

from pathlib import Path

import pytest
from full_disk import files_of_at_most

from sealsmith.errors import OutputError, TrainingError
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


@pytest.mark.parametrize("line", ["not json", "[1]", '{"loss": 1}', '{"step": "one"}'])
def test_a_damaged_log_is_named_with_what_to_do(tmp_path: Path, line: str) -> None:
    write(tmp_path, 2)
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write(line + "\n")
    with pytest.raises(TrainingError, match=r"log\.jsonl is damaged") as caught:
        read_log(tmp_path)
    assert "remove that file" in caught.value.remedy


def test_a_last_line_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, 2)
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"st')
    assert read_log(tmp_path) == [{"step": 1}, {"step": 2}]
