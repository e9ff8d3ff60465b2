"""What the cells of the ablation say together: a row a variant, and what each differs by from the default.

Pure functions of cells as `world.ablation` keeps them. Observations of one glyph are of the same prompts and seeds
in every variant, in the same order, so differences are taken picture by picture.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sealsmith.score.statistics import Interval, mean, nested_interval

NUM_RESAMPLES, SEED = 2000, 7000
DEFAULT = "default"
BLEEDING = ("bleeding, class noun", "bleeding, rare words", "bleeding, named")
SHARES = ("fidelity", "adherence", "leak")
FIGURES = ("fidelity", "likeness", "adherence", "leak", *BLEEDING, "drift", "margin")
COMPARED: Mapping[str, tuple[str, ...]] = {
    "likeness": ("likeness",),
    "leak": ("leak",),
    "bleeding": BLEEDING,
    "drift": ("drift",),
    "margin": ("margin",),
}
"""What the second table compares -> the figures whose pictures it is of."""

Cell = Mapping[str, Any]
Run = list[tuple[str, float]]
"""One cell's (prompt, value) of a figure."""


def markdown(cells: Sequence[Cell], names: Sequence[str]) -> str:
    """Both tables; `names` are the variants in their order, and those without a cell are left out."""
    of = {name: {cell["glyph"]: cell for cell in cells if cell["variant"] == name} for name in names}
    measured = {name: done for name in names if (done := _measured(of[name]))}
    lines = [f"| variant | glyphs | {' | '.join(FIGURES)} |", "| --- " + "| ---: " * (len(FIGURES) + 1) + "|"]
    for name, done in measured.items():
        figures = (_mean_words(done, figure) for figure in FIGURES)
        lines.append(f"| {name} | {len(done)} | {' | '.join(figures)} |")
    lines += [
        "",
        f"| less the default | {' | '.join(COMPARED)} |",
        "| --- " + "| ---: " * len(COMPARED) + "|",
    ]
    for name, done in measured.items():
        if name != DEFAULT and (shared := [glyph for glyph in done if glyph in measured.get(DEFAULT, {})]):
            falls = (_difference(done, measured[DEFAULT], shared, figures) for figures in COMPARED.values())
            lines.append(f"| {name} | {' | '.join(falls)} |")
    failed = [
        f"- {cell['variant']}, {cell['glyph']}: {cell['failure']}" for cell in cells if "failure" in cell
    ]
    return "\n".join([*lines, *([""] if failed else []), *failed])


def difference(runs: Sequence[Run], defaults: Sequence[Run]) -> tuple[float, Interval]:
    """The mean difference, picture by picture, and its 95 % interval over glyphs and prompts.

    Raises: ValueError where the runs are not of the same prompts.
    """
    paired: list[Run] = []
    for run, default in zip(runs, defaults, strict=True):
        if [prompt for prompt, _ in run] != [prompt for prompt, _ in default]:
            raise ValueError("the cells are of different prompts")
        paired.append([(prompt, a - b) for (prompt, a), (_, b) in zip(run, default, strict=True)])
    values = [value for run in paired for _, value in run]
    return mean(values), nested_interval(paired, NUM_RESAMPLES, SEED)


def _measured(cells: Mapping[str, Cell]) -> dict[str, Cell]:
    return {glyph: cell for glyph, cell in cells.items() if "failure" not in cell}


def _runs(cells: Mapping[str, Cell], figures: Sequence[str]) -> list[Run]:
    """A run a glyph: all pictures of these figures."""
    return [
        [(prompt, value) for figure in figures for prompt, value in cell["observations"][figure]]
        for cell in cells.values()
    ]


def _difference(
    done: Mapping[str, Cell], default: Mapping[str, Cell], glyphs: Sequence[str], figures: Sequence[str]
) -> str:
    """In words, bold where the interval leaves 0 out."""
    mine, theirs = ({glyph: cells[glyph] for glyph in glyphs} for cells in (done, default))
    value, (low, high) = difference(_runs(mine, figures), _runs(theirs, figures))
    words = f"{value:+.3f} ({low:+.3f} – {high:+.3f})"
    return f"**{words}**" if low > 0 or high < 0 else words


def _mean_words(cells: Mapping[str, Cell], figure: str) -> str:
    value = mean([value for run in _runs(cells, (figure,)) for _, value in run])
    return f"{value:.0%}".replace("%", " %") if figure in SHARES else f"{value:+.3f}"
