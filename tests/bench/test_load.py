"""Loading is measured on both sides with the same file, and leaves the U-Net as it was."""

import pytest

from sealsmith.bases import Base
from sealsmith.bench.load import load_figures


@pytest.mark.filterwarnings("ignore")
def test_both_sides_load_the_same_file_and_leave_nothing_behind(tiny_base: Base) -> None:
    names = [name for name, _ in tiny_base.unet.named_modules()]
    figures = {figure.name: figure for figure in load_figures(tiny_base.unet, repeats=2)}
    assert figures["load"].goal_ratio == 0.5
    assert all(seconds > 0 for seconds in figures["load"].ours_runs + figures["load"].baseline_runs)
    assert figures["load, memory"].unit == "MiB"
    assert [name for name, _ in tiny_base.unet.named_modules()] == names
