import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lesionflow.cli import main
from lesionflow.cli.cohort.data_commands import add_copies
from lesionflow.config import load_params
from lesionflow.config.presets import PRESETS as PRESETS_FOLDER
from lesionflow.data.split import Fold, Split
from lesionflow.errors import DataQualityError
from lesionflow.io.stores.cases import read_table
from lesionflow.io.stores.splits import read_split, write_split
from lesionflow.steps import run_step
from lesionflow.workspace.layout import step_paths
from support.dicom_factory import ROOT, write_rtstruct, write_series
from support.identifiers import leaked, plant_identifiers
from support.tumor_series import SHAPE, SQUARE, body

PRESET = PRESETS_FOLDER / "phantom_ct.yaml"


def write_patients(folder, numbers):
    for number in numbers:
        uids = {"patient_id": f"P^{number}", "study_uid": f"{ROOT}.{number}", "frame_uid": f"{ROOT}.{number}.9"}
        ct = write_series(folder / f"P^{number}" / "CT", shape=SHAPE, stored=body(number), **uids)
        write_rtstruct(folder / f"P^{number}" / "RS", ct, SQUARE)
    return folder


def make_workspace(folder):
    """Make a workspace for tiny studies below a folder."""
    params = load_params(PRESET)
    params["validate"] |= {"min_shape": [3, 9, 12]}
    params["plan"] |= {"patch_size": [3, 32, 32], "batch_size": 2}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    assert main(["init", str(folder / "work"), "--preset", str(folder / "params.yaml")]) == 0
    return folder / "work"


@pytest.fixture
def work(tmp_path):
    return make_workspace(tmp_path)


def data(work, *arguments):
    return main(["data", *map(str, arguments), "--workdir", str(work)])


def run_steps(work, names=("ingest", "validate", "split", "plan", "preprocess")):
    params = load_params(work / "params.yaml")
    return {name: run_step(name, params[name], *step_paths(name, work)) for name in names}


def test_adding_five_patients_to_twenty_costs_five(tmp_path, work, caplog):
    caplog.set_level("INFO")
    assert data(work, "add", write_patients(tmp_path / "first", range(1, 21))) == 0
    assert run_steps(work)["preprocess"]["n_made"] == 20
    old = read_split(work / "data" / "splits.json")
    arrays = {p.name: p.stat().st_mtime_ns for p in (work / "data" / "preprocessed").glob("*.lfc")}

    caplog.clear()
    assert data(work, "add", write_patients(tmp_path / "later", range(21, 26))) == 0
    counts = run_steps(work)
    assert (counts["ingest"]["n_read"], counts["ingest"]["n_kept"]) == (5, 20)
    assert (counts["preprocess"]["n_made"], counts["preprocess"]["n_kept"]) == (5, 20)
    for words in (
        "Reading 5 studies; 20 are read already.",
        "Preprocessing 5 cases; 20 are made already.",
        "5 patients are new; the 5 tested on before stay so",
    ):
        assert words in caplog.text
    now = {p.name: p.stat().st_mtime_ns for p in (work / "data" / "preprocessed").glob("*.lfc")}
    assert arrays.items() <= now.items(), "the arrays of before were not touched"
    new = read_split(work / "data" / "splits.json")
    assert set(old.test) < set(new.test)
    assert not {*old.train, *old.validation} & set(new.test)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A workspace with six patients, recorded by DVC, and the private folder beside it."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LESIONFLOW_PRIVATE_DIR", str(folder / "private"))
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        made = make_workspace(folder)
        data(made, "add", write_patients(folder / "first", range(1, 7)), "--keep-identifiers")
        subprocess.run([sys.executable, "-m", "dvc", "repro", "-q", "ingest"], cwd=made, check=True)
    return folder


@pytest.fixture
def recorded(tmp_path, template, monkeypatch):
    """A copy of that workspace, with the key that its pseudonyms were made with."""
    monkeypatch.setenv("LESIONFLOW_PRIVATE_DIR", str(template / "private"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return shutil.copytree(template / "work", tmp_path / "work")


def test_diff_says_in_words_what_changed_and_writes_nothing(tmp_path, recorded, capsys):
    before = {p: p.read_bytes() for p in (recorded / "data" / "cases").rglob("*") if p.is_file()}
    assert data(recorded, "diff") == 0
    assert "nothing changed" in capsys.readouterr().out
    data(recorded, "add", write_patients(tmp_path / "later", (7, 8)))
    shutil.rmtree(recorded / "data" / "raw" / "first" / "P^2")
    rs = next((recorded / "data" / "raw" / "first" / "P^3" / "RS").parent.glob("RS*"))
    study = tmp_path / "redrawn" / "first" / "P^3"
    uids = {"patient_id": "P^3", "study_uid": f"{ROOT}.3", "frame_uid": f"{ROOT}.3.9"}
    ct = write_series(study / "CT", shape=SHAPE, stored=body(3), **uids)
    write_rtstruct(rs, ct, {"GTV_Mass": [*SQUARE["GTV_Mass"], (2, SQUARE["GTV_Mass"][0][1])]})
    assert data(recorded, "diff") == 0
    said = capsys.readouterr().out
    assert "Against the last run (6 cases of 6 patients):" in said
    assert "2 cases added, of 2 new patients: c-" in said
    assert "1 case gone, of 1 patient who have none left: c-" in said
    assert "outline of 0.03 ml now 0.06 ml" in said
    assert "labels: tumor in 6 cases, now 7" in said
    assert {p: p.read_bytes() for p in (recorded / "data" / "cases").rglob("*") if p.is_file()} == before
    assert "P^" not in said


def test_verify_names_the_changed_file_and_nothing_runs_on_it(recorded, capsys):
    assert data(recorded, "verify") == 0
    assert "every one is as it was recorded" in capsys.readouterr().out
    victim = sorted((recorded / "data" / "raw" / "first" / "P^4" / "CT").iterdir())[2]
    name = victim.relative_to(recorded).as_posix()
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1
    stat = victim.stat()
    victim.write_bytes(content)
    os.utime(victim, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert data(recorded, "verify") == 5
    assert f"changed       {name}" in capsys.readouterr().out
    assert main(["run", "--workdir", str(recorded)]) == 5
    assert name in capsys.readouterr().err
    with pytest.raises(Exception, match="found 1 files with other bytes, in 1 studies: c-"):
        run_steps(recorded, ("ingest",))
    victim.unlink()
    subprocess.run([sys.executable, "-m", "dvc", "checkout", "-q", "data/raw.dvc"], cwd=recorded, check=True)
    assert data(recorded, "verify") == 0


def test_verify_names_a_harmed_case(recorded, capsys):
    image = sorted((recorded / "data" / "cases" / "imagesTr").iterdir())[1]
    image.write_bytes(image.read_bytes()[:-3])
    assert data(recorded, "verify") == 5
    assert f"harmed        data/cases/imagesTr/{image.name}" in capsys.readouterr().out


def test_studies_come_back_from_the_remote(recorded, capsys):
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "push", "-q"], cwd=recorded, check=True)
    shutil.rmtree(recorded / "data" / "raw")
    (recorded / "data" / "raw.sha256").unlink()
    shutil.rmtree(recorded / ".dvc" / "cache")
    subprocess.run([*dvc, "pull", "-q", "data/raw.dvc", "data/raw.sha256.dvc"], cwd=recorded, check=True)
    assert data(recorded, "verify") == 0
    subprocess.run(["git", "add", "-A"], cwd=recorded, check=True)
    subprocess.run(["git", "commit", "-qm", "data"], cwd=recorded, check=True)
    assert data(recorded, "diff", "HEAD") == 0, "the table of a revision comes from the remote"
    assert "nothing changed" in capsys.readouterr().out
    listed = subprocess.run(["git", "ls-files"], cwd=recorded, check=True, capture_output=True, text=True).stdout
    assert "data/raw.dvc" in listed
    assert "data/raw.sha256\n" not in listed, "it names files, so it may name patients"


def test_two_branches_of_the_same_data_differ_only_in_what_differs(tmp_path, recorded, capsys):
    def run(*command):
        subprocess.run(command, cwd=recorded, check=True, capture_output=True)

    def kept(path):
        """Name and content of each file that DVC keeps of a folder on this branch."""
        lock = yaml.safe_load((recorded / "dvc.lock").read_text())["stages"]["ingest"]
        digest = {out["path"]: out["md5"] for out in lock["outs"] + lock["deps"]}[path]
        listed = json.loads((recorded / ".dvc/cache/files/md5" / digest[:2] / digest[2:]).read_text())
        return {(entry["relpath"], entry["md5"]) for entry in listed}

    def commit(number, branch):
        run("git", "checkout", "-qb", branch)
        data(recorded, "add", write_patients(tmp_path / branch, (number,)), "--keep-identifiers")
        run(sys.executable, "-m", "dvc", "repro", "-q", "ingest")
        run("git", "add", "-A")
        run("git", "commit", "-qm", branch)
        return kept("data/raw"), kept("data/cases")

    run("git", "add", "-A")
    run("git", "commit", "-qm", "six patients")
    march = commit(7, "march")
    run("git", "checkout", "-q", "-")
    run(sys.executable, "-m", "dvc", "checkout", "-q", "data/raw.dvc", "data/raw.sha256.dvc", "ingest")
    april = commit(8, "april")

    (only_march, only_april) = (
        {name for name, _ in one - two} for one, two in ((march[0], april[0]), (april[0], march[0]))
    )
    assert {tuple(Path(name).parts[:2]) for name in only_march} == {("march", "P^7")}
    assert {tuple(Path(name).parts[:2]) for name in only_april} == {("april", "P^8")}
    own = {name for name, _ in march[1] - april[1] if name.count("/")}
    assert len(own) == 3, "image, mask and thumbnail of one case; those of the six others are the same bytes"
    assert data(recorded, "verify") == 0
    capsys.readouterr()
    assert data(recorded, "diff", "march") == 0
    said = capsys.readouterr().out
    assert "Against git revision march (7 cases of 7 patients):" in said
    assert "1 case added, of 1 new patient: c-" in said
    assert "1 case gone, of 1 patient who have none left: c-" in said
    assert said.count("\n") == 3, said


def test_what_a_kill_left_of_dvcs_files_is_written_again(tmp_path, recorded):
    path = recorded / "data" / "raw.dvc"
    whole = path.read_text()
    for length in (0, 10, len(whole) // 2, len(whole) - 20, len(whole) - 3):
        path.write_text(whole[:length])
        assert data(recorded, "add") == 0
        assert path.read_text() == whole


def test_other_bytes_under_a_known_name_need_a_word(tmp_path, work, capsys):
    source = write_patients(tmp_path / "first", (1,))
    data(work, "add", source)
    assert data(work, "add", source) == 0
    assert "0 files copied" in capsys.readouterr().out
    write_series(source / "P^1" / "CT", shape=SHAPE, stored=body(99), patient_id="P^1", study_uid=f"{ROOT}.1")
    assert data(work, "add", source) == 2
    refused = capsys.readouterr().err
    assert f"Expected new files in {source}, found" in refused
    assert "--replace" in refused
    assert "lesionflow-" not in refused.replace(str(tmp_path), ""), (
        "the copies that were made of them are nobody's to look for"
    )
    assert data(work, "add", source, "--replace") == 0
    assert data(work, "verify") == 0


def test_a_corrected_outline_of_a_locked_test_patient_is_told_when_it_is_added_and_by_diff(tmp_path, recorded, capsys):
    table = read_table(recorded / "data" / "cases")
    (recorded / "data" / "raw" / "first").rename(recorded / "data" / "raw" / "given")
    data(recorded, "add")
    source = write_patients(tmp_path / "given", (3,))
    capsys.readouterr()
    uids = {"patient_id": "P^3", "study_uid": f"{ROOT}.3", "frame_uid": f"{ROOT}.3.9"}
    ct = write_series(tmp_path / "same", shape=SHAPE, stored=body(3), **uids)
    write_rtstruct(source / "P^3" / "RS", ct, {"GTV_Mass": [*SQUARE["GTV_Mass"], (2, SQUARE["GTV_Mass"][0][1])]})
    before = set(table["case_id"])
    fold = Fold(train=(), validation=())
    locked = Split(
        seed=1,
        fold=0,
        folds=(fold,),
        test=tuple(table["case_id"]),
        test_patients=tuple(table["patient_id"]),
        other_patients=(),
    )
    write_split(recorded / "data" / "splits.json", locked)
    assert data(recorded, "add", source, "--replace", "--keep-identifiers") == 0
    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if "locked test case" in line]
    (changed,) = re.findall(r"c-[0-9a-f]+", line)
    assert changed in before
    assert "Files of a locked test case were replaced" in line
    assert "`lesionflow run --workdir " in said
    assert data(recorded, "diff") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "locked test patient" in line]
    assert f"case {changed} changed: outline of 0.03 ml now 0.06 ml; it is a locked test patient's" in line


def test_only_one_layout_may_lie_there(tmp_path, work, capsys):
    data(work, "add", write_patients(tmp_path / "first", (1,)))
    (tmp_path / "other" / "imagesTr").mkdir(parents=True)
    (tmp_path / "other" / "dataset.json").write_text(json.dumps({"channel_names": {}, "labels": {}}))
    assert data(work, "add", tmp_path / "other") == 2
    assert "found nnunet" in capsys.readouterr().err


def test_a_linked_folder_is_recorded_and_left_alone(tmp_path, work, capsys):
    source = write_patients(tmp_path / "first", (1, 2))
    names = sorted(tmp_path.joinpath("first").rglob("*"))
    (work / "data" / "raw").symlink_to(source)
    assert data(work, "add", source) == 2
    assert "found a link" in capsys.readouterr().err
    assert data(work, "add") == 0
    assert data(work, "status") == 0
    assert "linked, not under DVC" in capsys.readouterr().out
    assert sorted(source.rglob("*")) == names


def test_what_was_linked_is_copied_and_recorded_when_asked_for(tmp_path, work):
    source = write_patients(tmp_path / "first", (1, 2))
    names = sorted(source.rglob("*"))
    (work / "data" / "raw").symlink_to(source)
    assert data(work, "add") == 0
    add_copies(work, source)
    raw = work / "data" / "raw"
    assert not raw.is_symlink()
    # Studies of a clinic stay where and as they are; the copies are what the manifest names.
    assert sorted(source.rglob("*")) == names
    copied = {str(path.relative_to(raw)) for path in raw.rglob("*") if path.is_file()}
    listed = {
        line.split(maxsplit=1)[1].removeprefix("raw/")
        for line in (work / "data" / "raw.sha256").read_text().splitlines()
    }
    assert copied == {name.lstrip("*") for name in listed}
    assert len(copied) == len([path for path in names if path.is_file()])


def test_outside_a_workspace_the_commands_say_so(tmp_path, capsys):
    for action in ("add", "status", "diff", "verify"):
        assert data(tmp_path, action) == 2
        assert "lesionflow init" in capsys.readouterr().err


def test_studies_are_added_without_what_names_their_patients(tmp_path, work, capsys):
    """Every byte of the workspace: the copies, DVC's cache, the manifest, the cases."""
    # Number 1 of this root is what pydicom calls itself in every file that it writes.
    given = write_patients(tmp_path / "March Jones", range(2, 5))
    uids = {f"{ROOT}.{number}".encode() for number in range(2, 5)}
    assert run_ingest(work, given, tmp_path / "plain")["n_cases"] == 3
    plain = read_table(tmp_path / "plain")
    plant_identifiers(given)
    assert data(work, "add", given) == 0
    said = capsys.readouterr().out
    assert "files de-identified, 0 that hold no image or outline left out" in said
    assert "Look whether one of these names somebody: " in said
    assert data(work, "add", given) == 0
    assert "0 files copied" in capsys.readouterr().out
    counts = run_ingest(work, work / "data" / "raw", work / "data" / "cases")
    assert (counts["n_cases"], counts["n_refused"]) == (3, 0)
    cases = read_table(work / "data" / "cases")
    assert sorted(cases["tumor_ml"]) == sorted(plain["tumor_ml"])
    assert sorted(cases["mean__CT"]) == sorted(plain["mean__CT"])
    secrets = uids | {b"March", b"Jones", b"Doe^Jane", b"House^G", b"19700102", b"20240229"}
    files = [path for path in work.rglob("*") if path.is_file()]
    assert len([path for path in files if path.suffix == ".dcm"]) == len([p for p in given.rglob("*") if p.is_file()])
    assert {
        (path.name, word) for path in files for word in leaked(path, secrets) if not word.startswith("0313")
    } == set()


def test_a_study_has_one_name_with_and_without_its_identifiers_and_is_refused_twice(tmp_path, work):
    given = write_patients(tmp_path / "march", (2, 3))
    run_ingest(work, given, tmp_path / "plain")
    plain = read_table(tmp_path / "plain")
    assert data(work, "add", given) == 0
    run_ingest(work, work / "data" / "raw", work / "data" / "cases")
    clean = read_table(work / "data" / "cases")
    assert list(clean["case_id"]) == list(plain["case_id"])
    assert list(clean["patient_id"]) == list(plain["patient_id"])
    assert data(work, "add", write_patients(tmp_path / "april", (3, 4)), "--keep-identifiers") == 0
    with pytest.raises(DataQualityError, match="study_twice"):
        run_ingest(work, work / "data" / "raw", work / "data" / "cases")
    assert len(read_table(work / "data" / "cases")) == 2
    (refused,) = json.loads((work / "data" / "cases" / "rejected.json").read_text())
    assert (refused["reason"], refused["case_id"] in set(plain["case_id"])) == ("study_twice", True)


def test_what_is_no_dicom_is_copied_as_it_is(tmp_path, work):
    (tmp_path / "notes" / "images").mkdir(parents=True)
    (tmp_path / "notes" / "images" / "a.png").write_bytes(b"x")
    assert data(work, "add", tmp_path / "notes") == 0
    assert (work / "data" / "raw" / "images" / "a.png").read_bytes() == b"x"


def run_ingest(work, raw, cases):
    return run_step("ingest", load_params(work / "params.yaml")["ingest"], {"raw": raw}, {"cases": cases})


def test_what_is_added_can_be_looked_through_before_anything_is_run(tmp_path, work):
    page, given = tmp_path / "page.html", write_patients(tmp_path / "given", (1, 2))
    (given / "P^2" / "CT" / "10.dcm").unlink()
    assert data(work, "add", given, "--report", page) == 0
    text = page.read_text()
    assert "<span>Cases</span><b>1</b>" in text
    assert "<td class='words'>missing_slice</td><td>1</td>" in text
    assert not (work / "data" / "cases").exists()


def test_the_page_of_ingest_is_there_also_where_too_many_are_refused(tmp_path, work, capsys):
    page, given = tmp_path / "page.html", write_patients(tmp_path / "given", (1, 2))
    (given / "P^2" / "CT" / "10.dcm").unlink()
    named = ["--params", work / "params.yaml", "--raw", given, "--cases", tmp_path / "cases", "--report", page]
    assert main(["ingest", *map(str, named)]) == 4
    assert "missing_slice" in capsys.readouterr().err
    text = page.read_text()
    assert "<span>Refused</span><b>1</b>" in text
    assert f"{given}/P^2" in text
