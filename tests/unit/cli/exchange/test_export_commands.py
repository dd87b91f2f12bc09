"""`lesionflow export`, as typed."""

import pytest

from lesionflow.cli import main
from lesionflow.data.split import Fold, Split
from lesionflow.io.stores.splits import write_split
from support.case_folders import write_cases


@pytest.fixture
def work(tmp_path):
    work = tmp_path / "work"
    table = write_cases(work / "data/cases", 3)
    (work / "dvc.yaml").write_text("stages: {}\n")
    one, two, three = table["case_id"]
    fold = Fold(train=(one,), validation=(two,))
    patients = tuple(table["patient_id"])
    write_split(
        work / "data/splits.json",
        Split(seed=1, fold=0, folds=(fold,), test=(three,), test_patients=patients[2:], other_patients=patients[:2]),
    )
    return work


def test_nnunet_says_what_was_written_and_what_to_do_with_the_folds(work, tmp_path, capsys):
    assert main(["export", "nnunet", str(tmp_path / "raw"), "--dataset-id", "7", "--workdir", str(work)]) == 0
    said = capsys.readouterr().out
    assert "2 cases in imagesTr, 1 locked test cases in imagesTs (noted in the ledger), 1 folds" in said
    assert "nnUNet_preprocessed/Dataset007_knees" in said
    assert (tmp_path / "raw/Dataset007_knees/labelsTs/c-000002.nii.gz").is_file()


def test_a_folder_that_is_no_workspace_is_refused(tmp_path, capsys):
    assert main(["export", "nnunet", str(tmp_path), "--workdir", str(tmp_path)]) == 2
    assert "Expected a workspace" in capsys.readouterr().err
