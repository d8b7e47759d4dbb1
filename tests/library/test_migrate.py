"""The schema goes up and down on both engines, and a database of another version is refused."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from tagtower.errors import DatabaseError
from tagtower.library.database import Database
from tagtower.library.migrate import check_schema, downgrade, newest_schema, schema_of, upgrade
from tagtower.library.schema import metadata


def test_the_migrations_make_the_tables_that_the_program_works_with(database: Database) -> None:
    with database.read() as connection:
        options = {"compare_type": False, "include_object": _is_ours}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_every_step_goes_down_to_nothing_and_up_again(database: Database) -> None:
    downgrade(database, "base")
    with database.read() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    upgrade(database)
    assert schema_of(database) == newest_schema()
    check_schema(database)


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    upgrade(database)
    check_schema(database)


def test_a_database_without_an_installation_is_refused(empty_database: Database) -> None:
    with pytest.raises(DatabaseError, match="has no installation"):
        check_schema(empty_database)


def test_a_database_of_a_newer_program_is_refused_and_left_alone(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="does not know"):
        check_schema(database)
    with pytest.raises(DatabaseError, match="does not know"):
        upgrade(database)
    assert schema_of(database) == "9999"


def _is_ours(_: object, name: str | None, kind: str, *__: object) -> bool:
    """All but the index of words, which is another on each engine."""
    return not ((name or "").startswith("video_words") or (kind, name) == ("index", "ix_videos_words"))
