"""How a database of jobs gets to the present form of its table, run by Alembic; no query lies here."""
