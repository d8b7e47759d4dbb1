"""Runs migrations inside the transaction that `library.migrate` opened."""

from alembic import context

from tagtower.library.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
