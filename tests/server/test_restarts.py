"""The API killed under load and started again: no training that was accepted is lost, and none is there twice."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx2
import numpy as np
import psutil
import pytest
from PIL import Image

from sealsmith.catalog import ArtefactKind, Catalog, Quota, Scope, open_catalog
from sealsmith.catalog.places import places
from sealsmith.jobs import JobState, Queue

NUM_LIVES = 2
"""Of the API; each ends by SIGKILL."""
A_LIFE = 6
"""Trainings that are accepted before the next kill."""
NUM_CLIENTS = 3
PATIENCE_S = 280.0


def a_free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def pictures() -> bytes:
    """A zip of one."""
    packed, picture = io.BytesIO(), io.BytesIO()
    levels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(levels).save(picture, "PNG")
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("0.png", picture.getvalue())
        archive.writestr("0.txt", "a red wax seal of [trigger] emblem on wood")
    return packed.getvalue()


class Clients:
    """They hand in one training after the other, and note which were accepted, whatever becomes of the server."""

    def __init__(self, url: str, key: str):
        self._url, self._headers = url, {"authorization": f"Bearer {key}"}
        self._data, self._ending = pictures(), threading.Event()
        self.accepted: dict[str, str] = {}
        """Id by name."""
        self.refused: list[str] = []
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(NUM_CLIENTS)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, client: int) -> None:
        with httpx2.Client(base_url=self._url, headers=self._headers, timeout=60) as http:
            self._ask_on(http, client)

    def _ask_on(self, http: httpx2.Client, client: int) -> None:
        number = 0
        while not self._ending.is_set():
            name, number = f"mark-{client}-{number}", number + 1
            fields = {
                "trigger": "zwx",
                "name": name,
                "is_scored": "false",
                "settings": json.dumps({"rank": 2}),
            }
            try:
                answer = http.post("/v1/trainings", files={"file": ("x.zip", self._data)}, data=fields)
            except httpx2.TransportError:
                self._ending.wait(0.1)
                continue
            if answer.status_code == 202:
                self.accepted[name] = answer.json()["id"]
            else:
                self.refused.append(answer.text)


def until(condition: Callable[[], object]) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < PATIENCE_S, "it never came to that"
        time.sleep(0.05)


@pytest.mark.timeout(900)
def test_no_training_that_was_accepted_is_lost_when_the_api_is_killed(
    tiny_base_folder: Path, tmp_path: Path
) -> None:
    where, port = places(tmp_path), a_free_port()
    command = [
        sys.executable,
        "-P",
        "-m",
        "sealsmith",
        "serve",
        "--base",
        str(tiny_base_folder),
        "--workers",
        "0",
    ]
    command += ["--data", str(tmp_path), "--port", str(port)]
    with open_catalog(where.database, where.store) as catalog:
        maker = catalog.tenants.create("maker", Quota(trainings_at_once=10_000)).id
        key = catalog.keys.create(maker, [Scope.TRAIN]).token.get_secret_value()
        clients = Clients(f"http://127.0.0.1:{port}", key)
        try:
            for life in range(NUM_LIVES):
                live_and_die(command, lambda life=life: len(clients.accepted) >= (life + 1) * A_LIFE)  # type: ignore[misc]
        finally:
            clients.end()
        assert clients.refused == []
        check(catalog, maker, clients.accepted)


def live_and_die(command: list[str], condition: Callable[[], object]) -> None:
    """A server until the condition holds; then it is killed, whatever it does, and leaves no process behind."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        until(lambda: condition() or process.poll() is not None)
        assert process.returncode is None, "it ended by itself"
        started = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert started
    assert psutil.wait_procs(started, PATIENCE_S)[1] == []


def check(catalog: Catalog, maker: str, accepted: dict[str, str]) -> None:
    queue, jobs, after = Queue(catalog), [], None
    while True:
        page = queue.page(maker, after=after, limit=200)
        jobs += page.items
        if (after := page.next) is None:
            break
    assert {job.state for job in jobs} == {JobState.QUEUED}
    names = [str(job.payload["name"]) for job in jobs]
    assert len(set(names)) == len(names)
    assert accepted.items() <= {str(job.payload["name"]): job.id for job in jobs}.items()
    for job in jobs:
        assert catalog.artefacts.read(maker, job.payload["pictures"])[:2] == b"PK"
    uploads = {upload.id for upload in catalog.artefacts.page(maker, ArtefactKind.UPLOAD, limit=200).items}
    assert len(uploads - {job.payload["pictures"] for job in jobs}) <= NUM_LIVES * NUM_CLIENTS
    catalog.verify(repair=True)
    assert catalog.verify(deep=True).is_sound
