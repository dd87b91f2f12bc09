"""A patient leaves a project store: nothing there is of the patient, and what pods go on from is whole for all others."""

import pytest

from lesionflow.cli import main
from lesionflow.config import Settings
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.project_store.store import ProjectStore
from lesionflow.io.redaction import mentions
from lesionflow.io.stores.case_index import harmed_files, read_case_index
from lesionflow.io.stores.tombstones import read_tombstones
from lesionflow.steps import run_step
from lesionflow.steps.kept_output import claim_key
from lesionflow.workspace.withdrawal.project_store import clean_store, with_kept_cases
from lesionflow.workspace.withdrawal.subject import find_subject
from support.planted import OTHERS, WHO, PlantedWorkspace


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("planted")
        planted = PlantedWorkspace(folder, folder / "private", patch, with_models=False)
        planted.settings = Settings()
        planted.subject = find_subject(planted.work, WHO, planted.settings)
        yield planted


def files_of(made):
    return [path for path in made.project_store.rglob("*") if path.is_file()]


def test_nothing_of_the_patient_is_left_and_the_others_are_gone_on_from(made, tmp_path, monkeypatch):
    assert sum(mentions(path, made.subject.words) for path in files_of(made)) > 5
    # As after a first withdrawal, when the workspace knows no case of the patient any more.
    gone = made.subject._replace(words=(made.subject.patient_id,), case_ids=(), files=())
    later = with_kept_cases(str(made.project_store), gone, made.settings)
    assert later.case_ids == (made.case_id,)
    assert with_kept_cases("", gone, made.settings) == gone
    assert clean_store(str(made.project_store), later, made.settings) > 5
    assert not [path for path in files_of(made) if mentions(path, made.subject.words)]
    store = ProjectStore(str(made.project_store))
    for name in ("cases", "preprocessed", "splits"):
        store.restore(store.latest(name), tmp_path / name)
    index = read_case_index(tmp_path / "cases")
    assert sorted(index) == sorted(made.others)
    assert not any(harmed_files(tmp_path / "cases", entry) for entry in index.values())
    assert made.subject.mark in read_tombstones(tmp_path / "cases")
    assert {path.stem for path in (tmp_path / "preprocessed").glob("*.lfc")} == set(made.others)
    # The next run of the pipeline reads nobody anew, and not the patient, whose studies lie there still.
    monkeypatch.setenv("LESIONFLOW_PRIVATE_DIR", str(made.private))
    counts = run_step(
        "ingest",
        made.params["ingest"] | {"max_rejected_fraction": 0.9},
        {"raw": made.path("raw")},
        {"cases": tmp_path / "next"},
        project_store=str(made.project_store),
    )
    assert (counts["n_kept"], counts["n_refused"], counts["n_cases"]) == (len(OTHERS), 1, len(OTHERS))
    assert clean_store(str(made.project_store), made.subject, made.settings) >= 0


def test_a_store_that_was_harmed_is_left_as_it_is(made, tmp_path):
    store = ProjectStore(str(tmp_path))
    edition = store.save("cases", made.path("cases"), None)
    digest, _ = edition.files["dataset.json"]
    (tmp_path / "objects" / digest[:2] / digest).write_text("other")
    claim_key(store, made.settings)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with pytest.raises(ArtifactError, match="found other bytes"):
        clean_store(str(tmp_path), made.subject, made.settings)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_an_address_where_nothing_is_kept_is_refused_before_anything_goes(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LESIONFLOW_PRIVATE_DIR", str(made.private))
    before = sorted(made.work.rglob("*"))
    command = ["data", "withdraw", WHO, "--workdir", str(made.work), "--project-store", str(tmp_path / "mistyped")]
    assert main(command) == ConfigError.exit_code
    assert "found nothing there" in capsys.readouterr().err
    assert sorted(made.work.rglob("*")) == before
    assert not (made.private / "withdrawing.json").exists()


def test_another_teams_store_is_refused_and_none_of_its_editions_goes(made, tmp_path):
    store = ProjectStore(str(tmp_path))
    first = store.save("cases", made.path("cases"), None)
    (made.path("cases") / "later").write_text("x")
    store.save("cases", made.path("cases"), first)
    (made.path("cases") / "later").unlink()
    claim_key(store, Settings(pseudonym_key="another team's"))
    with pytest.raises(ArtifactError, match="another key"):
        clean_store(str(tmp_path), made.subject, made.settings)
    assert [edition.number for edition in store.editions("cases")] == [1, 2]
