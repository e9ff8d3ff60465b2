"""The scorecard: a measured verdict on a seal, as a value, a table and a page.

Not for: training (train/ hands its checkpoints in) or drawing (generate/).
"""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .judge import Judge, LoadedJudge, load_judge
    from .judges import judge_of
    from .measure import Shot, Sight, reference_embedding
    from .prompts import Context, unseen_contexts
    from .record import record_reference, record_scorecard
    from .report import DemoStory, best_shots, demo_page, score_page
    from .scorecard import Adherence, Bleeding, Drift, Fidelity, Leak, Margin, Scorecard
    from .scoring import score_seal
    from .settings import ScoreSettings
    from .tables import scorecard_table

__all__ = [
    "Adherence",
    "Bleeding",
    "Context",
    "DemoStory",
    "Drift",
    "Fidelity",
    "Judge",
    "Leak",
    "LoadedJudge",
    "Margin",
    "ScoreSettings",
    "Scorecard",
    "Shot",
    "Sight",
    "best_shots",
    "demo_page",
    "judge_of",
    "load_judge",
    "record_reference",
    "record_scorecard",
    "reference_embedding",
    "score_page",
    "score_seal",
    "scorecard_table",
    "unseen_contexts",
]

__getattr__ = lazy_names(
    __name__,
    {
        "judge": ("Judge", "LoadedJudge", "load_judge"),
        "judges": ("judge_of",),
        "measure": ("Shot", "Sight", "reference_embedding"),
        "prompts": ("Context", "unseen_contexts"),
        "record": ("record_reference", "record_scorecard"),
        "report": ("DemoStory", "best_shots", "demo_page", "score_page"),
        "scorecard": ("Adherence", "Bleeding", "Drift", "Fidelity", "Leak", "Margin", "Scorecard"),
        "scoring": ("score_seal",),
        "settings": ("ScoreSettings",),
        "tables": ("scorecard_table",),
    },
)
