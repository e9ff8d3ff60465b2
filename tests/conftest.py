"""Tiny random bases for tests that need a whole pipeline but no knowledge in it, and empty catalogs.

Folders are written once a session; each test gets a `Base` of its own, so that no test sees another's adapters.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import KINDS, database_of
from fake_clock import FakeClock
from hypothesis import settings
from stores import s3_environment, s3_server, store_beside

from sealsmith.bases import Base, open_base
from sealsmith.bench.tiny_bases import write_flux, write_sd1, write_sdxl, write_sealworld
from sealsmith.catalog import Catalog, open_catalog

settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def tiny_base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A diffusers folder of the sealworld family with random weights: 64 px pictures, latents [8, 8, 8]."""
    return write_sealworld(tmp_path_factory.mktemp("bases") / "tiny")


@pytest.fixture(scope="session")
def tiny_sd1_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sd1(tmp_path_factory.mktemp("bases") / "tiny-sd1")


@pytest.fixture(scope="session")
def tiny_sdxl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sdxl(tmp_path_factory.mktemp("bases") / "tiny-sdxl")


@pytest.fixture(scope="session")
def tiny_flux_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_flux(tmp_path_factory.mktemp("bases") / "tiny-flux")


@pytest.fixture
def tiny_base(tiny_base_folder: Path) -> Base:
    return open_base(str(tiny_base_folder))


@pytest.fixture
def tiny_sd1(tiny_sd1_folder: Path) -> Base:
    return open_base(str(tiny_sd1_folder))


@pytest.fixture
def tiny_sdxl(tiny_sdxl_folder: Path) -> Base:
    return open_base(str(tiny_sdxl_folder))


@pytest.fixture
def tiny_flux(tiny_flux_folder: Path) -> Base:
    return open_base(str(tiny_flux_folder))


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database; every test with one runs on each kind."""
    with database_of(request.param, tmp_path) as url:
        yield url


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of an S3 server, which is in the environment until the tests end."""
    with s3_server() as url, pytest.MonkeyPatch.context() as patch:
        for name, value in s3_environment(url).items():
            patch.setenv(name, value)
        yield url


@pytest.fixture
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store: a folder, or S3 in tests that have a PostgreSQL."""
    database = request.getfixturevalue("database_url") if "database_url" in request.fixturenames else ""
    if database.startswith("postgresql"):
        request.getfixturevalue("s3")
    return store_beside(database, tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def catalog(database_url: str, store_url: str, clock: FakeClock) -> Iterator[Catalog]:
    with open_catalog(database_url, store_url, clock) as opened:
        yield opened
