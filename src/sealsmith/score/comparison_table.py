"""A comparison in words: its table in Markdown, and single figures as tables have them."""

from .comparison import Comparison, Measured, Row
from .comparison_columns import Column


def markdown(comparison: Comparison) -> str:
    """The table, what its columns mean, and what failed, in Markdown."""
    notes = [f"`{row.method}`, {note}" for row in comparison.rows for note in row.notes]
    lines = [*table(comparison), "", *column_meanings(comparison)]
    lines += ["", *(f"- {note}" for note in (*notes, *comparison.notes))] if notes or comparison.notes else []
    return "\n".join(lines) + "\n"


def table(comparison: Comparison) -> list[str]:
    """The lines of the table alone."""
    columns = comparison.columns
    lines = ["| method | passed | " + " | ".join(column.name for column in columns) + " |"]
    lines.append("| --- | --- |" + " ---: |" * len(columns))
    for row in comparison.rows:
        figures = (words(column, row.figures[column.key]) for column in columns)
        lines.append(f"| `{row.method}` | {passed(row)} | " + " | ".join(figures) + " |")
    return lines


def column_meanings(comparison: Comparison) -> list[str]:
    """A line for each column."""
    return [f"- {column.name}: {column.meaning}" for column in comparison.columns]


def words(column: Column, figure: Measured) -> str:
    """A figure as the table has it: "94 % (88 % – 98 %)"; a dash where nothing was measured."""
    if figure.value is None:
        return "–"
    value = column.words(figure.value)
    if figure.ci is None or figure.ci[0] == figure.ci[1]:
        return value
    return f"{value} ({column.words(figure.ci[0])} – {column.words(figure.ci[1])})"


def passed(row: Row) -> str:
    return f"{row.num_passed} of {row.num_cells}"
