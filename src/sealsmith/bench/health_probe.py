"""A program that asks `/healthz` again and again and says how long each answer took, in ms, when it is told to end.

    python -P src/sealsmith/bench/health_probe.py http://127.0.0.1:7860

A process of its own, so that nothing of the load's is in its times. Run as a file, it imports Python's own alone.
"""

import http.client
import json
import sys
import threading
import time
from urllib.parse import urlsplit

PAUSE_S = 0.05


def main(url: str) -> None:
    ended = threading.Event()
    threading.Thread(target=_hear_the_end, args=(ended,), daemon=True).start()
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    times_ms: list[float] = []
    print("asking", flush=True)
    while not times_ms or not ended.wait(PAUSE_S):
        began = time.perf_counter()
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        answer.read()
        times_ms.append(1000 * (time.perf_counter() - began))
        assert answer.status == 200, answer.status
    print(json.dumps(times_ms))


def _hear_the_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main(sys.argv[1])
