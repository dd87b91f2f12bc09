"""Files of a workspace that are linked, shared or only ever added to; all others are held in `test_run.py`."""

from lesionflow.workspace.withdrawal.patient_files import remove_derived, remove_studies, still_named
from lesionflow.workspace.withdrawal.subject import Subject


def subject(*files, shared=()):
    return Subject("p-00000000000a", "mark", ("p-00000000000a", "c-00000000000a"), ("c-00000000000a",), files, shared)


def test_studies_of_a_linked_folder_are_their_owners(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "a").write_text("x")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "raw").symlink_to(tmp_path / "theirs")
    n_files, kept = remove_studies(tmp_path, subject(str(tmp_path / "theirs" / "a")), 1)
    assert (n_files, (tmp_path / "theirs" / "a").exists()) == (0, True)
    assert "1 files of studies in the folder that data/raw points to" in kept[0]


def test_empty_folders_go_with_their_files_and_what_is_shared_is_named(tmp_path):
    raw = tmp_path / "data" / "raw"
    for name in ("one/a", "two/b"):
        (raw / name).parent.mkdir(parents=True)
        (raw / name).write_text("x")
    n_files, kept = remove_studies(tmp_path, subject(str(raw / "one/a"), shared=(str(raw / "two/b"),)), 1)
    assert (n_files, [path.name for path in raw.iterdir()]) == (1, ["two"])
    assert "holds studies of others too" in kept[0]


def test_a_ledger_stays_and_is_told_a_bundle_goes_as_a_whole(tmp_path):
    for name in ("data/ledger.jsonl", "models/candidate/card.json", "models/candidate/weights", "notes.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("c-00000000000a" if name != "models/candidate/weights" else "w")
    assert remove_derived(tmp_path, subject()) == 3
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["ledger.jsonl"]
    assert still_named(tmp_path, subject()) == ("data/ledger.jsonl",)
