"""The service's benchmark: a miniature run of all its parts, and what its report makes of figures."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sealsmith.bench.http_report import Pace, ServeReport, Soak, serve_page
from sealsmith.bench.http_streams import Streams
from sealsmith.bench.isolation import Isolation

WORDS = ["--tiny", "--repeats", "1", "--steps", "1", "--minutes", "0.02", "--streams", "8", "--requests", "8"]


def report(**changed: object) -> ServeReport:
    """One in which every promise is kept."""
    flat = [100.0 + step % 2 for step in range(40)]
    found = {
        "base": "sealworld",
        "has_goals": True,
        "num_requests": 100,
        "pace": Pace(32, 96, 8, [9.8, 10.6], [10.0, 11.0], [20.0, 20.0]),
        "soak": Soak(32, 500, [2.0] * 99 + [90.0], flat, flat),
        "streams": Streams(1000, most_open=1010, fewest_open=990, num_events=5000, num_ended=12),
        "stream_health_ms": [5.0] * 100,
        "isolation": Isolation(8, 24, 3, 100, 60, 30, 10, 25),
        "seconds": 1.0,
        "machine": dict.fromkeys(
            ("processor", "cores", "threads", "python", "torch", "diffusers", "sealsmith"), "x"
        ),
        "commit": None,
        "command": "sealsmith bench serve",
    }
    return ServeReport(**(found | changed))  # type: ignore[arg-type]


def test_a_run_in_which_all_is_kept_says_so() -> None:
    kept = report()
    assert kept.is_met, serve_page(kept)
    assert kept.to_dict()["pace"]["ratio"] == pytest.approx((9.8 + 10.6) / (10 + 11))
    assert "| yes" in serve_page(kept)
    assert json.loads(json.dumps(kept.to_dict()))["soak"]["health_ms"]["p50"] == 2.0


@pytest.mark.parametrize(
    "broken",
    [
        {"pace": Pace(32, 96, 8, [9.0], [10.0], [9.0])},
        {"soak": Soak(32, 500, [101.0] * 100, [100.0] * 40, [100.0] * 40)},
        {"soak": Soak(32, 500, [1.0] * 100, [100.0 + step for step in range(40)], [100.0] * 40)},
        {"soak": Soak(32, 500, [1.0] * 100, [100.0] * 40, [100.0 + step for step in range(40)])},
        {"streams": Streams(1000, most_open=999, num_events=5000)},
        {"streams": Streams(1000, most_open=1000, num_events=5000, num_broken=1)},
        {"stream_health_ms": [101.0] * 100},
        {"stream_health_ms": []},
        {"isolation": Isolation(8, 24, 3, 100, 99, 0, 0, 5, wrong=["tenant 1"])},
        {"isolation": Isolation(8, 24, 3, 99, 99)},
    ],
)
def test_a_promise_that_is_not_kept_is_shown(broken: dict[str, object]) -> None:
    found = report(**broken)
    assert not found.is_met
    assert serve_page(found).count("**no**") == 1


def test_the_pace_is_that_of_all_rounds_and_its_interval_holds_it() -> None:
    even = Pace(32, 96, 8, [10.0, 20.0], [10.0, 20.0], [20.0, 40.0])
    assert even.share(even.answered_s) == 1
    assert even.interval(even.followed_s) == (0.5, 0.5)
    uneven = Pace(32, 96, 8, [10.0] * 8, [9.0, 11.0] * 4, [10.0] * 8)
    low, high = uneven.interval(uneven.answered_s)
    assert low < uneven.share(uneven.answered_s) < high
    assert high - low < 10 / 9 - 10 / 11


def test_a_tiny_base_has_no_goal_for_its_pace() -> None:
    assert report(has_goals=False, pace=Pace(32, 96, 8, [1.0], [10.0], [10.0])).is_met


@pytest.mark.timeout(1800)
def test_a_miniature_run_measures_everything(tmp_path: Path) -> None:
    out = tmp_path / "serve.json"
    command = [sys.executable, "-m", "sealsmith", "bench", "serve", *WORDS, "--quick", "--out", str(out)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode in (0, 1), ended.stderr  # 1: a promise that a busy machine did not keep
    found = json.loads(out.read_text())
    assert ended.stdout.startswith("| promise")
    assert all(len(found["pace"][way]) == 1 for way in ("alone_s", "answered_s", "followed_s"))
    assert found["soak"]["num_drawn"] > 0
    assert found["soak"]["health_ms"]["num"] > 0
    assert found["streams"]["most_open"] >= 8
    assert found["streams"]["num_broken"] == 0
    assert found["isolation"]["num_requests"] == 8
    assert found["isolation"]["wrong"] == []


@pytest.mark.timeout(600)
def test_told_to_end_it_leaves_nothing_behind() -> None:
    words = [*WORDS, "--minutes", "9"]
    running = psutil.Popen(
        [sys.executable, "-m", "sealsmith", "bench", "serve", *words], stderr=subprocess.DEVNULL
    )
    began = time.monotonic()
    started: list[psutil.Process] = []
    while len(started) < 2:  # the service, and its engine
        assert running.poll() is None
        assert time.monotonic() - began < 300
        time.sleep(0.2)
        started = running.children(recursive=True)
    running.terminate()
    assert running.wait(120) == 128 + signal.SIGTERM
    _, left = psutil.wait_procs(started, timeout=30)
    assert not left
