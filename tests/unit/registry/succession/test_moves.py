import mlflow
import pytest

from lesionflow.errors import ArtifactError, ConflictError
from lesionflow.registry.succession import carry_out, current_champion
from lesionflow.registry.versions import find_version
from support.champions import FACTS, NAME, SET_ALIAS, aliases, kinds


def test_another_program_that_moves_the_alias_at_the_same_moment_is_noticed(uri, ledger, monkeypatch):
    carry_out(NAME, "1", None, FACTS, ledger, uri)
    original = mlflow.MlflowClient.set_registered_model_alias

    def outrun(self, name, alias, version):
        original(self, name, alias, version)
        if alias == "champion":
            original(self, name, alias, "3")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, SET_ALIAS, outrun)
        with pytest.raises(ConflictError, match="Another program made version 3 champion"):
            carry_out(NAME, "2", "1", FACTS, ledger, uri)
    assert kinds(ledger)[-2:] == ["decision", "undone"]
    with pytest.raises(ArtifactError, match=r"Expected version 1 to be champion .*, found version 3"):
        current_champion(NAME, ledger, uri)


def test_a_training_run_that_was_deleted_leaves_the_record_and_the_change(uri, ledger):
    version = find_version(NAME, "1", uri)
    mlflow.MlflowClient(uri).delete_run(version.run_id)
    assert carry_out(NAME, "1", None, FACTS, ledger, uri) == (None, "1")
    assert kinds(ledger) == ["decision", "champion"]


def test_a_version_whose_bytes_changed_never_becomes_champion(uri, ledger, flipped):
    carry_out(NAME, "1", None, FACTS, ledger, uri)
    with flipped(find_version(NAME, "2", uri)), pytest.raises(ArtifactError):
        carry_out(NAME, "2", "1", FACTS, ledger, uri)
    assert aliases(uri)["1"] == {"champion"}
    assert kinds(ledger) == ["decision", "champion"]
