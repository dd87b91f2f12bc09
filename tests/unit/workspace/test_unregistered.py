"""Results that DVC takes for done, of which the store at hand knows nothing."""

import pytest

from lesionflow.io.stores.registrations import Registration, write_registration
from lesionflow.registry import versions
from lesionflow.registry.versions import RegisteredVersion
from lesionflow.workspace.unregistered import registered_at, registration_of, unknown_here

THERE = Registration(model_name="knees", version="3", run_id="r", bundle_digest="ab12", alias="challenger")
STORE = "postgresql://me:s3cret@db/runs"


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "reports").mkdir()
    write_registration(tmp_path / "reports" / "registration.json", THERE)
    return tmp_path


def known(monkeypatch, digest):
    fields = dict.fromkeys(RegisteredVersion._fields) if hasattr(RegisteredVersion, "_fields") else None
    version = None
    if digest is not None:
        version = RegisteredVersion(**(fields | {"version": "3", "bundle_digest": digest, "aliases": ()}))
    monkeypatch.setattr(versions, "find_version", lambda *_: version)


@pytest.mark.parametrize(("digest", "said"), [(None, "does not know version 3"), ("other", "holds another model as")])
def test_a_store_that_knows_nothing_of_it_says_how(workspace, digest, said, monkeypatch):
    known(monkeypatch, digest)
    told = unknown_here(workspace, STORE)
    assert said in told
    assert "MLFLOW_TRACKING_URI" in told
    assert "s3cret" not in told


def test_one_that_knows_it_says_nothing(workspace, monkeypatch):
    known(monkeypatch, "ab12")
    assert unknown_here(workspace, STORE) == ""


def test_where_nothing_was_registered_nothing_is_asked(tmp_path, workspace):
    assert registration_of(tmp_path / "none").model_name == ""
    assert registered_at(tmp_path / "none") == 0
    assert registered_at(workspace) > 0
    write_registration(
        workspace / "reports" / "registration.json",
        THERE.model_copy(update={"version": "", "experiment": "brave-newt"}),
    )
    assert registration_of(workspace).experiment == "brave-newt"
    assert unknown_here(workspace, STORE) == ""
