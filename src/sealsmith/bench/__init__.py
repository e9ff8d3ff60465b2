"""Benchmarks: how fast this machine does our work, beside stock diffusers doing the same in the same run;
and methods side by side on the same pictures (`matrix.py`), their quality as `score/` measures it.

Not for: tests, which never look at a clock.
"""

from .report import Figure, Report, table
from .speed import SpeedPlan, measure_speed

__all__ = ["Figure", "Report", "SpeedPlan", "measure_speed", "table"]
