"""Streams of events end with the key that opened them, whatever they are of."""

import time
from collections.abc import Callable

import httpx2
import pytest
from shared import Headers, Shared, prefix_of
from study_examples import judged_seal, kept

from sealsmith.bases import open_base
from sealsmith.jobs import TRAIN, Queue
from sealsmith.jobs.train_payload import TrainPayload

LATEST_S = 60
"""For what takes a second on a machine that is not busy."""


def of_training(shared: Shared, http: httpx2.Client, tenant: str, key: Headers) -> str:
    wanted = TrainPayload(pictures="", name="mine", settings={"trigger": "zwx"})
    return f"/v1/trainings/{Queue(shared.catalog).submit(tenant, TRAIN, wanted.to_dict()).id}/events"


def of_study(shared: Shared, http: httpx2.Client, tenant: str, key: Headers) -> str:
    kept(shared.catalog, tenant, judged_seal(open_base(shared.base)), "mine")
    answer = http.post("/v1/scores", json={"seal": "mine"}, headers=key)
    return f"{answer.headers['location']}/events"


def of_pictures(shared: Shared, http: httpx2.Client, tenant: str, key: Headers) -> str:
    """So many, and so large, that none is done when the key is asked for again."""
    wish = {"prompt": "x", "steps": 150, "n": 16, "width": 256, "height": 256}
    order: str = http.post("/v1/images", json=wish, headers=key).json()["events_url"]
    return order


@pytest.mark.parametrize("opened", [of_training, of_study, of_pictures])
def test_a_stream_ends_when_its_key_is_revoked(
    shared: Shared,
    opened: Callable[[Shared, httpx2.Client, str, Headers], str],
) -> None:
    tenant = shared.tenant(opened.__name__)
    key, other = shared.key(opened.__name__), shared.key(opened.__name__)
    with shared.running.client() as http:
        url = opened(shared, http, tenant, key)
        with http.stream("GET", url, headers=key) as stream:
            lines = stream.iter_lines()
            begins = {"event: queued"}
            if opened is of_pictures:  # of which whoever comes late hears the latest alone
                begins |= {"event: loading", "event: step"}
            assert begins & {next(lines), next(lines)}
            shared.catalog.keys.revoke(prefix_of(key))
            begin = time.monotonic()
            told = list(lines)
            assert time.monotonic() - begin < LATEST_S
        assert not {"event: done", "event: end", "event: cancelled"} & set(told)
        assert http.get(url, headers=key).status_code == 401
        job = url.removesuffix("/events")
        assert http.get(job, headers=other).status_code == 200, "it goes on, only nobody hears of it"
        http.post(f"{job}/cancel", headers=other)
