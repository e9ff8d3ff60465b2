"""Every damaged file is refused: by the right sentence, in less than a second, in less than 200 MB."""

import subprocess
import sys
from pathlib import Path

import pytest
from damaged_files import base_level, file_level, seal_level
from file_examples import DIALECTS, good_file

from sealsmith.adapters import attach, parse_seal, read_seal
from sealsmith.bases import Base
from sealsmith.errors import SealError

SENTENCES = [(damaged.name, damaged.says) for damaged in (*file_level(), *seal_level())]
MAX_SECONDS = 1.0
MAX_GROWTH_BYTES = 200e6

MEASURE = """
import sys, time
from pathlib import Path
import torch
from sealsmith.adapters import read_seal
from sealsmith.errors import SealError

def peak_bytes():
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024

Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
before, slowest = peak_bytes(), 0.0
for path in sorted(Path(sys.argv[1]).iterdir()):
    start = time.process_time()  # a busy machine must not fail the test
    try:
        read_seal(path)
        sys.exit(f"{path.name} was read")
    except SealError:
        slowest = max(slowest, time.process_time() - start)
print(peak_bytes() - before, slowest)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All damaged files, written once."""
    folder = tmp_path_factory.mktemp("damaged")
    for damaged in (*file_level(), *seal_level()):
        damaged.write(folder)
    return folder


def test_the_files_are_many_and_would_be_sound_undamaged() -> None:
    assert len(SENTENCES) >= 500
    assert len(dict(SENTENCES)) == len(SENTENCES)
    for dialect in DIALECTS:
        for dtype in ("F32", "F16", "BF16", "F64"):
            good = good_file(dialect, dtype)
            assert len(parse_seal(good.dump()).layers) == 2


@pytest.mark.parametrize(("name", "says"), SENTENCES)
def test_a_damaged_file_is_refused_with_its_fault(name: str, says: str, folder: Path) -> None:
    with pytest.raises(SealError, match=says) as refusal:
        read_seal(folder / f"{name}.safetensors")
    sentence = str(refusal.value)
    assert sentence.isprintable(), "one line, and nothing a terminal would obey"
    assert f"{name}.safetensors" in sentence
    assert len(sentence.replace(str(folder), "")) < 400
    assert refusal.value.remedy


def test_a_seal_that_cannot_work_on_a_base_is_not_attached(tiny_base: Base, tmp_path: Path) -> None:
    layer = tiny_base.unet.get_submodule("down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q")
    for damaged in base_level(layer.in_features):
        seal = read_seal(damaged.write(tmp_path))
        with pytest.raises(SealError, match=damaged.says):
            attach(tiny_base, [(seal, 1.0)])


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc"
)
def test_refusing_them_all_takes_little_time_and_memory(folder: Path) -> None:
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, str(folder)], check=True, capture_output=True, text=True
    )
    growth_bytes, slowest_s = map(float, measured.stdout.split())
    assert growth_bytes < MAX_GROWTH_BYTES
    assert slowest_s < MAX_SECONDS
