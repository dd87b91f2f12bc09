"""A version kept on disk is the registered one, whole; what is not is refused before it is used."""

import pytest

from lesionflow.errors import ArtifactError
from lesionflow.io.signing.bundle_manifest import INNER
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.prediction.served_model import load_kept, load_model
from lesionflow.registry import registered_bundles
from lesionflow.registry.kept_versions import keep_version
from lesionflow.registry.tracking import Tracker
from support.served_models import write_untrained_bundle
from support.stores import empty_store

NAME = "lesionflow-kept"


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    tracker = Tracker(empty_store(folder), "phantoms")
    bundle = write_untrained_bundle(folder / "bundle", {"CT": "ct"})
    registered_bundles.register_bundle(
        tracker, tracker.start_run("train"), bundle, NAME, program=MLFLOW_PROGRAM, tags={}
    )
    return tracker.tracking_uri


def test_what_is_kept_is_what_is_fetched(tracking_uri, tmp_path):
    found = keep_version(NAME, "challenger", tracking_uri, tmp_path / "kept")
    kept = load_kept(tmp_path / "kept", NAME, found.version, found.bundle_digest)
    fetched = load_model("1", NAME, tracking_uri)
    assert (kept.name, kept.version, kept.bundle.digest) == (NAME, "1", fetched.bundle.digest)
    assert kept.bundle.seal == fetched.bundle.seal


def test_a_byte_that_changes_on_the_disk_is_seen_when_it_is_loaded(tracking_uri, tmp_path):
    found = keep_version(NAME, "1", tracking_uri, tmp_path / "kept")
    weights = tmp_path / "kept" / INNER / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ArtifactError, match="weights"):
        load_kept(tmp_path / "kept", NAME, found.version, found.bundle_digest)


def test_another_whole_bundle_in_its_place_is_refused(tracking_uri, tmp_path):
    other = write_untrained_bundle(tmp_path / "other", {"CT": "ct"}, seed=9)
    with pytest.raises(ArtifactError, match="exchanged"):
        load_kept(other, NAME, "1", load_model("1", NAME, tracking_uri).bundle.digest)


def test_a_version_that_is_not_there_leaves_nothing(tracking_uri, tmp_path):
    with pytest.raises(ArtifactError):
        keep_version(NAME, "7", tracking_uri, tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []
