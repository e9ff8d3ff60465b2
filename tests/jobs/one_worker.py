"""A worker in a process of its own, as it is when nothing is imported yet: does what waits, and ends."""

import sys
from pathlib import Path

from pydantic import SecretStr

from sealsmith.catalog import open_catalog
from sealsmith.jobs.worker import Worker, WorkerSettings


def main(database: str, store: str, folder: str) -> None:
    with open_catalog(database, store) as catalog:
        handlers = {"work": "slow_to_import:run"}
        Worker(catalog, SecretStr(database), store, WorkerSettings(Path(folder)), handlers).run(True)


if __name__ == "__main__":
    main(*sys.argv[1:])
