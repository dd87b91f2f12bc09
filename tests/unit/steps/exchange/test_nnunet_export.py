"""What is given to nnU-Net: the folds apart from the locked test set, and the ledger knows."""

import json

import pytest

from lesionflow.data.split import Fold, Split
from lesionflow.errors import ArtifactError, ConfigError
from lesionflow.io.stores.ledger import ledger_path, read_ledger
from lesionflow.io.stores.splits import write_split
from lesionflow.steps.exchange import nnunet_export
from lesionflow.steps.exchange.nnunet_export import export_nnunet
from support.case_folders import write_cases


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    table = write_cases(work / "cases", 6)
    cases, patients = list(table["case_id"]), list(table["patient_id"])
    folds = (
        Fold(train=tuple(cases[:2]), validation=tuple(cases[2:3])),
        Fold(train=tuple(cases[2:3]), validation=tuple(cases[:2])),
    )
    split = Split(
        seed=1, fold=0, folds=folds, test=tuple(cases[3:5]), test_patients=tuple(patients[3:5]),
        other_patients=(*patients[:3], patients[5]),
    )  # fmt: skip
    write_split(work / "splits.json", split)
    return work


def export(work, into, **changes):
    return export_nnunet(
        work / "cases",
        work / "splits.json",
        into,
        "sqlite:///none.db",
        **{"dataset_id": 501, "with_test": True, **changes},
    )


def stems(folder):
    return sorted(path.name.removesuffix(".nii.gz") for path in folder.iterdir())


def test_test_cases_lie_apart_folds_are_ours_and_what_the_split_leaves_out_is_not_there(work, tmp_path):
    done = export(work, tmp_path)
    assert done[1:] == (3, 2, 2)
    assert done.folder == tmp_path / "Dataset501_knees"
    assert stems(done.folder / "labelsTr") == ["c-000000", "c-000001", "c-000002"]
    assert stems(done.folder / "imagesTs") == ["c-000003_0000", "c-000004_0000"]
    folds = json.loads((done.folder / "splits_final.json").read_text())
    assert folds[0] == {"train": ["c-000000", "c-000001"], "val": ["c-000002"]}


def test_the_ledger_says_that_the_test_set_was_given_out_before_a_file_is_written(work, tmp_path, monkeypatch):
    before = len(read_ledger(ledger_path(work / "splits.json")))

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(nnunet_export, "write_raw_dataset", killed)
    with pytest.raises(KeyboardInterrupt):
        export(work, tmp_path)
    entries = read_ledger(ledger_path(work / "splits.json"))
    assert len(entries) == before + 1


def test_without_test_cases_nothing_is_noted(work, tmp_path):
    before = read_ledger(ledger_path(work / "splits.json"))
    done = export(work, tmp_path, with_test=False)
    assert not (done.folder / "imagesTs").exists()
    assert read_ledger(ledger_path(work / "splits.json")) == before


def test_what_is_there_already_and_odd_numbers_are_refused(work, tmp_path):
    (tmp_path / "Dataset501_knees").mkdir()
    with pytest.raises(ConfigError, match="Expected no Dataset501_knees"):
        export(work, tmp_path)
    with pytest.raises(ConfigError, match="within 1 to 999, found 1000"):
        export(work, tmp_path, dataset_id=1000)


def test_a_case_of_the_split_that_is_gone_is_named(work, tmp_path):
    split = json.loads((work / "splits.json").read_text())
    split["test"] += ["c-gone"]
    (work / "other.json").write_text(json.dumps(split))
    with pytest.raises(ArtifactError, match="found 1 gone: c-gone"):
        export_nnunet(work / "cases", work / "other.json", tmp_path, "sqlite:///none.db", dataset_id=1, with_test=True)
