"""A worker: its jobs end once, whatever happens to their processes and to itself."""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import one_worker
import pytest
from databases import KINDS, database_of
from handlers_under_test import HANDLERS
from living_workers import Workers
from pydantic import SecretStr
from stores import store_beside

from sealsmith.catalog import ArtefactKind, Catalog, open_catalog
from sealsmith.jobs import Job, JobState, Queue
from sealsmith.jobs.worker import Worker, WorkerSettings

NUM_KILLS = 5
PATIENCE_S = 120.0


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    """Of one kind; what workers ask of a database is tested on all kinds in test_queue_of_jobs.py."""
    with database_of("sqlite", tmp_path) as url:
        yield url


@pytest.fixture
def live_catalog(database_url: str, store_url: str) -> Iterator[Catalog]:
    """One whose clock goes, since a job's process has a clock of its own."""
    with open_catalog(database_url, store_url) as opened:
        yield opened


@pytest.fixture
def tenant(live_catalog: Catalog) -> str:
    return live_catalog.tenants.create("maker").id


@pytest.fixture
def worker(live_catalog: Catalog, database_url: str, store_url: str, tmp_path: Path) -> Worker:
    settings = WorkerSettings(tmp_path / "work", poll_s=0.05, beat_s=0.1, progress_s=0.05, grace_s=2.0)
    return Worker(live_catalog, SecretStr(database_url), store_url, settings, HANDLERS)


def done_one(worker: Worker, catalog: Catalog, tenant: str, kind: str, **payload: object) -> Job:
    """A job of that kind after one attempt."""
    job = Queue(catalog).submit(tenant, kind, payload)
    assert worker.run_one()
    return Queue(catalog).get(tenant, job.id)


def until(condition: Callable[[], object]) -> None:
    """Waits until something is so."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < PATIENCE_S, "it never came to that"
        time.sleep(0.01)


def test_a_job_is_done_and_what_it_made_is_its_tenant_s(
    worker: Worker, live_catalog: Catalog, tenant: str, tmp_path: Path
) -> None:
    job = done_one(worker, live_catalog, tenant, "count", total=5)
    assert job.state is JobState.DONE
    assert job.result is not None
    [seal] = live_catalog.seals.page(tenant).items
    assert job.result["seals"] == [{"digest": seal.digest, "base_digest": "b" * 64}]
    assert live_catalog.seals.read(tenant, seal.digest) == b"....."
    for kind in (ArtefactKind.CURVE, ArtefactKind.PREVIEW):
        assert len(live_catalog.artefacts.page(tenant, kind, job=job.id).items) == 1
    events = Queue(live_catalog).events(tenant, job.id)
    assert [event.data["message"] for event in events if event.kind == "note"] == [
        "counting in the job's folder"
    ]
    assert {"started", "artefact", "done"} <= {event.kind.value for event in events}
    assert not (tmp_path / "work" / job.id).exists()
    assert not worker.run_one()


def test_a_lease_begins_when_a_process_can(
    live_catalog: Catalog, tenant: str, database_url: str, store_url: str, tmp_path: Path
) -> None:
    """What a job's process needs may take longer to import than a lease lasts."""
    job = Queue(live_catalog).submit(tenant, "work", {})
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    told = {
        "CATALOG_UNDER_TEST": database_url.removeprefix("sqlite:///"),
        "SEEN_UNDER_TEST": f"{tmp_path / 'seen'}",
    }
    command = [
        sys.executable,
        str(Path(one_worker.__file__)),
        database_url,
        store_url,
        str(tmp_path / "work"),
    ]
    subprocess.run(command, check=True, env={**os.environ, **told, "PYTHONPATH": path})
    assert Queue(live_catalog).get(tenant, job.id).state is JobState.DONE
    assert (tmp_path / "seen").read_text() == "0 running"


@pytest.mark.parametrize(
    ("kind", "state", "sentence"),
    [
        ("die", JobState.QUEUED, "the job's process was ended by SIGKILL, as by a system"),
        ("break_down", JobState.QUEUED, "this should not have happened: RuntimeError: no memory"),
        ("refuse", JobState.FAILED, "pictures holds nothing"),
    ],
)
def test_an_attempt_that_does_not_work_out_says_why(
    worker: Worker, live_catalog: Catalog, tenant: str, kind: str, state: JobState, sentence: str
) -> None:
    job = done_one(worker, live_catalog, tenant, kind)
    assert job.state is state
    assert job.failure is not None
    assert job.failure.message.startswith(sentence)


def test_a_job_whose_process_died_goes_on_where_it_was(
    worker: Worker, live_catalog: Catalog, tenant: str
) -> None:
    job = done_one(worker, live_catalog, tenant, "count", total=5, die_at=3)
    assert job.state is JobState.QUEUED
    until(worker.run_one)
    assert Queue(live_catalog).get(tenant, job.id).result["attempt"] == 2  # type: ignore[index]
    [seal] = live_catalog.seals.page(tenant).items
    assert seal.size_bytes == 5


@pytest.mark.parametrize("kind", ["wait", "ignore"])
def test_a_cancelled_job_is_stopped_in_order_or_by_force(
    worker: Worker, live_catalog: Catalog, tenant: str, tmp_path: Path, kind: str
) -> None:
    queue = Queue(live_catalog)
    job = queue.submit(tenant, kind, {})
    thread = threading.Thread(target=worker.run_one)
    thread.start()
    until(lambda: queue.get(tenant, job.id).progress)
    queue.cancel(tenant, job.id)
    thread.join(PATIENCE_S)
    assert queue.get(tenant, job.id).state is JobState.CANCELLED
    name = "stopped" if kind == "wait" else "ignored"
    assert (tmp_path / "work" / job.id / name).exists()


def test_a_worker_that_is_stopped_gives_its_job_back_and_sweeps_up_the_next_time(
    worker: Worker, live_catalog: Catalog, tenant: str, tmp_path: Path
) -> None:
    queue = Queue(live_catalog)
    job = queue.submit(tenant, "wait", {}, max_attempts=1)
    (tmp_path / "work" / "of nobody").mkdir(parents=True)
    thread = threading.Thread(target=worker.run)
    thread.start()
    until(lambda: queue.get(tenant, job.id).progress)
    worker.stop()
    thread.join(PATIENCE_S)
    given_back = queue.get(tenant, job.id)
    assert (given_back.state, given_back.attempts) == (JobState.QUEUED, 0)
    assert [folder.name for folder in (tmp_path / "work").iterdir()] == [job.id]


@pytest.mark.parametrize("kind", KINDS)
def test_workers_that_are_killed_at_random_moments_do_every_job_once(
    kind: str, s3: str, tmp_path: Path
) -> None:
    with database_of(kind, tmp_path) as url:
        store = store_beside(url, tmp_path)
        with open_catalog(url, store) as catalog:
            kill_and_count(catalog, url, store, tmp_path / "work")


def kill_and_count(live_catalog: Catalog, database_url: str, store_url: str, folder: Path) -> None:
    tenant = live_catalog.tenants.create("maker").id
    queue, chance = Queue(live_catalog), random.Random(0)
    jobs = [queue.submit(tenant, "count", {"total": 30 + n}, max_attempts=99).id for n in range(4)]
    with Workers(database_url, store_url, folder, HANDLERS) as workers:
        for _ in range(NUM_KILLS):
            workers.start()
            time.sleep(chance.uniform(0, 0.4))
            workers.kill()
        workers.start()
        until(lambda: all(queue.get(tenant, job).state.is_last for job in jobs))
    assert [queue.get(tenant, job).state for job in jobs] == [JobState.DONE] * 4
    seals = live_catalog.seals.page(tenant).items
    assert sorted(seal.size_bytes for seal in seals) == [30, 31, 32, 33]
    for job in jobs:
        kinds = [event.kind.value for event in queue.events(tenant, job)]
        assert kinds.count("done") == 1
    live_catalog.verify(repair=True)
    assert live_catalog.verify(deep=True).is_sound
