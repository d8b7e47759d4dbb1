"""Brings the schema of a database to the version that this program knows, or says why it will not."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from tagtower.errors import DatabaseError
from tagtower.library.database import Database

SCRIPTS = Path(__file__).parent / "migrations"

LOCK = 7_300_417_712
"""Number of the advisory lock that one migrating program holds on PostgreSQL."""


@cache
def newest_schema() -> str:
    """Return the version of the schema that this program knows."""
    head = ScriptDirectory(str(SCRIPTS)).get_current_head()
    assert head is not None, "the package holds its migrations"
    return head


def schema_of(database: Database) -> str | None:
    """Return the version of a database's schema, None for a database without any."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def check_schema(database: Database) -> None:
    """Do nothing if the database has the schema that this program knows.

    Raises:
        DatabaseError: it has none, an older one, or one that this program does not know.
    """
    found = schema_of(database)
    if found is None:
        raise DatabaseError("The database has no installation.", hint="Make one with: tagtower init HOME")
    if found == newest_schema():
        return
    if found in known_schemas():
        raise DatabaseError(
            f"The database has the schema {found}, this program works with {newest_schema()}.",
            hint="Back it up, stop the other programs, then: tagtower init HOME --upgrade",
        )
    raise DatabaseError(
        f"The database has the schema {found}, which this program does not know; the newest it knows is "
        f"{newest_schema()}.",
        hint="A newer TagTower has been here. Install that version.",
    )


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema up to `revision`: every step is kept or none.

    Raises:
        DatabaseError: the database is of a newer program.
    """
    found = schema_of(database)
    if found is not None and found not in known_schemas():
        check_schema(database)
    with database.write() as connection:
        _lock(connection)
        command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Take the schema back to `revision`, or to nothing (`base`); what only newer schemas hold is lost."""
    with database.write() as connection:
        _lock(connection)
        command.downgrade(_config(connection), revision)


def known_schemas() -> set[str]:
    """Return every version of the schema that this program can bring up to date."""
    return {step.revision for step in ScriptDirectory(str(SCRIPTS)).walk_revisions()}


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
