"""The engine dies, the API lives: pictures fail as retryable, another engine comes, and pictures come again."""

import os
import signal

import httpx2
from running import Running


def test_the_api_outlives_its_engine(served: Running, client: httpx2.Client) -> None:
    starts = served.service.engine.num_starts
    order = client.post("/v1/images", json={"prompt": "x", "steps": 150}).json()
    lines = []
    with client.stream("GET", order["events_url"]) as events:
        for line in events.iter_lines():
            if line == "event: step" and line not in lines:
                assert served.service.engine.pid is not None
                os.kill(served.service.engine.pid, signal.SIGKILL)
            lines.append(line)
    assert any('"code": "engine"' in line for line in lines)
    unready = client.get("/readyz")
    while unready.status_code == 503:
        assert unready.json()["error"]["code"] == "engine"
        assert client.get("/healthz").status_code == 200
        unready = client.get("/readyz")
    again = client.post("/v1/images/generations", json={"prompt": "x", "num_inference_steps": 1})
    assert again.status_code == 200
    assert served.service.engine.num_starts == starts + 1
