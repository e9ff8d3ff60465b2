"""The emblems that benchmarks teach: drawn for it, known to no base, each with strokes inside its outline."""

from pathlib import Path

from ..bases import Base
from ..train import TrainConfig
from ..train.pictures import PictureSet, read_picture_set

_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><path fill-rule="evenodd" d="{}"/></svg>'
)
EMBLEMS = {
    "peak": "M50 4 96 84H4Z M50 34 30 70H70Z",
    "gate": "M8 8H92V92H70V48H30V92H8Z M24 20H44V34H24Z M56 20H76V34H56Z M42 60H58V92H42Z",
    "spark": "M50 2 60 38 98 50 60 62 50 98 40 62 2 50 40 38Z M50 41 41 50 50 59 59 50Z "
    "M8 8H24V24H8Z M76 76H92V92H76Z",
}
"""By name: the outline, in a square of 100."""


def emblem_pictures(name: str, base: Base, folder: Path) -> PictureSet:
    """The pictures that `sealsmith train` makes of one of EMBLEMS; its SVG file is left in `folder`."""
    logo = folder / f"{name}.svg"
    logo.write_text(_SVG.format(EMBLEMS[name]))
    noun = base.family.class_noun
    return read_picture_set(logo, trigger=TrainConfig.trigger, class_noun=noun, logo_px=base.picture_px)
