"""Training: pictures of a seal become a seal file. `loop.py` is the whole story on one screen.

Not for: judging the result (score/, whose verdict is handed in as a callable) or drawing it (generate/).
"""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .config import TrainConfig
    from .loop import TrainResult, train
    from .previews import Preview
    from .progress import Progress

__all__ = ["Preview", "Progress", "TrainConfig", "TrainResult", "train"]

__getattr__ = lazy_names(
    __name__,
    {
        "config": ("TrainConfig",),
        "loop": ("TrainResult", "train"),
        "previews": ("Preview",),
        "progress": ("Progress",),
    },
)
