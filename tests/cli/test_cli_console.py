"""What commands print is printed as it is, whatever people call their seals."""

import pytest
from rich.table import Table

from sealsmith.cli import console

ODD = "<lora:two:1> [bold]seal[/bold] :fire:"


def test_no_word_becomes_markup_or_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None)
    table.add_column("found")
    table.add_row(ODD)
    console.output.print(table)
    console.output.print(ODD)
    console.note(ODD)
    out, err = capsys.readouterr()
    assert [line.strip() for line in out.splitlines()] == ["found", ODD, ODD]
    assert err == f"{ODD}\n"
