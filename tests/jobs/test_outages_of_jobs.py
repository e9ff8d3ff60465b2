"""A worker outlives what it stands on: the job at hand is done once, whatever was gone while it was."""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from databases import database_of
from gates import Gate, gate_before
from handlers_under_test import HANDLERS
from pydantic import SecretStr
from stores import s3_environment, s3_folder

from sealsmith.catalog import Catalog, open_catalog
from sealsmith.jobs import JobState, Queue
from sealsmith.jobs.worker import Worker, WorkerSettings

PATIENCE_S = 240.0
LEASE_S = 4.0


@contextmanager
def at_work(worker: Worker) -> Iterator[None]:
    thread = threading.Thread(target=worker.run, name="worker")
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(PATIENCE_S)


def until(condition: Callable[[], object]) -> None:
    """Waits until something is so."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < PATIENCE_S, "it never came to that"
        time.sleep(0.05)


def job_processes() -> list[psutil.Process]:
    """Those that live."""
    return [
        child for child in psutil.Process().children() if any("spawn_main" in word for word in words(child))
    ]


def words(process: psutil.Process) -> list[str]:
    """How it was begun; nothing for one that has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def rides_out(gate: Gate, worker: Worker, direct: Catalog, folder: Path) -> bool:
    """Whether a job that ends while the gate is shut is done once, and its seal there, after it has opened."""
    tenant, queue = direct.tenants.create("maker").id, Queue(direct)
    with at_work(worker):
        job = queue.submit(tenant, "till_told", {}, max_attempts=99)
        until(lambda: queue.get(tenant, job.id).progress)
        gate.shut()
        (folder / job.id / "go").touch()
        until(lambda: not job_processes())  # it came to its end in vain
        gate.open()
        until(lambda: queue.get(tenant, job.id).state.is_last)
        done = queue.get(tenant, job.id)
        assert done.state is JobState.DONE, done.failure
        after = queue.submit(tenant, "count", {"total": 3})
        until(lambda: queue.get(tenant, after.id).state is JobState.DONE)
    assert done.attempts > 1
    assert [event.kind.value for event in queue.events(tenant, job.id)].count("done") == 1
    assert {seal.size_bytes for seal in direct.seals.page(tenant).items} == {3, 4}
    direct.verify(repair=True)
    return direct.verify(deep=True).is_sound


@pytest.mark.parametrize("gone", ["database", "store"])
def test_a_job_that_ends_during_an_outage_is_done_after_it(
    gone: str, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "work"
    settings = WorkerSettings(work, lease_s=LEASE_S, poll_s=0.1, beat_s=0.2, progress_s=0.05)
    with (
        database_of("postgresql", tmp_path) as url,
        gate_before(url) as (database, guarded_url),
        gate_before(s3) as (store, guarded_s3),
        open_catalog(url, address := s3_folder()) as direct,
    ):
        for name, value in s3_environment(guarded_s3).items():
            monkeypatch.setenv(name, value)
        with open_catalog(guarded_url, address) as catalog:
            # begun anew, with the environment of now
            begun = multiprocessing.get_context("spawn")
            worker = Worker(catalog, SecretStr(guarded_url), address, settings, HANDLERS, begun)
            assert rides_out({"database": database, "store": store}[gone], worker, direct, work)
