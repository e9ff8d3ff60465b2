"""The job `train`: the seal and its scorecard in the catalog, once, the same bytes however often it was killed."""

import io
import json
import os
import random
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from databases import database_of
from judge_examples import random_judge
from living_workers import Workers
from PIL import Image

from sealsmith.adapters import parse_seal
from sealsmith.bases import FAMILIES
from sealsmith.catalog import ArtefactKind, Catalog, NewArtefact, Quota, open_catalog
from sealsmith.errors import Cancelled, ConfigError, MissingError
from sealsmith.jobs import Event, EventKind, Job, JobState, Lease, Leases, Outcome, Queue
from sealsmith.jobs.train_payload import DEFAULTS, SETTINGS, TrainPayload, parse_train_payload
from sealsmith.jobs.training import config_of, run
from sealsmith.jobs.work import Relay, Work
from sealsmith.jobs.worker import HANDLERS
from sealsmith.train import TrainConfig

NUM_KILLS = int(os.environ.get("KILLS", "5"))
"""Of workers at work; `make kill-workers` has many more."""
NUM_TRAININGS = max(2, NUM_KILLS // 12)
"""At the beginning; where they end before all kills are done, there are more."""
PATIENCE_S = 240.0
NUM_STEPS, CHECKPOINT_EVERY = 12, 2
QUICK = {
    "rank": 2,
    "targets": ["attention"],
    "num_steps": NUM_STEPS,
    "checkpoint_every": CHECKPOINT_EVERY,
    "trigger": "zwx",
}


@pytest.fixture
def live_catalog(tmp_path: Path, store_url: str) -> Iterator[Catalog]:
    """One whose clock goes. What jobs do to databases is tested on all kinds; here a training is."""
    with (
        database_of("sqlite", tmp_path) as url,
        open_catalog(url, store_url) as opened,
    ):
        yield opened


@pytest.fixture
def tenant(live_catalog: Catalog) -> str:
    return live_catalog.tenants.create("maker", Quota(trainings_at_once=NUM_TRAININGS + 9)).id


@pytest.fixture
def upload(live_catalog: Catalog, tenant: str) -> str:
    """Id of a zip of two pictures."""
    rng, packed = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number, surface in enumerate(("wood", "sand")):
            picture = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(picture, "PNG")
            archive.writestr(f"{number}.png", picture.getvalue())
            archive.writestr(f"{number}.txt", f"a red wax seal of [trigger] emblem on {surface}")
    new = NewArtefact(ArtefactKind.UPLOAD, packed.getvalue(), "application/zip", "My Pictures.ZIP")
    return live_catalog.artefacts.add(tenant, new).id


class Told(list[str]):
    """Notes a job told its tenant."""

    def tell(self, kind: str, what: object) -> None:
        if kind == "note":
            self.append(str(what))


def work_of(catalog: Catalog, job: Job, base: Path, folder: Path) -> Work:
    return Work(Lease(job, 1, 600.0), folder, (str(base),), Relay(Told().tell), catalog)


def payload(upload: str, base: Path, **settings: object) -> dict[str, object]:
    return TrainPayload(pictures=upload, base=str(base), is_scored=False, settings=QUICK | settings).to_dict()


def until(condition: Callable[[], bool]) -> None:
    """Waits until it is so."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < PATIENCE_S, "it never came to that"
        time.sleep(0.01)


def are_ended(queue: Queue, tenant: str, jobs: list[str]) -> bool:
    return all(queue.get(tenant, job).state.is_last for job in jobs)


def has_gone_on(queue: Queue, tenant: str, jobs: list[str], num_events: int) -> Callable[[], bool]:
    """Whether so many events more have happened than until now, or all that can."""

    def now() -> int:
        return sum(len(queue.events(tenant, job)) for job in jobs)

    wanted = now() + num_events
    return lambda: now() >= wanted or are_ended(queue, tenant, jobs)


def num_interrupted(queue: Queue, tenant: str, jobs: list[str]) -> int:
    """Attempts that were found broken off."""
    told = [event.kind for job in jobs for event in queue.events(tenant, job)]
    return told.count(EventKind.INTERRUPTED)


def step_of(job: Job) -> int:
    """How many steps of the training are known to be done."""
    progress = job.progress or {}
    return progress["done"] if progress.get("stage") == "training" else 0


def first_step_after(num_starts: int, events: tuple[Event, ...]) -> int:
    """Where the training went on in the attempt after so many."""
    starts = [event.number for event in events if event.kind is EventKind.STARTED]
    later = [event for event in events if event.number > starts[num_starts]]
    return next(event.data["done"] for event in later if event.data.get("stage") == "training")


def test_workers_killed_at_random_moments_train_every_seal_once_and_to_the_same_bytes(
    live_catalog: Catalog, tenant: str, upload: str, tiny_base_folder: Path, store_url: str, tmp_path: Path
) -> None:
    queue, chance = Queue(live_catalog), random.Random(1)

    def hand_in(seed: int) -> str:
        return queue.submit(tenant, "train", payload(upload, tiny_base_folder, seed=seed), max_attempts=99).id

    jobs = [hand_in(seed) for seed in range(NUM_TRAININGS)]
    bases = (str(tiny_base_folder),)
    database = f"sqlite:///{tmp_path / 'catalog.db'}"
    with Workers(database, store_url, tmp_path / "work", HANDLERS, bases) as workers:
        workers.start()
        until(lambda: step_of(queue.get(tenant, jobs[0])) > CHECKPOINT_EVERY)
        workers.kill()  # the first time where a checkpoint is there for sure
        while (
            num_interrupted(queue, tenant, jobs) < NUM_KILLS - 1
        ):  # the last one is noted by the next worker
            if are_ended(queue, tenant, jobs):
                jobs.append(hand_in(len(jobs)))
            workers.start()
            until(has_gone_on(queue, tenant, jobs, chance.randrange(2, 12)))
            time.sleep(chance.uniform(0, 0.02))
            workers.kill()
        workers.start()
        for job in jobs:
            until(lambda job=job: queue.get(tenant, job).state.is_last)  # type: ignore[misc]
    assert num_interrupted(queue, tenant, jobs) >= NUM_KILLS - 1
    assert first_step_after(1, queue.events(tenant, jobs[0])) >= CHECKPOINT_EVERY
    for job in jobs:
        done = queue.get(tenant, job)
        assert done.state is JobState.DONE, done.failure
        assert done.result is not None
        [made] = done.result["seals"]
        undisturbed = run(work_of(live_catalog, done, tiny_base_folder, tmp_path / "undisturbed" / job))
        assert live_catalog.seals.read(tenant, made["digest"]) == undisturbed.seals[0].data
        assert [event.kind.value for event in queue.events(tenant, job)].count("done") == 1
        [curve] = live_catalog.artefacts.page(tenant, ArtefactKind.CURVE, job=job).items
        rows = live_catalog.artefacts.read(tenant, curve.id).decode().splitlines()
        assert [json.loads(row)["step"] for row in rows] == list(range(1, NUM_STEPS + 1))
    assert len(live_catalog.seals.page(tenant, limit=200).items) == len(jobs)
    live_catalog.verify(repair=True)
    assert live_catalog.verify(deep=True).is_sound


@pytest.fixture
def quick_family(monkeypatch: pytest.MonkeyPatch) -> None:
    """The family the tiny base belongs to, drawing in one step and judged by random weights."""
    from sealsmith.score import judges

    monkeypatch.setitem(judges.JUDGES, "sealworld", random_judge)
    monkeypatch.setitem(FAMILIES, "sealworld", replace(FAMILIES["sealworld"], num_steps=1))


def finished(catalog: Catalog, tenant: str, wanted: dict[str, object], base: Path, folder: Path) -> Job:
    """A training handed in, done here and finished."""
    job = Queue(catalog).submit(tenant, "train", wanted)
    lease = Leases(catalog).claim(["train"], "here", 600.0)
    assert lease is not None
    work = replace(work_of(catalog, job, base, folder), lease=lease)
    Leases(catalog).finish(lease, run(work))
    return Queue(catalog).get(tenant, job.id)


@pytest.mark.usefixtures("quick_family")
def test_a_scored_training_puts_seal_scorecard_previews_and_curve_into_the_catalog(
    live_catalog: Catalog, tenant: str, upload: str, tiny_base_folder: Path, tmp_path: Path
) -> None:
    wanted = payload(upload, tiny_base_folder, num_steps=2, preview_every=1, num_checkpoints_scored=1)
    job = finished(
        live_catalog,
        tenant,
        wanted | {"is_scored": True, "name": "my lion"},
        tiny_base_folder,
        tmp_path / "work",
    )
    [record] = live_catalog.seals.page(tenant, "lion").items
    seal = parse_seal(live_catalog.seals.read(tenant, record.digest))
    assert record.scorecard == seal.header.scorecard
    assert record.verdict in ("pass", "fail")
    assert job.result is not None
    assert job.result["verdict"] == record.verdict
    assert job.result["chosen_step"] == 2
    assert list(job.result["scores"]) == ["2"]
    assert (record.trigger, record.family, record.base_digest) == (
        "zwx",
        "sealworld",
        seal.header.base_digest,
    )
    assert seal.header.created == job.created.isoformat(timespec="seconds")
    assert live_catalog.seals.thumbnail(tenant, record.digest).startswith("data:image/jpeg;base64,")
    previews = live_catalog.artefacts.page(tenant, ArtefactKind.PREVIEW, job=job.id).items
    assert sorted(preview.about["step"] for preview in previews) == [1, 1, 2, 2]
    assert [event.kind.value for event in Queue(live_catalog).events(tenant, job.id)].count("artefact") == 4


def test_a_cancelled_training_goes_on_from_where_it_was_saved(
    live_catalog: Catalog, tenant: str, upload: str, tiny_base_folder: Path, tmp_path: Path
) -> None:
    job = Queue(live_catalog).submit(tenant, "train", payload(upload, tiny_base_folder))
    work = work_of(live_catalog, job, tiny_base_folder, tmp_path / "work")
    steps: list[int] = []

    def press_ctrl_c(kind: str, what: object) -> None:
        if kind == "progress" and isinstance(what, dict) and what["stage"] == "training":
            steps.append(what["done"])
            if steps == [0, 1, 2, 3]:
                raise KeyboardInterrupt

    disturbed = replace(work, progress=Relay(press_ctrl_c))
    with pytest.raises(Cancelled, match=f"stopped after step 3 of {NUM_STEPS}"):
        run(disturbed)
    resumed: Outcome = run(disturbed)
    assert steps == [0, 1, 2, 3, *range(3, NUM_STEPS + 1)]
    whole = run(replace(work, folder=tmp_path / "whole"))
    assert resumed.seals == whole.seals


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"base": "/etc"}, "there is no base '/etc' here"),
        ({"settings": {"rank": "four"}}, "rank is 'four'"),
        ({"settings": {"rank": 0}}, "rank is 0"),
        ({"settings": {"ranks": 4}}, "a training has no setting 'ranks'"),
        ({"colour": "red"}, "the training asked for is not one"),
    ],
)
def test_a_training_that_cannot_be_is_refused_before_any_work(
    live_catalog: Catalog,
    tenant: str,
    tiny_base_folder: Path,
    tmp_path: Path,
    wrong: dict[str, object],
    sentence: str,
) -> None:
    asked = {"pictures": "0" * 32, "base": str(tiny_base_folder)} | wrong
    job = Queue(live_catalog).submit(tenant, "train", asked)
    with pytest.raises(ConfigError, match=sentence):
        run(work_of(live_catalog, job, tiny_base_folder, tmp_path / "work"))


def test_pictures_are_the_tenant_s_own_and_of_a_kind_that_is_read(
    live_catalog: Catalog, tenant: str, upload: str, tiny_base_folder: Path, tmp_path: Path
) -> None:
    other = live_catalog.tenants.create("other").id
    job = Queue(live_catalog).submit(other, "train", payload(upload, tiny_base_folder))
    with pytest.raises(MissingError, match="there is no file"):
        run(work_of(live_catalog, job, tiny_base_folder, tmp_path / "work"))
    script = live_catalog.artefacts.add(
        tenant, NewArtefact(ArtefactKind.UPLOAD, b"x", "text/plain", "../a.sh")
    )
    job = Queue(live_catalog).submit(tenant, "train", payload(script.id, tiny_base_folder))
    with pytest.raises(ConfigError, match=r"'../a.sh' is no picture set"):
        run(work_of(live_catalog, job, tiny_base_folder, tmp_path / "work"))


def test_the_settings_of_a_payload_are_the_training_s() -> None:
    assert {field.name for field in fields(TrainConfig)} == SETTINGS
    assert {name: getattr(TrainConfig(), name) for name in DEFAULTS} == DEFAULTS
    asked = parse_train_payload({"pictures": "0" * 32, "settings": {**QUICK, "learning_rate": 1}})
    assert config_of(asked) == TrainConfig(
        rank=2,
        targets=("attention",),
        num_steps=NUM_STEPS,
        checkpoint_every=CHECKPOINT_EVERY,
        trigger="zwx",
        learning_rate=1,
    )


def test_a_training_computes_where_its_worker_does(
    live_catalog: Catalog, tenant: str, upload: str, tiny_base_folder: Path, tmp_path: Path
) -> None:
    job = Queue(live_catalog).submit(tenant, "train", payload(upload, tiny_base_folder))
    work = replace(work_of(live_catalog, job, tiny_base_folder, tmp_path / "work"), device="nowhere")
    with pytest.raises(ConfigError, match="nowhere"):
        run(work)
