"""The matrix of dialects and families shows what was tried, and shows what fails."""

from pathlib import Path

import pytest

from sealsmith.bench import compatibility

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"


@pytest.fixture(autouse=True)
def one_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compatibility, "FAMILIES", {"sealworld": compatibility.FAMILIES["sealworld"]})
    monkeypatch.setattr(compatibility, "OTHER_KINDS", ("loha", "dora"))


def test_every_cell_of_a_family_is_tried(tmp_path: Path) -> None:
    told: list[str] = []
    rows = compatibility.compatibility(tmp_path, told.append)
    assert told[:3] == ["sealworld, diffusers", "sealworld, kohya", "sealworld, diffusers-old"]
    assert len(told) == len(rows) == 3 + 2 * len(compatibility.OTHER_KINDS) + 1
    for row in rows[:-1]:
        assert (row.read, row.write) == ("✓", "read only" if "old" in row.dialect else "✓")
        assert row.round_trip == "✓"
        assert row.stock == (
            compatibility.NOT_IN_STOCK if (row.kind, row.dialect) in compatibility.NO_STOCK else "✓"
        )


def test_a_lost_alpha_shows_in_the_matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compatibility, "header_entries", lambda layers, dialect: {})
    row = compatibility.compatibility(tmp_path, lambda step: None)[0]
    assert row.round_trip == "differs"
    assert row.stock.startswith("differs by ")


def test_the_page_in_the_documentation_has_the_rows_of_today_and_none_that_failed() -> None:
    text = PAGE.read_text()
    for family in ("sealworld", "sd1", "sdxl", "flux"):
        for dialect in ("diffusers", "kohya"):
            assert f"| {family} | {dialect} | ✓ | ✓ | ✓ | ✓" in text
    assert not [
        line
        for line in text.splitlines()
        if line.startswith("|") and ("differs" in line or "unknown" in line)
    ]
