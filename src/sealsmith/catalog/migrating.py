"""Bringing the tables up to date, with Alembic, in the caller's transaction: all of it happens or nothing.

Not for: what changes (migrations/versions/, one file a change).
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, inspect, select, table, text
from sqlalchemy.sql import column

from ..errors import ConfigError

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent / "migrations"
VERSIONS = table("alembic_version", column("version_num"))


def upgrade(connection: Connection) -> None:
    """Applies what is missing; of several processes that try, one does.

    Raises: ConfigError for a database that a newer version of this program has changed.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext("sealsmith-migrations"))))
    revision = current_revision(connection)
    if revision == newest_revision():
        return
    if revision is not None and revision not in known_revisions():
        raise ConfigError(
            f"the database has tables of revision {revision!r}, which this version does not know",
            "use the version of sealsmith that made it, or a newer one",
        )
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def current_revision(connection: Connection) -> str | None:
    """The revision of a database's tables; None before the first."""
    if not inspect(connection).has_table(VERSIONS.name):
        return None
    return connection.execute(select(text("version_num")).select_from(VERSIONS)).scalar_one_or_none()


@cache
def known_revisions() -> tuple[str, ...]:
    """All revisions, oldest first: their files begin with them. To ask Alembic takes longer than all else here."""
    return tuple(sorted(path.stem.partition("_")[0] for path in (FOLDER / "versions").glob("[0-9]*.py")))


def newest_revision() -> str:
    return known_revisions()[-1]


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
