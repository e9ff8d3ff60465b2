"""The catalog as a whole: one database and one store of files, and what is kept in them."""

from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from ..engine.store import open_store
from .artefacts import Artefacts
from .database import Clock, Database, utc_now
from .files import Files
from .keys import Keys
from .seals import Seals
from .tenants import Tenants
from .verify import Verification, verify


@dataclass(frozen=True)
class Catalog:
    """Whose seals there are. Any thread may use it; values come out, and errors of our tree."""

    database: Database
    files: Files
    clock: Clock
    tenants: Tenants
    keys: Keys
    seals: Seals
    artefacts: Artefacts

    def verify(self, *, repair: bool = False, deep: bool = False) -> Verification:
        """Whether rows and files agree (verify.py). Raises: StoreError, DatabaseError."""
        return verify(self.database, self.files, repair=repair, deep=deep)

    def close(self) -> None:
        """Ends the connections to the database."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_catalog(database: SecretStr | str, store: str, clock: Clock = utc_now) -> Catalog:
    """The catalog at these addresses, made where there was none (database.py, engine/store.py).

    Raises: ConfigError, DatabaseError.
    """
    address = database.get_secret_value() if isinstance(database, SecretStr) else database
    objects = open_store(store)
    opened = Database(address)
    files = Files(objects, opened)
    return Catalog(
        opened,
        files,
        clock,
        Tenants(opened, clock),
        Keys(opened, clock),
        Seals(opened, files, clock),
        Artefacts(opened, files, clock),
    )
