import shutil

import pytest
import yaml

from lesionflow.cli import main
from lesionflow.config.presets import PRESETS
from lesionflow.data.split import Fold, Split
from lesionflow.io.stores.ledger import ledger_path, note_read
from lesionflow.io.stores.splits import write_split
from support.change_plans import change_plan
from support.stores import empty_store

READ = {"step": "evaluate", "run_id": "r", "test_set_sha256": "0" * 64, "n_cases": 1, "bundle_digest": "b"}


@pytest.fixture
def workspaces(tmp_path, monkeypatch):
    """Two workspaces of one registered model, which share a store; the first has a split, a ledger and a change plan."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", empty_store(tmp_path / "store"))
    for name in ("one", "two"):
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "dvc.yaml").write_text("stages: {}\n")
        shutil.copyfile(PRESETS / "phantom_ct.yaml", tmp_path / name / "params.yaml")
    fold = Fold(train=("c-1",), validation=("c-2",))
    split = Split(seed=1, fold=0, folds=(fold,), test=("c-3",), test_patients=("p-3",), other_patients=("p-1", "p-2"))
    write_split(tmp_path / "one" / "data" / "splits.json", split)
    note_read(ledger_path(tmp_path / "one" / "data" / "splits.json"), READ)
    (tmp_path / "one" / "change_plan.yaml").write_text(yaml.safe_dump(change_plan(version=2).model_dump(mode="json")))
    return tmp_path / "one", tmp_path / "two"


def test_what_one_workspace_pushes_the_other_fetches(workspaces, capsys):
    one, two = map(str, workspaces)
    assert main(["state", "show", "--workdir", two]) == 0
    assert "shares nothing yet" in capsys.readouterr().out
    assert main(["state", "push", "--workdir", one]) == 0
    assert main(["state", "fetch", "--workdir", two]) == 0
    for name in ("data/splits.json", "data/ledger.jsonl", "change_plan.yaml"):
        assert (workspaces[0] / name).read_bytes() == (workspaces[1] / name).read_bytes(), name
    capsys.readouterr()
    main(["state", "show", "--workdir", two])
    said = capsys.readouterr().out
    assert "Snapshot 1" in said
    assert "1 patients locked, 2 learned from" in said
    assert "change plan: version 2" in said
    assert "read 1 times" in said


def test_a_workspace_whose_split_is_its_own_shares_nothing(workspaces, capsys):
    params = workspaces[0] / "params.yaml"
    params.write_text(
        params.read_text().replace("split:\n  model_name: lesionflow-phantom-ct", 'split:\n  model_name: ""')
    )
    assert main(["state", "push", "--workdir", str(workspaces[0])]) == 2
    assert "this workspace shares nothing" in capsys.readouterr().err
