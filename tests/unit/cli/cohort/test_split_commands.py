"""Folds go to nnU-Net and come back by the command line."""

import json

import pytest
import yaml

from lesionflow.cli import main
from lesionflow.config import load_params
from lesionflow.config.presets import find_params
from lesionflow.data.split import Fold, Split
from lesionflow.io.stores.cases import write_table
from lesionflow.io.stores.splits import read_split, write_split
from support.case_tables import case_table

CASES = [f"c-{number:06d}" for number in range(8)]
PATIENTS = tuple(f"p-{number:06d}" for number in range(8))
SPLIT = Split(
    seed=13, fold=0, test=tuple(CASES[6:]), test_patients=PATIENTS[6:], other_patients=PATIENTS[:6],
    folds=(Fold(train=tuple(CASES[3:6]), validation=tuple(CASES[:3])), Fold(train=tuple(CASES[:3]), validation=tuple(CASES[3:6]))),
)  # fmt: skip


@pytest.fixture
def work(tmp_path):
    work = tmp_path / "work"
    params = load_params(find_params("phantom_ct"))
    params["split"] |= {"n_folds": 2, "fold": 0, "seed": 13}
    for folder in ("data/cases", "reports/validation"):
        (work / folder).mkdir(parents=True)
    (work / "params.yaml").write_text(yaml.safe_dump(params))
    (work / "dvc.yaml").write_text("stages: {}\n")
    (work / "reports/validation/quarantine.json").write_text("{}")
    write_table(work / "data/cases", case_table(8))
    write_split(work / "data/splits.json", SPLIT)
    return work


def data(work, *arguments):
    return main(["data", *map(str, arguments), "--workdir", str(work)])


def test_folds_are_exported_as_nnunet_reads_them_and_come_back(work, tmp_path, capsys):
    assert data(work, "export-splits", tmp_path / "splits_final.json") == 0
    content = json.loads((tmp_path / "splits_final.json").read_text())
    assert content == [{"train": CASES[3:6], "val": CASES[:3]}, {"train": CASES[:3], "val": CASES[3:6]}]
    assert "2 folds written" in capsys.readouterr().out
    assert data(work, "import-splits", tmp_path / "splits_final.json") == 0
    assert read_split(work / "data/splits.json") == SPLIT


def test_folds_that_somebody_drew_are_taken_over_and_the_test_set_stays(work, tmp_path):
    drawn = [{"train": CASES[:4], "val": CASES[4:6]}, {"train": CASES[4:6], "val": CASES[:4]}]
    (tmp_path / "mine.json").write_text(json.dumps(drawn))
    assert data(work, "import-splits", tmp_path / "mine.json") == 0
    taken = read_split(work / "data/splits.json")
    assert (taken.train, taken.validation, taken.test) == (tuple(CASES[:4]), tuple(CASES[4:6]), SPLIT.test)


@pytest.mark.parametrize("content", [None, "", "words"])
def test_what_is_no_splits_file_exits_2_and_leaves_the_split(work, tmp_path, capsys, content):
    if content is not None:
        (tmp_path / "mine.json").write_text(content)
    assert data(work, "import-splits", tmp_path / "mine.json") == 2
    assert "splits_final.json" in capsys.readouterr().err
    assert read_split(work / "data/splits.json") == SPLIT


def test_a_broken_split_exits_5(work, tmp_path):
    (work / "data/splits.json").write_text("{}")
    assert data(work, "export-splits", tmp_path / "splits_final.json") == 5
    assert not (tmp_path / "splits_final.json").exists()
