"""Training: pictures of a seal become a seal file. `loop.py` is the whole story on one screen.

Not for: judging the result (score/, whose verdict is handed in as a callable) or drawing it (generate/).
"""

from .config import TrainConfig
from .loop import TrainResult, train
from .previews import Preview
from .progress import Progress

__all__ = ["Preview", "Progress", "TrainConfig", "TrainResult", "train"]
