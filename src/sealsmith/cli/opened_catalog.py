"""The catalog that a command's options and settings name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..catalog import Catalog
    from ..catalog.places import Places


@contextmanager
def opened_catalog(
    data: Path | None, database: str | None, store: str | None
) -> "Iterator[tuple[Catalog, Places]]":
    """The catalog, open within the block, and where it is.

    Raises: ConfigError, where the libraries it needs are missing too; OutputError, DatabaseError.
    """
    try:
        from ..catalog import open_catalog
        from ..catalog.places import places
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the catalog needs {error.name}, which is not installed",
            "pip install '.[serve]' in the clone, or make setup",
        ) from error
    where = places(data, database, store)
    with open_catalog(where.database, where.store) as catalog:
        yield catalog, where
