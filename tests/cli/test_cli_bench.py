"""`sealsmith bench` refuses what it cannot measure before it measures anything."""

from pathlib import Path

import pytest

from sealsmith.cli import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["speed", "--quick"], "--quick is not for the suite speed"),
        (["compatibility", "--plot", "a.png"], "--plot is not for the suite compatibility"),
        (["speed", "--minutes", "1"], "--minutes is not for the suite speed"),
        (["speed", "--minutes", "0"], "--minutes is not for the suite speed"),
        (["soak", "--steps", "4"], "--steps is not for the suite soak"),
        (["soak", "--steps", "0"], "--steps is not for the suite soak"),
        (["soak", "--repeats", "2"], "--repeats is not for the suite soak"),
        (["compatibility", "--repeats", "0"], "--repeats is not for the suite compatibility"),
        (["soak", "--tiny", "--base", "a.safetensors"], "--tiny makes a base of its own"),
        (["training", "--tiny"], "--tiny is not for the suite training"),
        (["soak", "--quick"], "--quick is not for the suite soak"),
        (["speed", "--threads", "1"], "--threads is not for the suite speed"),
        (["engine", "--variants"], "--variants is not for the suite engine"),
        (["engine", "--steps", "0"], "the plan's num_steps is 0"),
        (["serve", "--steps", "0"], "the plan's num_steps is 0"),
        (["serve", "--repeats", "0"], "the plan's repeats is 0"),
        (["training", "--demo"], "--demo is not for the suite training"),
        (["training", "--repeats", "9"], "num_emblems is 9"),
        (["training", "--steps", "0"], "num_steps is 0"),
    ],
)
def test_what_a_suite_cannot_do_is_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *words]) == 2
    assert f"error: {said}" in capsys.readouterr().err


def test_a_plot_that_could_not_be_written_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["bench", "training", "--plot", str(tmp_path / "file" / "plot.png")]) == 2
    captured = capsys.readouterr()
    assert "plot.png" in captured.err
    assert captured.out == ""


def test_the_training_suite_refuses_a_base_without_a_judge(
    tiny_sd1_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "training", "--base", str(tiny_sd1_folder)]) == 2
    assert "tiny-sd1 is of the family sd1" in capsys.readouterr().err
