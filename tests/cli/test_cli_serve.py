"""`sealsmith serve`: starts, answers, and ends when it is told to."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import psutil

from sealsmith.catalog import open_catalog


def test_a_local_service_draws_and_ends_when_told(tiny_base_folder: Path, tmp_path: Path) -> None:
    program = (sys.executable, "-m", "sealsmith", "serve", "--local", "--port", "0")
    process = subprocess.Popen(
        [*program, "--base", str(tiny_base_folder), "--seals-folder", str(tmp_path / "seals")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), process.communicate()
        assert httpx2.get(f"{url}/readyz", timeout=60).json()["status"] == "ready"
        asked = {"prompt": "x", "steps": 1, "seed": 1}
        placed = httpx2.post(f"{url}/v1/images", json=asked, timeout=60, headers={"x-request-id": "mine"})
        assert placed.status_code == 202
        order = httpx2.post(f"{url}/v1/images", json={"prompt": "x", "steps": 40}, timeout=60).json()
        with httpx2.stream("GET", f"{url}{order['events_url']}", timeout=120) as events:
            lines = events.iter_lines()
            next(lines)
            os.killpg(process.pid, signal.SIGTERM)  # as whoever ends all that runs in a terminal
            assert "event: done" in list(lines)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert "the engine" not in said, "a planned end is silent"
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line.get("request_id") == "mine"]
    assert (line["route"], line["status"], line["level"]) == ("/v1/images", 202, "info")


def test_a_service_for_many_shows_its_first_key_once(tiny_base_folder: Path, tmp_path: Path) -> None:
    program = (sys.executable, "-m", "sealsmith", "serve", "--port", "0", "--base", str(tiny_base_folder))
    keys = []
    for _ in range(2):
        process = subprocess.Popen(
            [*program, "--data", str(tmp_path / "data")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), process.communicate()
            assert httpx2.get(f"{url}/v1/seals", timeout=60).status_code == 401
            for key in keys:
                headers = {"authorization": f"Bearer {key}"}
                assert httpx2.get(f"{url}/v1/seals", timeout=60, headers=headers).json()["seals"] == []
            children = psutil.Process(process.pid).children()
            (worker,) = [child for child in children if "worker" in child.cmdline()]
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=120)
        finally:
            process.kill()
        assert process.returncode == 0, said
        assert not worker.is_running()
        keys += re.findall(r"seal_[0-9a-z]+_\S+", said)
    assert len(keys) == 1


def test_a_first_key_that_nobody_could_use_is_not_made(tiny_base_folder: Path, tmp_path: Path) -> None:
    """A server that cannot listen leaves the key to the next start; else it would be lost, untold."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        options = ("--port", port, "--base", str(tiny_base_folder), "--data", str(tmp_path), "--workers", "0")
        done = subprocess.run(
            [sys.executable, "-m", "sealsmith", "serve", *options], capture_output=True, text=True
        )
    assert done.returncode == 2, done.stderr
    assert "cannot listen" in done.stderr
    assert "seal_" not in done.stderr + done.stdout
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}", (tmp_path / "store").as_uri()) as catalog:
        assert catalog.keys.list() == ()
