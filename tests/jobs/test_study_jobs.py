"""Studies as jobs: what the library finds, once, of seals that the tenant may use, however often it was killed."""

import io
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from databases import database_of
from living_workers import Workers
from PIL import Image
from study_examples import judged_seal, kept

from sealsmith.adapters.seal_file import parse_seal
from sealsmith.bases import open_base
from sealsmith.catalog import ArtefactKind, Catalog, open_catalog
from sealsmith.engine.messages import SealAt
from sealsmith.errors import ConfigError, QuotaError, SealMissingError
from sealsmith.generate import Request
from sealsmith.generate.picture_file import read_recipe
from sealsmith.inspect import before_and_after
from sealsmith.inspect.attention_report import sighting, word_figures
from sealsmith.jobs import (
    STUDIES,
    TRAIN,
    EventKind,
    Job,
    JobState,
    Lease,
    Leases,
    Outcome,
    Queue,
    attention_study,
    conflicts_study,
    score_study,
    sweep_study,
)
from sealsmith.jobs.queue import STUDIES_AT_ONCE, STUDY_PRIORITY
from sealsmith.jobs.study_payload import (
    PAYLOADS,
    AttentionPayload,
    ConflictsPayload,
    ScorePayload,
    StudyPayload,
    SweepPayload,
    parse_study_payload,
)
from sealsmith.jobs.work import Relay, Work
from sealsmith.jobs.worker import HANDLERS
from sealsmith.score import ScoreSettings, load_judge, score_seal
from sealsmith.score.axes import Axis
from sealsmith.score.sweep import sweep

PATIENCE_S = 600.0
NUM_KILLS = 2
QUICK: dict[str, Any] = {"num_prompts": 1, "num_seeds": 1, "num_steps": 1}


@pytest.fixture
def live_catalog(tmp_path: Path, store_url: str) -> Iterator[Catalog]:
    """One whose clock goes."""
    with database_of("sqlite", tmp_path) as url, open_catalog(url, store_url) as opened:
        yield opened


@pytest.fixture
def tenant(live_catalog: Catalog) -> str:
    return live_catalog.tenants.create("maker").id


@pytest.fixture
def seal(live_catalog: Catalog, tenant: str, tiny_base_folder: Path) -> str:
    """Digest of a seal of the tenant's, called mine."""
    return kept(live_catalog, tenant, judged_seal(open_base(str(tiny_base_folder))), "mine")


class Heard(list[tuple[str, Any]]):
    """What a job told its worker."""

    def tell(self, kind: str, what: Any) -> None:
        self.append((kind, what))


def scoring(base: Path, seal: str) -> ScorePayload:
    return ScorePayload(seals=(SealAt(seal),), base=str(base), **QUICK)


def done(
    catalog: Catalog,
    tenant: str,
    kind: str,
    wanted: StudyPayload,
    run: Callable[[Work], Outcome],
    folder: Path,
) -> tuple[Job, Heard]:
    """A study handed in, done here and finished, and what it told on the way."""
    job, heard = Queue(catalog).submit(tenant, kind, wanted.to_dict()), Heard()
    lease = Leases(catalog).claim([kind], "here", 600.0)
    assert lease is not None
    work = Work(lease, folder, (wanted.base,), Relay(heard.tell), catalog)
    Leases(catalog).finish(lease, run(work))
    return Queue(catalog).get(tenant, job.id), heard


def pictures_of(catalog: Catalog, tenant: str, job: Job) -> dict[str, bytes]:
    """The study's files by name."""
    files = catalog.artefacts.page(tenant, ArtefactKind.STUDY, job=job.id, limit=200).items
    assert len({file.name for file in files}) == len(files)
    return {file.name: catalog.artefacts.read(tenant, file.id) for file in files}


def test_a_score_is_the_library_s_with_pictures_before_and_after(
    live_catalog: Catalog, tenant: str, seal: str, tiny_base_folder: Path, tmp_path: Path
) -> None:
    wanted = scoring(tiny_base_folder, seal)
    job, heard = done(live_catalog, tenant, "score", wanted, score_study.run, tmp_path / "work")
    base = open_base(str(tiny_base_folder))
    settings = ScoreSettings.whole(1, 1, num_steps=1)
    card = score_seal(base, parse_seal(live_catalog.seals.read(tenant, seal)), (), settings, load_judge())
    assert job.result is not None
    assert job.result["scorecard"] == card.to_dict()
    assert live_catalog.seals.usable(tenant, seal).scorecard == card.to_dict()
    [pair] = job.result["pairs"]
    files = pictures_of(live_catalog, tenant, job)
    assert set(files) == {"before-1.png", "after-1.png"} == {pair["before"], pair["after"]}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    before, after = (read_recipe(tmp_path / pair[side]) for side in ("before", "after"))
    assert (before.prompt, before.seed) == (after.prompt, after.seed) == (pair["prompt"], pair["seed"])
    assert not before.seals
    assert [use.name for use in after.seals] == ["mine"]
    assert Image.open(io.BytesIO(files["after-1.png"])).tobytes() != (
        Image.open(io.BytesIO(files["before-1.png"])).tobytes()
    )
    progress = [what for kind, what in heard if kind == "progress"]
    assert {what["stage"] for what in progress} == {"scorecard", "before and after"}
    assert all(what["done"] <= what["total"] for what in progress)


def test_attention_is_the_library_s_with_every_word_s_maps(
    live_catalog: Catalog, tenant: str, seal: str, tiny_base_folder: Path, tmp_path: Path
) -> None:
    wanted = AttentionPayload(
        seals=(SealAt(seal, "0.8"),),
        base=str(tiny_base_folder),
        prompt="a red wax seal of sks emblem on wood",
        seed=3,
        num_steps=1,
    )
    job, heard = done(live_catalog, tenant, "attention", wanted, attention_study.run, tmp_path / "work")
    base, alone = open_base(wanted.base), parse_seal(live_catalog.seals.read(tenant, seal))
    request = Request(wanted.prompt, seed=3, num_steps=1)
    seen = sighting(before_and_after(base, request, [(alone, 0.8)]))
    assert job.result is not None
    words = job.result["words"]
    assert [word["word"] for word in words] == list(seen.words)
    assert [word["word"] for word in words if word["is_trigger"]] == ["sks"]
    told = [{side: word[side] for side in ("before", "after")} for word in words]
    assert told == [word_figures(seen, word) for word in seen.words]
    overlays = {f"overlay-{side}-{n}.png" for side in ("before", "after") for n in range(len(words))}
    files = pictures_of(live_catalog, tenant, job)
    assert set(files) == overlays | {"picture-before.png", "picture-after.png"}
    after = Image.open(io.BytesIO(files["picture-after.png"]))
    assert after.tobytes() == seen.maps.after.picture.image.tobytes()
    assert {Image.open(io.BytesIO(data)).size for data in files.values()} == {after.size}
    assert [what["done"] for kind, what in heard if kind == "progress"][-1] == 2


def test_a_sweep_is_the_library_s_with_every_place_s_picture_as_it_comes(
    live_catalog: Catalog, tenant: str, seal: str, tiny_base_folder: Path, tmp_path: Path
) -> None:
    axes = (("strength", (0.5, 1.0)), ("steps", (1.0, 2.0)))
    wanted = SweepPayload(seals=(SealAt(seal),), base=str(tiny_base_folder), axes=axes, num_prompts=1)
    job, _ = done(live_catalog, tenant, "sweep", wanted, sweep_study.run, tmp_path / "work")
    base, alone = open_base(wanted.base), parse_seal(live_catalog.seals.read(tenant, seal))
    x, y = Axis("strength", (0.5, 1.0)), Axis("steps", (1, 2))
    found = sweep(base, alone, x, y, ScoreSettings.of_cell(1), load_judge())
    assert job.result is not None
    cells = job.result["cells"]
    assert [(cell["value"], cell["second_value"]) for cell in cells] == [(0.5, 1), (1, 1), (0.5, 2), (1, 2)]
    assert [cell["figures"] for cell in cells] == [cell.figures for cell in found.cells]
    assert job.result["recommended"]["value"] == found.recommended.strength
    assert job.result["recommended"]["reason"] == found.recommended.reason
    files = pictures_of(live_catalog, tenant, job)
    assert set(files) == {cell["file"] for cell in cells} | {"sheet.png"}
    events = Queue(live_catalog).events(tenant, job.id)
    shown = [event.data["name"] for event in events if event.kind is EventKind.ARTEFACT]
    assert shown == [cell["file"] for cell in cells]


def test_conflicts_are_the_library_s_with_the_pictures_of_each_scene(
    live_catalog: Catalog, tenant: str, seal: str, tiny_base_folder: Path, tmp_path: Path
) -> None:
    base = open_base(str(tiny_base_folder))
    other = kept(live_catalog, tenant, judged_seal(base, "zwx", seed=1), "other")
    wanted = ConflictsPayload(
        seals=(SealAt(seal), SealAt(other)),
        base=str(tiny_base_folder),
        num_prompts=1,
        num_seeds=1,
        num_search=1,
        num_steps=1,
    )
    job, heard = done(live_catalog, tenant, "conflicts", wanted, conflicts_study.run, tmp_path / "work")
    assert job.result is not None
    pictures, [weights] = job.result["pictures"], job.result["weights"]
    assert pictures["seals"] == weights["seals"] == ["mine", "other"]
    assert pictures["advice"]
    advised, gain = job.result["advised"], pictures["gain"]
    assert advised["is_better"] == pictures["advice"].startswith("use ")
    assert not (advised["is_sure"] and gain["ci"][0] <= 0 and pictures["likeness_gain"]["ci"][0] <= 0)
    way = pictures["after" if advised["is_better"] else "before"]
    assert (advised["mix"], advised["guidance"]) == (way["mix"], way["guidance"])
    assert [use["name"] for use in advised["seals"]] == [seal, other]
    tags = [
        f"<lora:{name}:{use['strength']}>"
        for name, use in zip(("mine", "other"), advised["seals"], strict=True)
    ]
    assert tags == way["strengths"]
    files = pictures_of(live_catalog, tenant, job)
    [whole] = json.loads(files.pop("weights.json"))
    assert len(weights["layers"]) == min(len(whole["layers"]), conflicts_study.NUM_WORST)
    worst = sorted(whole["layers"], key=lambda layer: -layer["crossed"])
    assert weights["layers"] == worst[: conflicts_study.NUM_WORST]
    views = [view for scene in job.result["scenes"] for view in scene["views"]]
    assert {view["file"] for view in views} == set(files)
    assert {"mine alone", "other alone", "together"} <= {view["what"] for view in views}
    stages = [what["stage"] for kind, what in heard if kind == "progress"]
    assert {"mine alone", "other alone", "together", "searching"} <= set(stages)


def test_a_seal_is_studied_by_those_alone_who_may_use_it_when_the_work_begins(
    live_catalog: Catalog, tenant: str, seal: str, tiny_base_folder: Path, tmp_path: Path
) -> None:
    guest = live_catalog.tenants.create("guest").id
    base_digest = live_catalog.seals.usable(tenant, seal).base_digest
    wanted = scoring(tiny_base_folder, seal)
    with pytest.raises(SealMissingError, match="there is no seal"):
        done(live_catalog, guest, "score", wanted, score_study.run, tmp_path / "a")
    live_catalog.seals.grant(tenant, seal, base_digest, guest)
    [left] = Queue(live_catalog).page(guest, STUDIES).items
    Queue(live_catalog).cancel(guest, left.id)
    job, _ = done(live_catalog, guest, "score", wanted, score_study.run, tmp_path / "b")
    assert job.state is JobState.DONE
    assert live_catalog.seals.usable(tenant, seal).scorecard is None, "the owner's card is the owner's"
    live_catalog.seals.ungrant(tenant, seal, base_digest, guest)
    with pytest.raises(SealMissingError, match="there is no seal"):
        done(live_catalog, guest, "score", wanted, score_study.run, tmp_path / "c")


def until(condition: Callable[[], bool]) -> None:
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < PATIENCE_S, "it never came to that"
        time.sleep(0.01)


def has_gone_on(queue: Queue, tenant: str, job: str, num_events: int) -> Callable[[], bool]:
    """Whether so many events more have happened than until now, or all that can."""
    wanted = len(queue.events(tenant, job)) + num_events
    return lambda: len(queue.events(tenant, job)) >= wanted or queue.get(tenant, job).state.is_last


def test_a_killed_worker_s_study_is_done_again_and_ends_once(
    live_catalog: Catalog, tenant: str, seal: str, tiny_base_folder: Path, store_url: str, tmp_path: Path
) -> None:
    queue, chance = Queue(live_catalog), random.Random(1)
    wanted = scoring(tiny_base_folder, seal)
    job = queue.submit(tenant, "score", wanted.to_dict(), max_attempts=99).id
    database = f"sqlite:///{tmp_path / 'catalog.db'}"
    with Workers(database, store_url, tmp_path / "work", HANDLERS, (wanted.base,)) as workers:
        for _ in range(NUM_KILLS):
            workers.start()
            until(has_gone_on(queue, tenant, job, chance.randrange(2, 4)))
            workers.kill()
        workers.start()
        until(lambda: queue.get(tenant, job).state.is_last)
    finished = queue.get(tenant, job)
    assert finished.state is JobState.DONE, finished.failure
    assert finished.attempts > 1
    assert [event.kind.value for event in queue.events(tenant, job)].count("done") == 1
    undisturbed, _ = done(live_catalog, tenant, "score", wanted, score_study.run, tmp_path / "undisturbed")
    results = [each.result or {} for each in (finished, undisturbed)]
    assert results[0]["scorecard"] == results[1]["scorecard"]
    assert pictures_of(live_catalog, tenant, finished) == pictures_of(live_catalog, tenant, undisturbed)
    live_catalog.verify(repair=True)
    assert live_catalog.verify(deep=True).is_sound


def test_studies_are_bounded_by_themselves_and_wait_for_trainings(live_catalog: Catalog, tenant: str) -> None:
    queue = Queue(live_catalog)
    study = {"seals": []}
    first = [queue.submit(tenant, STUDIES[0], study, priority=STUDY_PRIORITY) for _ in range(STUDIES_AT_ONCE)]
    with pytest.raises(QuotaError, match=f"{STUDIES_AT_ONCE} studies are waiting"):
        queue.submit(tenant, STUDIES[-1], study)
    training = queue.submit(tenant, TRAIN, {})
    claimed = [Leases(live_catalog).claim(HANDLERS, "here", 600.0) for _ in range(2)]
    assert [lease.job.id for lease in claimed if lease] == [training.id, first[0].id]
    queue.cancel(tenant, first[1].id)
    queue.submit(tenant, STUDIES[-1], study)
    with pytest.raises(QuotaError, match="studies"):
        queue.resume(tenant, first[1].id)


@pytest.mark.parametrize("kind", STUDIES)
def test_a_payload_says_what_is_wrong_with_it(kind: str) -> None:
    with pytest.raises(ConfigError, match="unknown field `colour`"):
        parse_study_payload(kind, {"seals": [{"digest": "0" * 64}], "colour": "red"})


def test_every_kind_of_study_has_a_payload_and_a_handler() -> None:
    assert set(PAYLOADS) == set(STUDIES) <= set(HANDLERS)


def test_a_study_on_a_base_that_is_not_here_is_refused(
    live_catalog: Catalog, tenant: str, seal: str, tiny_base_folder: Path, tmp_path: Path
) -> None:
    wanted = scoring(tiny_base_folder, seal)
    job = Queue(live_catalog).submit(tenant, "score", {**wanted.to_dict(), "base": "/etc"})
    work = Work(Lease(job, 1, 600.0), tmp_path / "w", (wanted.base,), Relay(Heard().tell), live_catalog)
    with pytest.raises(ConfigError, match="there is no base '/etc' here"):
        score_study.run(work)
