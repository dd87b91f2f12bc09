"""What Alembic runs: the changes, on the connection that `open_database` hands over."""

from alembic import context

from lesionflow.jobs.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
