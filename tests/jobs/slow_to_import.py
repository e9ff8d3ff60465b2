"""A handler whose module writes down, when it is imported, how many jobs had a worker by then."""

import os
import sqlite3
from pathlib import Path

from sealsmith.jobs import Outcome
from sealsmith.jobs.work import Work

with sqlite3.connect(os.environ["CATALOG_UNDER_TEST"]) as _catalog:
    _running = _catalog.execute("SELECT count(*) FROM jobs WHERE state = 'running'").fetchone()[0]
Path(os.environ["SEEN_UNDER_TEST"]).write_text(f"{_running} running")


def run(work: Work) -> Outcome:
    return Outcome({})
