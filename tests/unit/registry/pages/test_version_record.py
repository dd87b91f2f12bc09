"""The section of a version's page, and the tag: written where they stand otherwise."""

import mlflow
import pytest

from lesionflow.registry.pages.version_record import VersionRecord, show_records
from support.versions import store_of_versions

NAME = "lesionflow-knees"


@pytest.fixture
def uri(tmp_path):
    return store_of_versions(tmp_path / "store")


def test_records_are_written_and_taken_back_and_what_a_person_wrote_stays(uri):
    client = mlflow.MlflowClient(uri)
    client.update_model_version(NAME, "2", "Mine.")
    records = {"2": VersionRecord("Rolled back.", "since 2026-05-01")}
    show_records(NAME, lambda version: records.get(version, VersionRecord("", "")), uri)
    there = client.get_model_version(NAME, "2")
    assert there.description == "Rolled back. <!-- lesionflow:record -->\n<!-- /lesionflow:record -->\n\nMine."
    assert there.tags["barred"] == "since 2026-05-01"
    assert client.get_model_version(NAME, "1").description in {None, ""}
    show_records(NAME, lambda _: VersionRecord("", ""), uri)
    there = client.get_model_version(NAME, "2")
    assert (there.description, "barred" in there.tags) == ("Mine.", False)
