"""`lesionflow evaluate --masks`, as typed; without it the step asks for all that it needs."""

import shutil

import pytest
import yaml

from lesionflow.cli import main
from lesionflow.config import load_params
from lesionflow.config.change_plan import read_change_plan
from lesionflow.config.presets import PRESETS, find_params
from lesionflow.data.split import Fold, Split
from lesionflow.io.stores.splits import write_split
from support.case_folders import write_cases


@pytest.fixture
def work(tmp_path):
    work = tmp_path / "work"
    table = write_cases(work / "data/cases", 4)
    cases, patients = list(table["case_id"]), tuple(table["patient_id"])
    fold = Fold(train=tuple(cases[:1]), validation=tuple(cases[1:2]))
    write_split(
        work / "data/splits.json",
        Split(
            seed=1,
            fold=0,
            folds=(fold,),
            test=tuple(cases[2:]),
            test_patients=patients[2:],
            other_patients=patients[:2],
        ),
    )
    (work / "dvc.yaml").write_text("stages: {}\n")
    params = load_params(find_params("phantom_ct"))
    params["evaluate"] |= {"n_bootstrap": 100}
    (work / "params.yaml").write_text(yaml.safe_dump(params))
    shutil.copytree(work / "data/cases/labelsTr", tmp_path / "theirs")
    return work


def test_masks_are_scored_and_what_can_be_done_next_is_said(work, tmp_path, capsys):
    arguments = ["evaluate", "--masks", str(tmp_path / "theirs"), "--workdir", str(work)]
    assert main(arguments) == 3
    assert "2 of 2 masks equal the reference voxel by voxel" in capsys.readouterr().err
    assert main([*arguments, "--copies", "allow"]) == 0
    said = capsys.readouterr().out
    assert "WARNING: 2 of 2 masks equal the reference voxel by voxel: c-000002, c-000003." in said
    assert "tumor: Dice 1.000" in said
    assert "There is no champion to compare with" in said
    assert (work / "reports/masks/theirs/report.html").is_file()
    assert "This was look 1 at this test set" in said, "no change plan says of how many"
    shutil.copyfile(PRESETS / "change_plans" / "phantom_ct.yaml", work / "change_plan.yaml")
    looks = read_change_plan(work / "change_plan.yaml").looks
    for _ in range(2):
        assert main([*arguments, "--copies", "allow"]) == 0
        assert f"This was look 1 of {looks} at this test set" in capsys.readouterr().out, (
            "the same masks are the same look"
        )
    (mask, other) = sorted((tmp_path / "theirs").glob("c-00000[23].nii.gz"))
    shutil.copyfile(other, mask)
    main([*arguments, "--copies", "allow"])
    assert f"This was look 2 of {looks} at this test set" in capsys.readouterr().out


def test_a_missing_mask_ends_it_or_is_said(work, tmp_path, capsys):
    (tmp_path / "theirs/c-000003.nii.gz").unlink()
    arguments = ["evaluate", "--masks", str(tmp_path / "theirs"), "--workdir", str(work)]
    assert main(arguments) == 3
    assert "found none for c-000003" in capsys.readouterr().err
    assert main([*arguments, "--missing", "empty", "--method", "X", "--copies", "allow"]) == 0
    assert "1 cases without a mask count as empty: c-000003" in capsys.readouterr().out
    assert (work / "reports/masks/X/cases.csv").is_file()


def test_the_step_itself_still_asks_for_all_it_needs(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", "--params", "phantom_ct", "--cases", "x"])
    assert caught.value.code == 2
    assert "required: --splits, --bundle, --evaluation" in capsys.readouterr().err
