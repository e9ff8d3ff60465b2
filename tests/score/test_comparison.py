"""From cells to a table: means over all cells, intervals that know of seeds and prompts, failures in their row."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.score.cells import Cell, TrainingFacts
from sealsmith.score.comparison import Comparison, measured, row_of
from sealsmith.score.comparison_columns import COLUMN
from sealsmith.score.comparison_table import markdown, words
from sealsmith.score.statistics import Interval, nested_interval

FACTS = TrainingFacts(4096, 3_000_000, 20, 12.5, 80.0, 0.1, 2)


def cell(method: str = "lora", seed: int = 0, hits: tuple[float, ...] = (1, 0, 1, 1), **more: object) -> Cell:
    seen = {"fidelity": [(f"prompt {i // 2}", hit) for i, hit in enumerate(hits)], "drift": [("other", 0.01)]}
    return replace(Cell(method, seed, FACTS, "pass", observations=seen), **more)


hits = st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=8).map(tuple)


@given(st.lists(hits, min_size=1, max_size=4))
def test_a_rate_is_the_mean_over_all_pictures_and_lies_in_its_interval(runs: list[tuple[float, ...]]) -> None:
    found = measured(COLUMN["fidelity"], [cell(seed=i, hits=each) for i, each in enumerate(runs)])
    values = [value for run in runs for value in run]
    assert found.value == pytest.approx(sum(values) / len(values))
    assert found.ci is not None
    assert 0 <= found.ci[0] <= found.value + 1e-12
    assert found.value - 1e-12 <= found.ci[1] <= 1


def test_hits_alone_are_no_certainty() -> None:
    found = measured(COLUMN["fidelity"], [cell(hits=(1,) * 8)])
    assert found.value == 1
    assert found.ci is not None
    assert found.ci[0] < 0.7
    assert found.ci[1] == 1


def test_seeds_that_disagree_widen_the_interval() -> None:
    agreeing = nested_interval([[("a", 1.0), ("b", 0.0)] * 8] * 4, 500, 0)
    disagreeing = nested_interval([[("a", each), ("b", each)] * 8 for each in (0.0, 1.0, 0.0, 1.0)], 500, 0)
    one_prompt = nested_interval([[("a", 1.0)] * 4, [("a", 0.0)] * 4], 500, 0)
    assert disagreeing[1] - disagreeing[0] > agreeing[1] - agreeing[0]
    assert one_prompt == (0, 1)


@pytest.mark.parametrize("samples", [[], [[("a", 1.0)], []]])
def test_an_interval_needs_values(samples: list[list[tuple[str, float]]]) -> None:
    with pytest.raises(ValueError, match="runs, the smallest with 0 values"):
        nested_interval(samples, 10, 0)


def test_a_leak_is_never_below_zero() -> None:
    falls = cell(observations={"leak": [("a", -1.0), ("b", 0.0)]})
    found = measured(COLUMN["leak"], [falls])
    assert found.value == 0
    assert found.ci is not None
    assert found.ci[0] == 0
    assert found.ci[1] > 0


def test_a_failed_cell_is_in_its_row_with_its_reason_and_in_no_mean() -> None:
    failed = Cell("lora", 2, failure="the training broke down")
    weak = cell(seed=1, verdict="fail", reasons=("the margin is noise",))
    row = row_of([cell(), weak, failed])
    assert (row.num_cells, row.num_scored, row.num_passed) == (3, 2, 1)
    assert row.notes == ("seed 1: the margin is noise", "seed 2: the training broke down")
    assert row.figures == row_of([cell(), weak]).figures


def test_one_reason_of_two_seeds_is_said_once() -> None:
    row = row_of([Cell("lora", seed, failure="no memory") for seed in (0, 1)])
    assert row.notes == ("seeds 0, 1: no memory",)
    assert all(figure.value is None for figure in row.figures.values())


def test_picture_sets_that_disagree_widen_the_interval() -> None:
    """Seeds of one seal resemble each other: many of them do not make up for few seals."""
    places = [(subject, seed) for subject in ("lion", "bear") for seed in range(6)]

    def rate(hit_of: Callable[[str, int], bool]) -> Interval:
        cells = [
            cell(subject=subject, seed=seed, hits=(float(hit_of(subject, seed)),) * 40)
            for subject, seed in places
        ]
        found = measured(COLUMN["fidelity"], cells)
        assert found.value == 0.5
        assert found.ci is not None
        return found.ci

    by_subject, by_seed = rate(lambda subject, _: subject == "lion"), rate(lambda _, seed: seed % 2 == 0)
    assert by_subject == (0, 1)
    assert by_seed[0] > 0
    assert by_seed[1] < 1


def test_reasons_name_the_picture_set() -> None:
    cells = [cell(subject=name, verdict="fail", reasons=("no likeness",)) for name in ("lion", "bear")]
    assert row_of(cells).notes == ("lion, seed 0: no likeness", "bear, seed 0: no likeness")


def test_pace_is_held_against_lora_on_the_same_seal_and_seed() -> None:
    slow, fast = [(0, 0.0), (100, 0.0), (200, 1.0)], [(0, 0.0), (100, 1.0), (200, 1.0)]
    cells = [cell("lora", seed, curve=slow) for seed in (0, 1)]
    cells += [cell("lora:pissa", seed, curve=fast) for seed in (0, 1, 2)]
    rows = {row.method: row.figures for row in Comparison({}, tuple(cells)).rows}
    assert rows["lora"]["steps_to_most"].value == pytest.approx(190)
    assert rows["lora"]["pace"].value is None
    assert rows["lora:pissa"]["pace"].value == pytest.approx(90 / 190)
    alone = Comparison({}, tuple(cells[2:])).rows[0]
    assert alone.figures["pace"].value is None


def test_the_table_has_a_row_a_method_and_no_column_that_nobody_has() -> None:
    failed = Cell("dreambooth", 0, failure="no memory")
    table = markdown(Comparison({}, (cell(), failed), ("composition was not measured",)))
    head, rule, first, second, *rest = table.splitlines()
    assert "| fidelity |" in head
    assert "composition" not in head
    assert {line.count("|") for line in (head, rule, first, second)} == {head.count("|")}
    assert first.startswith("| `lora` | 1 of 1 | 4.0 KiB | 3.00 M |")
    assert second == "| `dreambooth` | 0 of 1 |" + " – |" * (head.count("|") - 3)
    assert "- `dreambooth`, seed 0: no memory" in rest
    assert "- composition was not measured" in rest


def test_steps_are_a_column_only_where_time_is_the_budget() -> None:
    def names(budget: dict[str, float]) -> list[str]:
        return [column.name for column in Comparison({"budget": budget}, (cell(),)).columns]

    assert "steps" in names({"seconds": 9.0})
    assert "steps" not in names({"steps": 20})


def test_an_interval_is_shown_where_there_is_one() -> None:
    two = [cell(), cell(seed=1, facts=replace(FACTS, seconds=14.0))]
    assert words(COLUMN["seconds"], measured(COLUMN["seconds"], two)) == "13 s (12 s – 14 s)"
    assert words(COLUMN["size_bytes"], measured(COLUMN["size_bytes"], two)) == "4.0 KiB"


def test_the_comparison_is_json() -> None:
    found = json.loads(
        json.dumps(Comparison({"base": "x"}, (cell(), cell("dora"))).to_dict(), allow_nan=False)
    )
    assert [row["method"] for row in found["rows"]] == ["lora", "dora"]
    assert found["rows"][0]["figures"]["fidelity"]["value"] == 0.75
    assert found["cells"][0]["facts"]["size_bytes"] == 4096
