import shutil
from pathlib import Path

import mlflow
import pytest

from lesionflow.data.ledger import EntryKind
from lesionflow.errors import ArtifactError
from lesionflow.io.stores.ledger import append_entry
from lesionflow.registry.succession import carry_out, current_champion, promote_by_hand, roll_back, verify_versions
from lesionflow.registry.versions import find_version, set_alias

NAME = "lesionflow-knees"


@pytest.fixture
def second(uri, ledger):
    """Champions were 1 and 2."""
    carry_out(NAME, "1", None, {"promote": True}, ledger, uri)
    carry_out(NAME, "2", "1", {"promote": True}, ledger, uri)
    return uri


def broken(uri, ledger, version=None):
    return {f.what: f.detail for f in verify_versions(NAME, version, ledger, uri) if not f.held}


def test_all_holds_and_a_flipped_bit_is_named_by_its_version(second, ledger, flipped):
    found = verify_versions(NAME, None, ledger, second)
    versions = [what for n in (3, 2, 1) for what in (f"version {n}", f"version {n}, steps")]
    assert [f.what for f in found if f.held] == ["ledger", *versions, "champion"]
    assert all("not attested" in f.detail for f in found if f.what.endswith("steps"))
    with flipped(find_version(NAME, "2", second)):
        assert set(broken(second, ledger)) == {"version 2"}
        assert broken(second, ledger, "champion")
        assert broken(second, ledger, "1") == {}
    with pytest.raises(ArtifactError, match="'9'"):
        verify_versions(NAME, "9", ledger, second)
    assert verify_versions(NAME, "1", None, second)[0].what == "ledger"


def test_an_alias_that_the_ledger_does_not_know_and_a_deleted_champion_are_told(second, ledger):
    set_alias(NAME, "champion", "3", second)
    assert "Expected version 2 by the ledger, found 3" in broken(second, ledger, "1")["champion"]
    set_alias(NAME, "champion", "2", second)
    set_alias(NAME, "previous", "3", second)
    assert "Expected 1, where a rollback goes to, found 3" in broken(second, ledger, "1")["previous"]
    mlflow.MlflowClient(second).delete_model_version(NAME, "2")
    assert "where it was deleted" in broken(second, ledger, "1")["champion"]


def test_a_barred_champion_a_change_not_ended_and_an_altered_ledger_are_told(second, ledger):
    append_entry(ledger, EntryKind.BARRED, {"model_name": NAME, "version": "2", "reason": "a patient withdrew"})
    append_entry(ledger, EntryKind.ROLLBACK, {"model_name": NAME, "version": "1", "before": "2"})
    assert set(broken(second, ledger, "1")) == {"bars", "unfinished"}
    ledger.write_text(ledger.read_text().replace("a patient withdrew", "nothing at all"))
    assert "restore it from git" in broken(second, ledger, "1")["ledger"]


def test_bytes_and_their_digest_that_were_exchanged_together_are_told_by_the_ledger(second, ledger):
    """Who may write to MLflow's store can change both there; the ledger lies elsewhere."""
    one, three = (find_version(NAME, version, second) for version in ("1", "3"))
    folder, other = (Path(v.source.removeprefix("file://")) for v in (one, three))
    kept = shutil.copytree(folder, ledger.parent / "kept")
    try:
        shutil.rmtree(folder)
        shutil.copytree(other, folder)
        for tag in ("bundle_digest", "manifest_sha256"):
            mlflow.MlflowClient(second).set_model_version_tag(NAME, "1", tag, three.tags[tag])
        assert "were exchanged together" in broken(second, ledger)["version 1"]
        with pytest.raises(ArtifactError, match="were exchanged together"):
            roll_back(NAME, ledger, second, name="A. Smith", reason="misses small tumors")
    finally:
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
    assert find_version(NAME, "champion", second).version == "2"


def test_a_champion_that_was_merely_found_is_not_called_as_the_ledger_says(uri, ledger):
    set_alias(NAME, "champion", "2", uri)
    current_champion(NAME, ledger, uri)
    told = broken(uri, ledger, "1")["champion"]
    assert "version 2 was found as champion in MLflow, by no decision of this ledger" in told
    promote_by_hand(NAME, "2", name="A. Smith", reason="asked for", ledger=ledger, tracking_uri=uri)
    assert broken(uri, ledger, "1") == {}
