"""Benchmarks: how fast this machine does our work, beside stock diffusers doing the same in the same run; how soon
a training arrives where, and thanks to what (`training.py`); our engine beside stock's ways to serve many seals
(`engine_bench.py`); and methods side by side on the same pictures (`matrix.py`), their quality as `score/`
measures it.

Not for: tests, which never look at a clock.
"""

from .engine_bench import EnginePlan, measure_engine
from .engine_plot import engine_plot
from .engine_report import EngineReport, engine_tables
from .report import Figure, Report, table
from .speed import SpeedPlan, measure_speed
from .training import TrainingPlan, measure_training
from .training_plot import training_plot
from .training_report import TrainingReport, training_tables

__all__ = [
    "EnginePlan",
    "EngineReport",
    "Figure",
    "Report",
    "SpeedPlan",
    "TrainingPlan",
    "TrainingReport",
    "engine_plot",
    "engine_tables",
    "measure_engine",
    "measure_speed",
    "measure_training",
    "table",
    "training_plot",
    "training_tables",
]
