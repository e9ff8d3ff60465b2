"""The scorecard: a measured verdict on a seal, as a value, a table and a page.

Not for: training (train/ hands its checkpoints in) or drawing (generate/).
"""

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
