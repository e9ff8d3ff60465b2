"""A store of a test's own, of each kind: a folder, or a folder of a bucket on an S3 server of this session's.

The server is moto's, which keeps everything in memory and speaks S3 over HTTP; it is told nothing of us, and our
processes find it by the environment, as they find any other.
"""

import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2

BUCKET = "sealsmith"
FIRST_WITHIN_S = 60.0
"""For the first answer, before which moto imports all it knows."""


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of an S3 server with an empty bucket."""
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        httpx2.put(f"{url}/{BUCKET}", timeout=FIRST_WITHIN_S).raise_for_status()
        yield url
    finally:
        server.stop()


def s3_environment(url: str) -> Mapping[str, str]:
    """By which obstore finds the server at `url`."""
    return {
        "AWS_ENDPOINT": url,
        "AWS_ACCESS_KEY_ID": "maker",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }


def store_beside(database_url: str, folder: Path) -> str:
    """The address of an empty store: S3 beside PostgreSQL, as many machines have it, its server being in the
    environment; else a folder, as on a laptop."""
    if database_url.startswith("postgresql"):
        return s3_folder()
    return (folder / "store").as_uri()


def s3_folder() -> str:
    """The address of a folder of the bucket that nobody else has."""
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"
