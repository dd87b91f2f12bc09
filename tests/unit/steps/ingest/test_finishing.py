"""What stands in the folder when all studies are read does not tell which of them were kept."""

from pathlib import Path

from lesionflow.data.dataset import Dataset
from lesionflow.io.notes import Note
from lesionflow.io.stores import cases
from lesionflow.io.stores.case_index import Entry, read_case_index
from lesionflow.steps.ingest.finishing import finish_cases

DATASET = Dataset(name="knees", channels={"gray": "picture"}, labels={"tumor": 1}, regions={})
REFUSAL = {"case_id": "c-1", "reason": "unreadable_picture", "message": "Expected a picture, found none."}


def test_a_refusal_that_was_kept_is_written_as_a_new_one(tmp_path: Path) -> None:
    for name in cases.FOLDERS:
        (tmp_path / name).mkdir()
    finish_cases(tmp_path, DATASET, {"c-1": Entry("key", {}, {}, REFUSAL)}, [Note("code", "words")])
    first = (tmp_path / cases.REJECTED).read_bytes()
    assert first.index(b"case_id") < first.index(b"reason") < first.index(b"message")
    # The next run takes it from the index, where keys are sorted.
    finish_cases(tmp_path, DATASET, read_case_index(tmp_path), [Note("code", "words")])
    assert (tmp_path / cases.REJECTED).read_bytes() == first


def test_what_no_case_needs_is_removed(tmp_path: Path) -> None:
    for name in cases.FOLDERS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "stale").touch()
    (tmp_path / ".partial-x").touch()
    finish_cases(tmp_path, DATASET, {"c-1": Entry("key", {}, {}, REFUSAL)}, [])
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith(".lock")) == [
        "dataset.json", "index.json", "notes.json", "rejected.json",
    ]  # fmt: skip
