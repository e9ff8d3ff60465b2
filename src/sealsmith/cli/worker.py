"""`sealsmith worker`: does the long work that tenants have handed in to a server."""

import json
import signal
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from .console import note
from .opened_catalog import opened_catalog
from .options import DatabaseOption, DataOption, DeviceOption, OtelEndpointOption, StoreOption

if TYPE_CHECKING:
    from ..jobs import Job, JobState
    from ..jobs.worker import Worker


def worker_command(
    base: Annotated[
        list[str] | None, typer.Option(help="A base it works with; repeatable, sealworld if not given.")
    ] = None,
    device: DeviceOption = "cpu",
    once: Annotated[bool, typer.Option("--once", help="Do what is waiting now, and end.")] = False,
    lease: Annotated[
        float, typer.Option(help="Seconds of silence after which a job is another worker's.", min=10.0)
    ] = 60.0,
    otel_endpoint: OtelEndpointOption = None,
    data: DataOption = None,
    database: DatabaseOption = None,
    store: StoreOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for every job instead of words.")
    ] = False,
) -> None:
    """Do the trainings and studies that tenants have handed in."""
    with opened_catalog(data, database, store) as (catalog, where):
        from ..bases.opening import check_device
        from ..jobs.worker import Worker, WorkerSettings
        from ..server.tracing import open_tracing

        tracing = open_tracing(otel_endpoint, "sealsmith-worker")

        def report(job: "Job", state: "JobState | None") -> None:
            tracing.job(job, state, catalog.clock())
            facts = {"job": job.id, "kind": job.kind, "attempt": job.attempts, "state": state}
            typer.echo(json.dumps(facts) if as_json else f"{job.id} {job.kind} {state or 'lost'}")

        check_device(device)
        settings = WorkerSettings(where.work, tuple(base or ("sealworld",)), device, lease_s=lease)
        worker = Worker(catalog, where.database, where.store, settings, report=report)
        _stop_by_signal(worker)
        note(f"worker {settings.name} waits for jobs; Ctrl-C lets the one at hand save its work")
        worker.run(until_idle=once)
        tracing.close()


def _stop_by_signal(worker: "Worker") -> None:
    """The first Ctrl-C or SIGTERM ends the worker in order, the second at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        worker.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
