from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.exceptions import MlflowException

from lesionflow.errors import ArtifactError, ConfigError, ServiceError
from lesionflow.io.signing.bundle_manifest import MANIFEST, sign_bundle
from lesionflow.io.signing.keys import PRIVATE, PUBLIC, make_keys
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


def _files(version):
    return Path(version.source.removeprefix("file://")) / "artifacts" / "bundle"


def test_what_is_registered_comes_back_the_same(tracker, register):
    version = register(1, test_dice="0.81")
    assert (version.version, version.aliases) == ("1", ("challenger",))
    assert version.tags["test_dice"] == "0.81"
    for name in ("challenger", "1"):
        bundle = registered_bundles.fetch_bundle(NAME, name, tracker.tracking_uri)
        assert bundle.digest == version.bundle_digest
        assert bundle.card.run_id == version.run_id
        np.testing.assert_array_equal(bundle.weights["head.weight"], small_bundle(1).weights["head.weight"])


def test_mlflow_itself_sees_the_version_its_run_and_no_pickle(tracker, register):
    version = register(1)
    client = mlflow.MlflowClient(tracker.tracking_uri)
    seen = client.get_model_version_by_alias(NAME, "challenger")
    assert (str(seen.version), seen.run_id, seen.tags["bundle_digest"]) == ("1", version.run_id, version.bundle_digest)
    (output,) = client.get_run(version.run_id).outputs.model_outputs
    assert client.get_logged_model(output.model_id).status == "READY"
    stored = _files(version).parents[1]
    assert (stored / MLFLOW_PROGRAM.name).exists()
    assert "lesionflow" not in (stored / "requirements.txt").read_text()
    assert not [p for p in stored.rglob("*") if p.suffix in (".pkl", ".pickle", ".pt", ".pth")]


def test_registering_again_makes_no_second_version(tracker, register, tmp_path):
    first = register(1)
    set_champion(NAME, "1", tracker.tracking_uri)
    again = registered_bundles.register_bundle(
        tracker, first.run_id, tmp_path / "models" / "candidate", NAME, program=MLFLOW_PROGRAM, tags={}
    )
    assert again.version == "1"
    assert again.aliases == ("challenger", "champion")
    assert len(versions.list_versions(NAME, tracker.tracking_uri)) == 1


def test_a_registering_killed_before_the_version_is_finished_by_the_next(tracker, register, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(tracker.client, "create_model_version", _kill)
        with pytest.raises(KeyboardInterrupt):
            register(1)
    assert versions.list_versions(NAME, tracker.tracking_uri) == ()
    run_id = tracker.client.search_runs([tracker.experiment_id])[0].info.run_id
    candidate = Path(tracker.tracking_uri.removeprefix("sqlite:///")).parents[1] / "models" / "candidate"
    version = registered_bundles.register_bundle(tracker, run_id, candidate, NAME, program=MLFLOW_PROGRAM, tags={})
    assert version.version == "1"
    assert len(tracker.client.search_logged_models([tracker.experiment_id])) == 1


def _kill(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.mark.parametrize("harm", ["dropped", "altered", "exchanged"])
def test_a_harmed_version_is_refused_and_replaced(tracker, register, tmp_path, harm):
    version = register(1)
    weights = _files(version) / "weights.safetensors"
    if harm == "dropped":
        weights.unlink()
    elif harm == "altered":
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    else:
        write_bundle(_files(version), small_bundle(2))
    with pytest.raises((ArtifactError, ServiceError)):
        registered_bundles.fetch_bundle(NAME, "1", tracker.tracking_uri)
    write_bundle(tmp_path / "models" / "candidate", small_bundle(1, version.run_id))
    again = registered_bundles.register_bundle(
        tracker, version.run_id, tmp_path / "models" / "candidate", NAME, program=MLFLOW_PROGRAM, tags={}
    )
    assert registered_bundles.fetch_bundle(NAME, "challenger", tracker.tracking_uri).digest == again.bundle_digest


def test_a_store_that_drops_artifacts_is_a_service_error_and_no_challenger(tracker, register, monkeypatch):
    upload = tracker.client.log_model_artifacts

    def drop(model_id, folder):
        (Path(folder) / "artifacts" / "bundle" / "card.json").unlink()
        upload(model_id, folder)

    monkeypatch.setattr(tracker.client, "log_model_artifacts", drop)
    with pytest.raises(ServiceError, match="give back the bundle"):
        register(1)
    assert versions.find_version(NAME, "challenger", tracker.tracking_uri) is None


def test_a_broken_bundle_is_not_registered(tracker, tmp_path):
    write_bundle(tmp_path / "candidate", small_bundle(1))
    (tmp_path / "candidate" / "plan.json").unlink()
    with pytest.raises(ArtifactError):
        registered_bundles.register_bundle(
            tracker, tracker.start_run("x"), tmp_path / "candidate", NAME, program=MLFLOW_PROGRAM, tags={}
        )
    assert versions.list_models(tracker.tracking_uri) == ()


def test_an_unusable_model_name_is_a_service_error(tracker, register, monkeypatch):
    def refuse(name):
        raise MlflowException("no")

    monkeypatch.setattr(tracker.client, "create_registered_model", refuse)
    with pytest.raises(ServiceError):
        register(1)


@pytest.fixture
def team(tmp_path, monkeypatch):
    """A pair of keys; the public one is trusted, the private one signs."""
    key = make_keys(tmp_path / "team")
    monkeypatch.setenv("LESIONFLOW_SIGNING_KEY", str(tmp_path / "team" / PRIVATE))
    monkeypatch.setenv("LESIONFLOW_TRUSTED_KEYS", str(tmp_path / "team" / PUBLIC))
    return key


def test_all_that_mlflow_keeps_of_a_version_is_sealed(tracker, register, team, monkeypatch):
    version = register(1)
    assert version.tags["signed_by"] == team.key_id
    # What mlflow adds when it loads a version itself.
    (_files(version).parents[1] / "registered_model_meta").write_text(f"model_name: {NAME}\nmodel_version: '1'\n")
    assert registered_bundles.fetch_bundle(NAME, "1", tracker.tracking_uri).seal.trusted
    program = _files(version).parents[1] / MLFLOW_PROGRAM.name
    whole = program.read_text()
    program.write_text(f"import os\n{whole}")
    for trusted in (True, False):
        if not trusted:
            monkeypatch.delenv("LESIONFLOW_TRUSTED_KEYS")
        with pytest.raises(ArtifactError, match=MLFLOW_PROGRAM.name):
            registered_bundles.fetch_bundle(NAME, "1", tracker.tracking_uri)
    program.write_text(whole)
    (program.parent / "evil.py").write_text("")
    with pytest.raises(ArtifactError, match=r"evil\.py"):
        registered_bundles.fetch_bundle(NAME, "1", tracker.tracking_uri)


def test_exchanged_files_with_a_changed_tag_are_refused_where_a_key_is_trusted(tracker, register, team, monkeypatch):
    version, stored = register(1), None
    stored = _files(version).parents[1]
    monkeypatch.delenv("LESIONFLOW_SIGNING_KEY")
    digest = write_bundle(_files(version), small_bundle(2))
    seal = sign_bundle(stored, None)
    tags = {"bundle_digest": digest, "manifest_sha256": seal.manifest_sha256, "signed_by": team.key_id}
    registered_bundles.tag_version(NAME, "1", tags, tracker.tracking_uri)
    with pytest.raises(ArtifactError, match="unsigned"):
        registered_bundles.fetch_bundle(NAME, "1", tracker.tracking_uri)
    (stored / MANIFEST).unlink()
    with pytest.raises(ArtifactError, match="exchanged"):
        registered_bundles.fetch_bundle(NAME, "1", tracker.tracking_uri)


def test_a_version_from_before_there_were_seals_is_unsigned_and_is_sealed_when_registered_again(
    tracker, register, tmp_path, monkeypatch
):
    version = register(1)
    stored = _files(version).parents[1]
    for folder in (stored, _files(version)):
        (folder / MANIFEST).unlink()
    for tag in ("manifest_sha256", "signed_by"):
        tracker.client.delete_model_version_tag(NAME, "1", tag)
    assert not registered_bundles.fetch_bundle(NAME, "1", tracker.tracking_uri).seal.manifest_sha256
    candidate = tmp_path / "models" / "candidate"
    key = make_keys(tmp_path / "team")
    monkeypatch.setenv("LESIONFLOW_TRUSTED_KEYS", str(tmp_path / "team" / PUBLIC))
    with pytest.raises(ArtifactError, match="unsigned"):
        registered_bundles.fetch_bundle(NAME, "1", tracker.tracking_uri)
    with pytest.raises(ConfigError, match="LESIONFLOW_SIGNING_KEY"):
        registered_bundles.register_bundle(tracker, version.run_id, candidate, NAME, program=MLFLOW_PROGRAM, tags={})
    monkeypatch.setenv("LESIONFLOW_SIGNING_KEY", str(tmp_path / "team" / PRIVATE))
    monkeypatch.delenv("LESIONFLOW_TRUSTED_KEYS")
    again = registered_bundles.register_bundle(
        tracker, version.run_id, candidate, NAME, program=MLFLOW_PROGRAM, tags={}
    )
    assert (again.version, again.tags["signed_by"]) == ("1", key.key_id)
    monkeypatch.setenv("LESIONFLOW_TRUSTED_KEYS", str(tmp_path / "team" / PUBLIC))
    assert registered_bundles.fetch_bundle(NAME, "1", tracker.tracking_uri).seal.trusted


def test_two_that_register_one_bundle_at_once_keep_the_first_version(tracker, tmp_path, monkeypatch):
    run_id = tracker.start_run("train")
    write_bundle(tmp_path / "bundle", small_bundle(1, run_id))

    def register(_=0):
        return registered_bundles.register_bundle(
            tracker, run_id, tmp_path / "bundle", NAME, program=MLFLOW_PROGRAM, tags={}
        )

    with ThreadPoolExecutor(2) as pool:
        assert [one.version for one in pool.map(register, range(2))] == ["1", "1"]
    # Two behind a server don't wait for one another: this one saw no version when it began.
    monkeypatch.setattr(registered_bundles, "list_versions", lambda *_: ())
    assert register().version == "1"
    (version,) = versions.list_versions(NAME, tracker.tracking_uri)
    assert (version.version, version.aliases) == ("1", ("challenger",))
