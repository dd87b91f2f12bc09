import pytest

from lesionflow.errors import ArtifactError, ServiceError
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry import registered_bundles, versions
from lesionflow.registry.tracking import Tracker
from support.bundles import small_bundle
from support.champions import set_champion
from support.stores import empty_store

NAME = "lesionflow-knees"


@pytest.fixture
def tracker(tmp_path):
    return Tracker(empty_store(tmp_path / "store"), "knees")


@pytest.fixture
def register(tracker, tmp_path):
    def make(seed, **tags):
        run_id = tracker.start_run(f"train {seed}")
        write_bundle(tmp_path / "models" / "candidate", small_bundle(seed, run_id))
        return registered_bundles.register_bundle(
            tracker, run_id, tmp_path / "models" / "candidate", NAME, program=MLFLOW_PROGRAM, tags=tags
        )

    return make


def test_aliases_are_read_as_they_stand(tracker, register):
    uri = tracker.tracking_uri
    assert versions.list_versions(NAME, uri) == ()
    for seed in (1, 2):
        register(seed)
    assert set_champion(NAME, "1", uri) == (None, "1")
    assert versions.find_version(NAME, "previous", uri) is None
    assert set_champion(NAME, "challenger", uri) == ("1", "2")
    assert set_champion(NAME, "2", uri) == ("2", "2")
    aliases = {v.version: v.aliases for v in versions.list_versions(NAME, uri)}
    assert aliases == {"2": ("challenger", "champion"), "1": ("previous",)}
    assert set_champion(NAME, "1", uri) == ("2", "1")
    aliases = {v.version: v.aliases for v in versions.list_versions(NAME, uri)}
    assert aliases == {"2": ("challenger", "previous"), "1": ("champion",)}
    assert versions.list_models(uri) == (NAME,)


def test_what_is_not_there_is_named(tracker, register):
    with pytest.raises(ArtifactError, match="'champion' of the registered model 'nobody'"):
        registered_bundles.fetch_bundle("nobody", "champion", tracker.tracking_uri)
    register(1)
    with pytest.raises(ArtifactError, match="'7'"):
        versions.require_version(NAME, "7", tracker.tracking_uri)
    with pytest.raises(ServiceError):
        versions.set_alias(NAME, "champion", "7", tracker.tracking_uri)


def test_all_pages_are_listed(tracker, register, monkeypatch):
    version = register(1)
    for _ in range(4):
        tracker.client.create_model_version(NAME, version.source, run_id=version.run_id)
    monkeypatch.setattr("lesionflow.registry.versions.PAGE_SIZE", 2)
    found = versions.list_versions(NAME, tracker.tracking_uri)
    assert [v.version for v in found] == ["5", "4", "3", "2", "1"]
