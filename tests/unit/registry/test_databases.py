import pytest

from lesionflow.errors import ConfigError
from lesionflow.registry import databases
from lesionflow.registry.databases import is_database, shared_artifacts, with_driver
from lesionflow.registry.mlflow_store import artifact_location, connect

POSTGRES, MARIA = "postgresql://me:s3cret@db.example.org:5432/runs", "mariadb://me:s3cret@db.example.org/runs"


def test_an_address_as_people_write_it_names_the_driver_that_the_extra_installs(monkeypatch):
    monkeypatch.setattr(databases, "find_spec", lambda _: object())
    assert with_driver(POSTGRES) == "postgresql+psycopg://me:s3cret@db.example.org:5432/runs"
    assert with_driver("postgres://h/db") == "postgresql+psycopg://h/db"
    assert with_driver(MARIA) == "mysql+pymysql://me:s3cret@db.example.org/runs"
    assert with_driver("mysql://h/db") == "mysql+pymysql://h/db"


@pytest.mark.parametrize(
    "uri", ["postgresql+psycopg2://h/db", "sqlite:////a/mlflow.db", "https://mlflow.example.org", "nonsense"]
)
def test_any_other_address_stays_as_it_is(uri):
    assert with_driver(uri) == uri


@pytest.mark.parametrize(("uri", "extra"), [(POSTGRES, "postgresql"), (MARIA, "mariadb")])
def test_without_the_driver_the_extra_is_named_and_no_password(uri, extra, monkeypatch):
    monkeypatch.setattr(databases, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=rf"pip install 'lesionflow\[{extra}\]'") as raised:
        connect(uri)
    assert "s3cret" not in str(raised.value)
    assert "db.example.org" in str(raised.value)


def test_only_databases_need_a_place_for_artifacts(monkeypatch, tmp_path):
    assert [is_database(uri) for uri in (POSTGRES, MARIA, "mysql+pymysql://h/db")] == [True] * 3
    assert not any(is_database(uri) for uri in ("sqlite:////a.db", "https://h", "nonsense"))
    monkeypatch.setenv("LESIONFLOW_ARTIFACTS_URI", str(tmp_path / "a b"))
    assert artifact_location(POSTGRES, "knees") == f"file://{tmp_path}/a%20b/knees"
    monkeypatch.setenv("LESIONFLOW_ARTIFACTS_URI", "s3://bucket/runs/")
    assert shared_artifacts(POSTGRES, "knees") == "s3://bucket/runs/knees"


@pytest.mark.parametrize("place", ["", "relative/folder"])
def test_a_database_without_a_place_for_artifacts_is_refused_before_anything_is_made(place, monkeypatch):
    monkeypatch.setenv("LESIONFLOW_ARTIFACTS_URI", place)
    with pytest.raises(ConfigError, match="LESIONFLOW_ARTIFACTS_URI") as raised:
        artifact_location(POSTGRES, "knees")
    assert "s3cret" not in str(raised.value)
