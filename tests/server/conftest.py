"""One small service for all tests that need pictures: the tiny base, a folder of seals, one engine process."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from pydantic import SecretStr
from running import Running, running
from seal_examples import random_seal
from shared import Shared

from sealsmith.adapters import dump_seal
from sealsmith.bases import open_base
from sealsmith.catalog import open_catalog
from sealsmith.server.catalog_service import catalog_service
from sealsmith.server.drawing_service import EngineSettings
from sealsmith.server.local_service import LocalSettings, local_service


@pytest.fixture(scope="session")
def seal_bytes(tiny_base_folder: Path) -> bytes:
    """A seal file for the tiny base, of the trigger sks."""
    return dump_seal(random_seal(open_base(str(tiny_base_folder)), ("to_q", "to_v")))


@pytest.fixture(scope="session")
def seals_folder(tmp_path_factory: pytest.TempPathFactory, seal_bytes: bytes) -> Path:
    """The service's seals: `mark`."""
    folder = tmp_path_factory.mktemp("served") / "seals"
    folder.mkdir()
    (folder / "mark.safetensors").write_bytes(seal_bytes)
    return folder


@pytest.fixture(scope="session")
def served(tiny_base_folder: Path, seals_folder: Path) -> Iterator[Running]:
    """A local service on the tiny base."""
    settings = LocalSettings(str(tiny_base_folder), deterministic=True, seals_folder=seals_folder)
    with running(local_service(settings)) as service:
        yield service


@pytest.fixture(scope="session")
def client(served: Running) -> Iterator[httpx2.Client]:
    with served.client() as client:
        yield client


@pytest.fixture(scope="session", autouse=True)
def temporary_folder() -> Iterator[None]:
    """A folder for temporary files into which nothing else on this machine puts any. Its path is short: sockets."""
    with (
        tempfile.TemporaryDirectory(prefix="sealsmith-tests-") as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture(scope="module")
def uploads_left() -> Callable[[], set[Path]]:
    """What lies in the folder for uploads that did not when the module's tests began."""

    def found() -> set[Path]:
        return set(Path(tempfile.gettempdir()).glob("sealsmith-upload-*"))

    before = found()
    return lambda: found() - before


@pytest.fixture(scope="session")
def shared(tiny_base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A service on a catalog, with an engine of its own, for the tenants ann and bob."""
    folder = tmp_path_factory.mktemp("shared")
    store, base = (folder / "store").as_uri(), str(tiny_base_folder)
    database = SecretStr(f"sqlite:///{folder / 'catalog.db'}")
    with open_catalog(database, store) as catalog:
        for name in ("ann", "bob"):
            catalog.tenants.create(name)
        settings = EngineSettings(base, deterministic=True)
        with running(catalog_service(settings, catalog, store)) as service:
            yield Shared(service, catalog, database, store, base)
