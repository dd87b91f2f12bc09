"""A planted patient is withdrawn, and looked for in every file by other means: packed, tabled, in the database, in DVC's objects."""

import gzip
import io
import json
import shutil
import sqlite3
import zipfile
from pathlib import Path

import blosc2
import nibabel
import numpy as np
import pytest
from pyarrow import parquet

from lesionflow.cli import main
from lesionflow.config import Settings
from lesionflow.data.ledger import EntryKind
from lesionflow.errors import ConfigError
from lesionflow.io.stores.cases import read_table
from lesionflow.io.stores.ledger import ledger_path, read_ledger
from lesionflow.io.stores.splits import read_split
from lesionflow.registry.erasure import Learned
from lesionflow.registry.shared_state import latest_snapshot
from lesionflow.registry.succession import bars
from lesionflow.registry.versions import RegisteredVersion, list_versions
from lesionflow.steps import run_step
from lesionflow.steps.shared_state import fetch_shared
from lesionflow.workspace.withdrawal.subject import find_subject
from lesionflow.workspace.withdrawal.withdrawing import withdraw
from support.planted import MODEL, OTHERS, WHO, PlantedWorkspace


def contents(path: Path):
    """Everything that a file holds, unpacked by the standard library, pyarrow and sqlite3."""
    raw = path.read_bytes()
    yield raw
    if raw[:2] == b"\x1f\x8b":
        yield gzip.decompress(raw)
    if raw[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for name in archive.namelist():
                member = archive.read(name)
                yield member
                if name in ("image", "mask"):
                    yield np.ascontiguousarray(blosc2.ndarray_from_cframe(member)[:]).tobytes()
    if raw[:4] == b"PAR1":
        yield str(parquet.read_table(io.BytesIO(raw)).to_pylist()).encode()
    if raw[:15] == b"SQLite format 3":
        with sqlite3.connect(path) as database:
            yield "\n".join(database.iterdump()).encode()


def found_in(roots, needles):
    """Which files below some folders hold which needles, in name or content."""
    found = {}
    for root in roots:
        for path in sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink()):
            parts = [path.name.encode(), *contents(path)]
            hit = {name for name, needle in needles.items() if any(needle in part for part in parts)}
            if hit:
                found[path.relative_to(root.parent).as_posix()] = hit
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("planted")
    planted = PlantedWorkspace(folder, folder / "private", patch)
    voxels = np.asarray(nibabel.load(planted.path("raw") / "images" / f"{WHO}_CT.nii.gz").dataobj)
    planted.needles = {
        "id": WHO.encode(), "patient": planted.patient_id.encode(), "case": planted.case_id.encode(),
        # A slice that no other patient has: as studies and cases hold it, and as arrays do.
        "voxels": np.ascontiguousarray(voxels.T[2]).tobytes(),
        "array": np.ascontiguousarray(voxels.T[2].astype(np.float32)).tobytes(),
    }  # fmt: skip
    yield planted
    patch.undo()


@pytest.fixture(scope="module")
def withdrawn(made):
    places = (made.work, made.remote, made.private, made.project_store)
    made.before = found_in(places, made.needles)
    # A kill in the midst of the last part: all but the end is done, and the next call finishes it.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lesionflow.workspace.withdrawal.withdrawing.write_report", killed)
        command = ["data", "withdraw", WHO, "--workdir", str(made.work), "--project-store", str(made.project_store)]
        assert main(command) != 0
    made.journal_after_kill = (made.private / "withdrawing.json").exists()
    assert main(["data", "withdraw", WHO, "--workdir", str(made.work)]) == 0
    made.after = found_in(places, made.needles)
    (report,) = (made.work / "reports" / "withdrawals").glob("*.json")
    made.report = json.loads(report.read_text())
    return made


@pytest.fixture(autouse=True)
def _team(made, monkeypatch):
    """Each test has a private folder of its own, unless the team's is named."""
    monkeypatch.setenv("LESIONFLOW_PRIVATE_DIR", str(made.private))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", made.uri)


def killed(*_):
    raise KeyboardInterrupt


def test_the_patient_was_everywhere_before(withdrawn):
    """What is looked for can be found: else finding nothing would say nothing."""
    held = {needle for hit in withdrawn.before.values() for needle in hit}
    assert held == set(withdrawn.needles)
    for place in (
        "work/data/raw/images", "work/data/cases/cases.parquet", "work/data/cases/thumbnails", "work/data/preprocessed/", "work/mlflow.db",
        "work/data/splits.json", "work/reports/evaluation/", "work/mlartifacts/", "work/.dvc/cache/", "work-store/", "private/sources.json",
        "project-store/objects/", "project-store/editions/",
    ):  # fmt: skip
        assert any(name.startswith(place) for name in withdrawn.before), place


def test_afterwards_nothing_holds_the_patient_but_what_is_listed(withdrawn):
    kept = "\n".join(withdrawn.report["kept"])
    snapshots = f"mlartifacts/{MODEL}.state"
    assert f"{snapshots}: " in kept
    elsewhere = ("work/.git/", f"work/{snapshots}/")
    unlisted = {
        name: hit
        for name, hit in withdrawn.after.items()
        if name.removeprefix("work/") not in kept and not name.startswith(elsewhere)
    }
    assert unlisted == {}
    left = {name for name in withdrawn.after if not name.startswith(elsewhere)}
    assert {name for name in left if "/models/" not in name} == {"work/data/ledger.jsonl"}
    assert not any(hit & {"id", "voxels", "array"} for hit in withdrawn.after.values())


def test_what_the_model_shares_can_still_be_read_and_leaves_the_patient_out(withdrawn):
    """In whatever store it lies: older snapshots are sealed, the newest names the patient in its ledger alone."""
    snapshot = latest_snapshot(MODEL, withdrawn.uri)
    named = [name for name, content in snapshot.files.items() if withdrawn.patient_id.encode() in content]
    assert named == ["ledger.jsonl"]
    assert b'"withdrawal"' in snapshot.files["ledger.jsonl"]
    assert fetch_shared(withdrawn.path("splits"), MODEL, withdrawn.uri)
    assert withdrawn.patient_id not in read_split(withdrawn.path("splits")).test_patients


def test_who_learned_is_barred_by_the_ledger(withdrawn):
    assert set(bars(read_ledger(ledger_path(withdrawn.path("splits"))), MODEL)) == {"1"}


def test_the_commit_that_names_the_patient_is_listed_with_the_way_to_mend_it(withdrawn):
    (told,) = [line for line in withdrawn.report["kept"] if line.startswith("git history")]
    assert "filter-repo" in told


def test_others_stay_as_they_were(withdrawn):
    split = read_split(withdrawn.path("splits"))
    assert split.test == tuple(withdrawn.others[1:])
    assert len(split.test_patients) == 2
    assert split.folds[0].train == (withdrawn.others[0],)
    assert list(read_table(withdrawn.path("cases"))["case_id"]) == sorted(withdrawn.others)
    for who in OTHERS:
        assert (withdrawn.path("raw") / "images" / f"{who}_CT.nii.gz").is_file()
    for case in withdrawn.others:
        assert (withdrawn.path("preprocessed") / f"{case}.lfc").is_file()
    declared = json.loads((withdrawn.path("cases") / "dataset.json").read_text())
    assert declared["numTraining"] == 3
    names = (withdrawn.path("raw").with_name("raw.sha256")).read_text()
    assert all(who in names for who in OTHERS)


def test_the_models_that_learned_are_named_with_what_that_obliges_to(withdrawn):
    (told,) = withdrawn.report["obligations"]
    assert f"{MODEL} version 1 (it is champion)" in told
    assert "train anew without the patient" in told
    assert "barred: neither the gate nor a rollback" in told
    tags = {version.version: version.tags for version in list_versions(MODEL, withdrawn.uri)}
    assert "learned_from_withdrawn" in tags["1"]
    assert "learned_from_withdrawn" not in tags["2"]


def test_the_ledger_has_it_by_tombstone_alone_and_verifies(withdrawn):
    entries = [e for e in read_ledger(ledger_path(withdrawn.path("splits"))) if e.kind is EntryKind.WITHDRAWAL]
    assert withdrawn.patient_id not in json.dumps([dict(entry.facts) for entry in entries])
    assert {entry.facts["patient"] for entry in entries} == {withdrawn.report["patient"]}


def test_a_kill_left_a_journal_and_the_end_none(withdrawn):
    assert withdrawn.journal_after_kill
    assert not (withdrawn.private / "withdrawing.json").exists()


def test_once_more_finds_nothing_to_do(withdrawn, capsys):
    assert main(["data", "withdraw", withdrawn.patient_id, "--workdir", str(withdrawn.work)]) == 0
    said = capsys.readouterr().out
    assert "0 files of studies" in said
    assert "0 objects of DVC" in said
    with pytest.raises(ConfigError, match="found no study"):
        find_subject(withdrawn.work, "nobody", Settings())


def test_what_comes_back_is_refused_until_it_is_readmitted(withdrawn, tmp_path):
    """Files of the same name, added to a copy of the cases and studies that are left."""
    raw, cases = (shutil.copytree(withdrawn.path(n), tmp_path / n) for n in ("raw", "cases"))
    for kind in ("images", "masks"):
        shutil.copyfile(raw / kind / f"{OTHERS[0]}_CT.nii.gz", raw / kind / f"{WHO}_CT.nii.gz")
    config = {**withdrawn.params["ingest"], "max_rejected_fraction": 0.9}
    figures = run_step("ingest", config, {"raw": raw}, {"cases": cases})
    (refused,) = json.loads((cases / "rejected.json").read_text())
    assert (refused["reason"], figures["n_cases"]) == ("withdrawn_patient", 3.0)
    assert main(["data", "withdraw", WHO, "--readmit", "--workdir", str(withdrawn.work)]) == 0
    shutil.copyfile(withdrawn.path("cases") / "withdrawn.json", cases / "withdrawn.json")
    assert run_step("ingest", config, {"raw": raw}, {"cases": cases})["n_cases"] == 4.0


def test_a_later_call_with_a_project_store_is_added_to_the_report(tmp_path, monkeypatch):
    """The pipeline went on from the store meanwhile: what learned from the cases that only the store has is barred too."""
    planted = PlantedWorkspace(tmp_path, tmp_path / "private", monkeypatch, with_models=False)
    split = read_split(planted.path("splits")).model_copy(update={"model_name": ""})
    planted.path("splits").write_text(split.model_dump_json())
    asked = []
    version = RegisteredVersion("knees", "3", (), "run", "digest", "", "", {})

    def learned(uri, case_ids):
        asked.append(tuple(case_ids))
        return (Learned(version, "learned from the patient"),) if len(asked) == 3 else ()

    monkeypatch.setattr("lesionflow.workspace.withdrawal.withdrawing.find_learned", learned)
    settings, uri = Settings(), f"sqlite:///{tmp_path}/none.db"

    def call(**more):
        withdraw(planted.work, WHO, uri, settings, lambda _: None, **more)
        (report,) = (planted.work / "reports" / "withdrawals").glob("*.json")
        entries = read_ledger(ledger_path(planted.path("splits")))
        return json.loads(report.read_text()), report.with_suffix(".md").read_text(), entries

    first, _, entries = call()
    assert (first["n_cases"], len(entries)) == (1, 1)
    assert any("--project-store" in line for line in first["kept"])
    assert call()[0] == first
    told, page, entries = call(project_store=str(planted.project_store))
    assert asked == [(planted.case_id,), (), (planted.case_id,)]
    n_objects = told["removed"]["objects of the project store"]
    assert n_objects > 5
    assert told["removed"] == {**first["removed"], "objects of the project store": n_objects}
    assert f"objects of the project store: {n_objects}" in page
    assert told["n_cases"] == 1
    assert not any("--project-store" in line for line in told["kept"])
    assert told["learned"] == ["knees version 3: learned from the patient"]
    assert len(entries) == 2
    assert set(bars(entries, "knees")) == {"3"}
