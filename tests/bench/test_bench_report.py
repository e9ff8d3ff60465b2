"""A figure's arithmetic, and what stands beside it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.bench import Figure, Report, table

SECONDS = st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=9).map(tuple)
MACHINE: dict[str, str | int] = {
    "processor": "Z80",
    "cores": 1,
    "threads": 1,
    "python": "3.11",
    "torch": "2",
    "diffusers": "0",
    "sealsmith": "0",
}


def report(*figures: Figure) -> Report:
    return Report(figures, MACHINE, "abc123", "sealsmith bench speed")


@given(SECONDS, SECONDS, st.floats(0.5, 50))
def test_the_ratio_does_not_depend_on_the_extrapolation(
    ours: tuple[float, ...], stock: tuple[float, ...], scale: float
) -> None:
    whole = Figure("a", "a", ours, "b", stock)
    part = Figure("a", "a", ours, "b", stock, scale=scale)
    assert part.ratio == pytest.approx(whole.ratio)
    assert part.ours == pytest.approx(whole.ours * scale)


@given(SECONDS, SECONDS)
def test_ours_and_stock_swapped_inverts_the_ratio(ours: tuple[float, ...], stock: tuple[float, ...]) -> None:
    there, back = Figure("a", "a", ours, "b", stock).ratio, Figure("a", "a", stock, "b", ours).ratio
    assert there is not None
    assert back is not None
    assert there * back == pytest.approx(1)


def test_a_figure_without_baseline_has_no_ratio() -> None:
    made = Figure("demo", "sealsmith demo", (3.0,), goal=2.0).to_dict()
    assert made["ratio"] is made["baseline"] is None
    assert made["within_goal"] is False


def test_a_report_names_workload_baseline_machine_commit_and_command() -> None:
    made = report(Figure("picture", "a picture", (1.0,), "the pipeline", (2.0,), goal=1.5))
    text, data = table(made), json.loads(json.dumps(made.to_dict()))
    for said in ("a picture", "0.50", "≤ 1.5 s", "Z80", "abc123", "`sealsmith bench speed`"):
        assert said in text
    assert data["figures"][0]["baseline"]["name"] == "the pipeline"
    assert data["machine"] == MACHINE
    assert data["commit"] == "abc123"


def test_an_extrapolated_figure_says_so() -> None:
    assert "extrapolated" in table(report(Figure("a", "a", (1.0,), scale=10.0)))
    assert "extrapolated" not in table(report(Figure("a", "a", (1.0,))))
