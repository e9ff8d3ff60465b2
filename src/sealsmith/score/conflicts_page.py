"""Seals in company as one HTML file: the advice with its proof, the pictures, and every layer's bars.

Not for: measuring (conflicts.py), or comparing weights (inspect/conflict.py).
"""

from collections.abc import Sequence

from ..bases import Base
from ..inspect.conflict import LayerConflict, WeightConflict
from .conflicts import ConflictReport, View
from .report import environment, machine_words


def conflicts_page(base: Base, conflicts: Sequence[WeightConflict], report: ConflictReport | None) -> str:
    """The document; without a report it is about the weights alone."""
    names = report.seals if report else tuple(dict.fromkeys(n for each in conflicts for n in each.seals))
    return (
        environment()
        .get_template("conflicts.html.j2")
        .render(
            base=base,
            names=names,
            conflicts=[(conflict, ranked(conflict), scale_of(conflict)) for conflict in conflicts],
            report=report,
            found_words=lambda view: found_words(names, view),
            **machine_words(),
        )
    )


def found_words(names: Sequence[str], view: View) -> str:
    """Which seals the judge found in a picture."""
    found = [name for name, is_found in zip(names, view.found, strict=True) if is_found]
    return f"found: {', '.join(found)}" if found else "none found"


def ranked(conflict: WeightConflict) -> list[LayerConflict]:
    """The layers, those first in which the two are at each other most."""
    return sorted(conflict.layers, key=lambda layer: -layer.crossed)


def scale_of(conflict: WeightConflict) -> float:
    """The longest bar of a share: the largest of any layer's."""
    return max((max(layer.crossed, *layer.carried) for layer in conflict.layers), default=1.0) or 1.0
