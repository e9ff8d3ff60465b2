"""The store of seal files: a folder, this process' memory, or a bucket, by what is in the files.

A file's name is its content's SHA-256, so what comes is proved to be what was asked for, and no file ever changes.
Not for: who may have which seal, or keeping copies nearby (exchange.py).
"""

import asyncio
import hashlib
import logging
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError as ObstoreError
from obstore.store import LocalStore, from_url

from ..errors import ConfigError, SealFormatError, SealMissingError, SealSizeError, StoreError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

MAX_SEAL_BYTES = 2 << 30
CLIENT: "ClientConfig" = {"allow_http": True, "connect_timeout": timedelta(seconds=5)}
RETRY: "RetryConfig" = {"max_retries": 3}

log = logging.getLogger(__name__)


def open_store(url: str) -> "ObjectStore":
    """The object store at `file:///folder`, `memory:///`, `s3://bucket/folder`, or what else obstore knows.

    Credentials come from the environment, as each kind of store has it. A folder is made when it is missing.
    Raises: ConfigError.
    """
    try:
        if url.startswith("file:"):
            return LocalStore.from_url(url, mkdir=True)
        if url.startswith("memory:"):
            return from_url(url)
        return from_url(url, client_options=CLIENT, retry_config=RETRY)
    except (ObstoreError, ValueError, OSError) as error:
        raise ConfigError(
            f"the store of seals cannot be opened: {_short(error)}",
            "give file:///folder, memory:/// or s3://bucket/folder",
        ) from error


def digest_of(data: bytes | bytearray | memoryview) -> str:
    """What a file is called in the store: SHA-256 of its bytes, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def is_digest(name: str) -> bool:
    """Whether this could be what a file is called here."""
    return re.fullmatch(r"[0-9a-f]{64}", name) is not None


def check_digest(digest: str) -> None:
    """Refuses what is no name of a file here. Raises: SealMissingError."""
    if not is_digest(digest):
        raise SealMissingError(
            f"there is no seal {digest[:80]!r}", "a seal is named by the 64 hex digits of its file's SHA-256"
        )


class SealStore:
    """Seal files in an object store."""

    def __init__(self, store: "ObjectStore", max_seal_bytes: int = MAX_SEAL_BYTES):
        self._store, self._max_seal_bytes = store, max_seal_bytes

    async def take(self, digest: str) -> bytearray:
        """The whole file as the store has it, still to be proved.

        Raises: SealMissingError; SealSizeError, before it is fetched; StoreError.
        """
        check_digest(digest)
        try:
            found = await obstore.get_async(self._store, path_of(digest))
            self._check_size(digest, int(found.meta["size"]))
            # At once: a stream of a folder's file comes in pieces of 8 KiB.
            data = bytearray(await found.bytes_async())
            self._check_size(digest, len(data))
        except FileNotFoundError as error:
            raise SealMissingError(f"the store has no seal {digest[:12]}", "import it again") from error
        except (ObstoreError, OSError, ValueError) as error:
            log.warning("the store did not give seal %s: %s", digest[:12], error)
            raise StoreError(
                f"the store did not give seal {digest[:12]}: {type(error).__name__}",
                "try again; if it stays so, see the engine's log",
            ) from error
        return data

    async def prove(self, digest: str, data: bytearray) -> None:
        """Refuses what is not the file of that digest. Raises: SealFormatError."""
        actual = await asyncio.to_thread(digest_of, data)
        if actual != digest:
            raise SealFormatError(
                f"the store's file of seal {digest[:12]} is damaged: {len(data)} bytes of SHA-256 {actual[:12]}",
                "import it again",
            )

    async def put(self, data: bytes) -> str:
        """Stores a file; its digest. One that is there already stays. Raises: SealSizeError, StoreError."""
        digest = await asyncio.to_thread(digest_of, data)
        self._check_size(digest, len(data))
        try:
            await obstore.put_async(self._store, path_of(digest), data)
        except (ObstoreError, OSError, ValueError) as error:
            log.warning("the store did not take seal %s: %s", digest[:12], error)
            raise StoreError(
                f"the store did not take seal {digest[:12]}: {type(error).__name__}",
                "try again; if it stays so, see the log",
            ) from error
        return digest

    def _check_size(self, digest: str, num_bytes: int) -> None:
        if num_bytes > self._max_seal_bytes:
            raise SealSizeError(
                f"seal {digest[:12]} is {num_bytes} bytes large, expected at most {self._max_seal_bytes}",
                "shrink it to a lower rank",
            )


def path_of(digest: str) -> str:
    """Where a file lies in the store: folders of a manageable size."""
    return f"seals/{digest[:2]}/{digest}.safetensors"


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
