"""The picture set of a training, read as its base and its settings want it.

Not for: reading pictures of which no base is known (pictures.py).
"""

from pathlib import Path

from ..bases import Base
from .config import TrainConfig
from .pictures import PictureSet, read_picture_set


def pictures_for(base: Base, path: Path, config: TrainConfig, strict: bool = False) -> PictureSet:
    """What is taught from `path`: with the class noun of the settings or else the base's; of a logo, pictures as
    large as the base's, and wide ones where it draws such.

    Raises: as `read_picture_set`.
    """
    return read_picture_set(
        path,
        trigger=config.trigger,
        class_noun=config.class_noun or base.family.class_noun,
        strict=strict,
        wide_company=base.family.has_wide,
        logo_px=base.picture_px,
        seed=config.seed,
    )
