"""A comparison as one HTML file: the table, and every method's pictures of the same prompts and seeds.

Not for: measuring. A page shows what it is given.
"""

from pathlib import Path

from PIL import Image

from .comparison import Comparison
from .comparison_table import passed, words
from .report import environment, machine_words


def comparison_page(comparison: Comparison, trigger: str) -> str:
    """The document; pictures are read from the cells' folders and inlined.

    Raises: OSError when one of them is gone.
    """
    shown = max((cell.pictures for cell in comparison.cells), key=len, default=())
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            comparison=comparison,
            rows=comparison.rows,
            columns=comparison.columns,
            cells_of={
                row.method: [cell for cell in comparison.cells if cell.method == row.method]
                for row in comparison.rows
            },
            prompts=[picture.prompt for picture in shown],
            trigger=trigger,
            words=words,
            passed=passed,
            opened=_opened,
            **machine_words(),
        )
    )


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")
