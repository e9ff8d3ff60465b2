"""A database of a test's own, of each kind: a SQLite file, or a schema of a PostgreSQL server that is running."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

KINDS = ("sqlite", "postgresql")
SERVER_VARIABLE = "TEST_POSTGRESQL"
SERVER = "postgresql://postgres@127.0.0.1:5432/test"


@contextmanager
def database_of(kind: str, folder: Path) -> Iterator[str]:
    """The address of an empty database, which is gone afterwards."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'catalog.db'}"
        return
    import psycopg

    server = os.environ.get(SERVER_VARIABLE, SERVER)
    schema = f"sealsmith_{uuid.uuid4().hex}"
    try:
        connection = psycopg.connect(server, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError:
        pytest.skip(
            f"no PostgreSQL at {server}: start one, or name one that may be written in {SERVER_VARIABLE}"
        )
    with connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        try:
            yield f"{server}?options={quote(f'-csearch_path={schema}')}"
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")
