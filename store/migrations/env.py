"""What Alembic runs around the migrations; `store.migrating` hands it an open connection.

There is no `alembic.ini` and no offline mode: a migration runs where the application runs,
in the transaction that its caller opened.
"""

from alembic import context

from store.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,  # SQLite can't alter most of a table: Alembic copies it then
)
with context.begin_transaction():
    context.run_migrations()
