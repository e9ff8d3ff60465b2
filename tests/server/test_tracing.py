"""Spans, where configured: request -> order -> picture -> stages; a job's attempts in a trace of its own."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx2
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from running import Running, beside

from sealsmith.jobs import Job, JobState
from sealsmith.server.orders import OrderBook
from sealsmith.server.tracing import NO_TRACING, OpenTelemetry, open_tracing

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracing(spans: InMemorySpanExporter) -> OpenTelemetry:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return OpenTelemetry(provider)


@pytest.fixture
def traced(served: Running, tracing: OpenTelemetry) -> Iterator[httpx2.Client]:
    service = served.service
    orders = OrderBook(service.engine, service.metrics, tracing)
    with (
        beside(served, replace(service, orders=orders, tracing=tracing)) as running,
        running.client() as client,
    ):
        yield client


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == name]


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def test_an_order_is_part_of_its_request_and_pictures_of_their_order(
    traced: httpx2.Client, spans: InMemorySpanExporter
) -> None:
    wish = {"prompt": "x <lora:mark:1>", "steps": 2, "n": 2}
    order = traced.post(
        "/v1/images", json=wish, headers={"traceparent": PARENT, "x-request-id": "mine"}
    ).json()
    with traced.stream("GET", order["events_url"]) as events:
        events.read()
    (request,) = named(spans, "POST")
    (placed,) = named(spans, "order")
    pictures = named(spans, "picture")
    assert format(request.context.trace_id, "032x") == TRACE
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/v1/images",
        "http.response.status_code": 202,
        "sealsmith.request_id": "mine",
    }
    assert parent_of(placed) == request.context.span_id
    assert dict(placed.attributes or {}) == {"sealsmith.order": order["id"], "sealsmith.pictures": 2}
    assert [parent_of(picture) for picture in pictures] == [placed.context.span_id] * 2
    for picture in pictures:
        inner = [span for span in spans.get_finished_spans() if parent_of(span) == picture.context.span_id]
        assert [span.name for span in sorted(inner, key=lambda span: span.start_time or 0)] == [
            "queue",
            "load",
            "draw",
        ]
        assert all(span.context.trace_id == request.context.trace_id for span in inner)
        assert all((span.end_time or 0) <= (picture.end_time or 0) for span in inner)


def test_what_fails_says_with_what(traced: httpx2.Client, spans: InMemorySpanExporter) -> None:
    order = traced.post("/v1/images", json={"prompt": "x", "sampler": "sideways"}).json()
    with traced.stream("GET", order["events_url"]) as events:
        events.read()
    for name in ("picture", "order"):
        (span,) = named(spans, name)
        assert not span.status.is_ok
        assert (span.attributes or {})["error.type"] == "config"


def test_a_job_s_attempts_are_a_trace_whose_id_is_the_job_s(
    tracing: OpenTelemetry, spans: InMemorySpanExporter
) -> None:
    began = datetime(2026, 11, 29, 12, tzinfo=UTC)
    ended = began + timedelta(seconds=90)
    job = Job(
        id="0123456789abcdef0123456789abcdef", tenant="t", kind="train", payload={}, priority=0,
        state=JobState.RUNNING, attempts=1, max_attempts=3, progress=None, result=None, failure=None,
        created=began, started=began, ended=None, worker="w",
    )  # fmt: skip
    tracing.job(job, JobState.QUEUED, ended)
    tracing.job(replace(job, attempts=2), None, ended)
    first, second = named(spans, "job train")
    for attempt, (span, state) in enumerate(((first, "queued"), (second, "lost")), start=1):
        assert format(span.context.trace_id, "032x") == job.id
        assert dict(span.attributes or {}) == {
            "sealsmith.job": job.id,
            "sealsmith.attempt": attempt,
            "sealsmith.state": state,
        }
        assert ((span.end_time or 0) - (span.start_time or 0)) == 90 * 10**9


def test_nothing_is_imported_or_made_where_nothing_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "import sys; from sealsmith.server.tracing import NO_TRACING, open_tracing;"
        "assert open_tracing(None) is NO_TRACING;"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert open_tracing("http://127.0.0.1:9") is NO_TRACING


class Collector(BaseHTTPRequestHandler):
    """Takes whatever is posted, and remembers where to."""

    seen: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        self.seen.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize("how", ["option", "variable"])
def test_spans_reach_a_collector_that_speaks_otlp(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, bytes]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Own", (Collector,), {"seen": seen}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        if how == "variable":
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        opened = open_tracing(url if how == "option" else None)
        opened.start("order", sealsmith__order="img-1").end()
        opened.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    ((path, data),) = seen
    assert path == "/v1/traces"
    assert b"img-1" in data
    assert b"sealsmith" in data
