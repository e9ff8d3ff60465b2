"""Traces for OpenTelemetry, where that is configured: request -> order -> picture -> stage.

A job is done long after its request, elsewhere, and perhaps several times: its attempts are a trace of their own,
whose id is the job's. Nothing of OpenTelemetry's is set up, and no span is made, unless there is somewhere to send
them. Not for: counting (metrics.py), or telling what happened (the log).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from .. import __version__
from ..errors import ConfigError, SealsmithError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as OtelSpan

    from ..jobs import Job, JobState

STANDARD_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
TRACES_PATH = "/v1/traces"
Value = str | int | float | bool


class Span(Protocol):
    """Something that takes a while."""

    def set(self, **attributes: Value) -> None:
        """Says more of it; `__` in a name is a dot."""
        ...

    def end(self, error: SealsmithError | None = None) -> None:
        """It is over; `error`: what it failed with."""
        ...


class Tracing(Protocol):
    """Where spans come from."""

    def start(self, name: str, parent: Span | None = None, **attributes: Value) -> Span:
        """A span from now on. `parent`: None: the request that is being answered, if there is one."""
        ...

    def request(self, method: str, headers: Mapping[str, str]) -> AbstractContextManager[Span]:
        """A context that answers a request: its span, a part of the trace that the headers name, if they do."""
        ...

    def job(self, job: "Job", state: "JobState | None", ended: datetime) -> None:
        """One attempt of a job, which is over."""
        ...

    def close(self) -> None:
        """Sends what has not been sent yet."""
        ...


class _NoSpan:
    def set(self, **attributes: Value) -> None: ...

    def end(self, error: SealsmithError | None = None) -> None: ...


NO_SPAN: Span = _NoSpan()


class NoTracing:
    """Makes no spans."""

    def start(self, name: str, parent: Span | None = None, **attributes: Value) -> Span:
        return NO_SPAN

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str]) -> Iterator[Span]:
        yield NO_SPAN

    def job(self, job: "Job", state: "JobState | None", ended: datetime) -> None: ...

    def close(self) -> None: ...


NO_TRACING = NoTracing()


class _OtelSpan:
    def __init__(self, span: "OtelSpan"):
        self.span = span

    def set(self, **attributes: Value) -> None:
        self.span.set_attributes(_named(attributes))

    def end(self, error: SealsmithError | None = None) -> None:
        if error is not None:
            from opentelemetry.trace import Status, StatusCode

            self.set(error__type=error.code)
            self.span.set_status(Status(StatusCode.ERROR, str(error)))
        self.span.end()


class OpenTelemetry:
    """Makes spans with a provider of OpenTelemetry's SDK, which knows where they go."""

    def __init__(self, provider: "TracerProvider"):
        self._provider = provider
        self._tracer = provider.get_tracer("sealsmith", __version__)

    def start(self, name: str, parent: Span | None = None, **attributes: Value) -> Span:
        from opentelemetry.trace import set_span_in_context

        context = set_span_in_context(parent.span) if isinstance(parent, _OtelSpan) else None
        return _OtelSpan(self._tracer.start_span(name, context, attributes=_named(attributes)))

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str]) -> Iterator[Span]:
        from opentelemetry.trace import SpanKind, use_span
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = TraceContextTextMapPropagator().extract(headers)
        span = self._tracer.start_span(method, context, SpanKind.SERVER)
        with use_span(span, end_on_exit=True, record_exception=False):
            yield _OtelSpan(span)

    def job(self, job: "Job", state: "JobState | None", ended: datetime) -> None:
        from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

        sampled = TraceFlags(TraceFlags.SAMPLED)
        root = SpanContext(int(job.id, 16), int(job.id[16:], 16) or 1, is_remote=True, trace_flags=sampled)
        span = self._tracer.start_span(
            f"job {job.kind}",
            set_span_in_context(NonRecordingSpan(root)),
            attributes=_named({"sealsmith__job": job.id, "sealsmith__attempt": job.attempts}),
            start_time=None if job.started is None else _nanoseconds(job.started),
        )
        span.set_attribute("sealsmith.state", str(state or "lost"))
        span.end(_nanoseconds(ended))

    def close(self) -> None:
        self._provider.shutdown()


def open_tracing(endpoint: str | None, service: str = "sealsmith") -> Tracing:
    """What sends spans to `endpoint`, or where OpenTelemetry's own variables say; without either, none are made.

    `endpoint`: of a collector that takes OTLP over HTTP, without the path.
    Raises: ConfigError when OpenTelemetry is not installed.
    """
    is_wanted = endpoint is not None or any(os.environ.get(name) for name in STANDARD_VARIABLES)
    if not is_wanted or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return NO_TRACING
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigError(
            "OpenTelemetry is not installed", "pip install '.[otel]' in the clone, or make setup"
        ) from error
    own = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": service}
    provider = TracerProvider(
        resource=Resource.create({**own, "service.version": __version__}), shutdown_on_exit=False
    )
    exporter = OTLPSpanExporter(endpoint and endpoint.rstrip("/") + TRACES_PATH)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return OpenTelemetry(provider)


def _named(attributes: Mapping[str, Value]) -> dict[str, Value]:
    return {name.replace("__", "."): value for name, value in attributes.items()}


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000
