"""The table that the code asks, and the way there."""

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from lesionflow.jobs.job_database import MIGRATIONS, open_database
from lesionflow.jobs.tables import METADATA


@pytest.fixture
def config():
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    return made


def test_the_migrations_lead_to_the_table_that_the_code_asks_and_back(tmp_path, config):
    engine = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), METADATA)
    added = [change[1].name for change in found if change[0] == "add_table"]
    assert sorted(added) == ["api_keys", "audit", "jobs"]
    engine.dispose()


def test_the_migrations_are_one_line(config):
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1
