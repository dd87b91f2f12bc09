from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy

from lesionflow.config.sqlite_address import sqlite_address, sqlite_file

#: What a folder may be called, the first two beside each other, one the other's escape.
NAMES = ("a b", "a%20b", "a%2520b", "a#b", "a?b", "a%", "a%sb", "a&b=c", "ü;+@:b")


@pytest.mark.parametrize("name", NAMES)
def test_sqlalchemy_opens_the_very_file_and_the_way_back_leads_to_it(tmp_path, name):
    file = tmp_path / name / "x.db"
    file.parent.mkdir()
    engine = sqlalchemy.create_engine(sqlite_address(file))
    with closing(engine.raw_connection()) as connection:
        connection.execute("create table t (n)")
        connection.commit()
    engine.dispose()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]
    assert sqlite_file(sqlite_address(file)) == file


@pytest.mark.parametrize(
    "address",
    ["sqlite:///mlflow.db", "sqlite:////w/a b/x.db", "sqlite:////w/a%20b/x.db", "sqlite:////w/x.db?timeout=3"],
)
def test_an_address_that_somebody_wrote_is_read_as_sqlalchemy_reads_it(address):
    assert sqlite_file(address) == Path(sqlalchemy.make_url(address).database)


@pytest.mark.parametrize("address", ["", "sqlite://", "sqlite:///", "postgresql://host/db", "http://host", "/w/x.db"])
def test_other_addresses_name_no_file(address):
    assert sqlite_file(address) is None
