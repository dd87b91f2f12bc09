import json
import shutil

import pandas as pd
import pytest

from lesionflow.config import Settings
from lesionflow.errors import ArtifactError
from lesionflow.io.stores.ledger import read_ledger
from lesionflow.registry.evaluations import find_run
from lesionflow.steps import run_step
from lesionflow.steps.compare import Workspace, compare_models
from support.evaluated import DICE_OF_ALL, EVALUATE, two_evaluated_models


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A champion that finds nothing, and a later model that calls every voxel tumor."""
    with pytest.MonkeyPatch.context() as patch:
        yield two_evaluated_models(tmp_path_factory.mktemp("evaluated"), patch)


@pytest.fixture(autouse=True)
def _store(workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", workspace.uri)
    monkeypatch.setenv("LESIONFLOW_DEVICE", "cpu")


def test_compare_finds_models_by_all_their_names(workspace) -> None:
    run_id = workspace.all.card.run_id
    assert find_run(workspace.uri, run_id) == find_run(workspace.uri, "calls-all-tumor") == (run_id, "calls-all-tumor")
    assert find_run(workspace.uri, run_id[:12])[0] == run_id
    assert find_run(workspace.uri, "challenger") == (run_id, "lesionflow-knees version 2")
    assert find_run(workspace.uri, "lesionflow-knees/2") == (run_id, "lesionflow-knees version 2")
    assert find_run(workspace.uri, "champion")[0] == workspace.none.card.run_id
    for wanted in ("nobody", "lesionflow-knees/9", "it's", "abc"):
        with pytest.raises(ArtifactError, match="Expected one run"):
            find_run(workspace.uri, wanted)


def test_what_was_scored_on_another_test_set_is_scored_on_the_present_one(workspace, tmp_path) -> None:
    """As after data were added: the champion was scored on fewer patients than the challenger is."""
    older = json.loads((workspace.folder / "splits.json").read_text())
    older |= {
        "test": older["test"][:-1],
        "test_patients": older["test_patients"][:-1],
        "other_patients": [*older["other_patients"], older["test_patients"][-1]],
    }
    (tmp_path / "splits.json").write_text(json.dumps(older))
    inputs = {
        "cases": workspace.folder / "cases",
        "splits": tmp_path / "splits.json",
        "bundle": workspace.folder / "none-bundle",
    }
    run_step("evaluate", EVALUATE, inputs, {"evaluation": tmp_path / "before"})
    folders, options = (
        (str(tmp_path / "before"), str(workspace.folder / "all")),
        {"confidence_level": 0.95},
    )
    with pytest.raises(ArtifactError, match="for one alone"):
        compare_models(*folders, workspace.uri, **options)
    here = Workspace(workspace.folder / "cases", workspace.folder / "splits.json", Settings(device="cpu"))
    found = compare_models(*folders, workspace.uri, **options, workspace=here)
    assert found.scored_anew == (folders[0],)
    dice = next(d for d in found.differences if d.metric == "dice")
    assert (dice.n_patients, dice.first, dice.second) == (len(workspace.test), 0.0, pytest.approx(DICE_OF_ALL))
    assert read_ledger(workspace.folder / "ledger.jsonl")[-1].facts["step"] == "compare"


def test_a_target_that_one_finds_alone_is_named_and_not_compared(workspace, tmp_path) -> None:
    folder = shutil.copytree(workspace.folder / "all", tmp_path / "more")
    table = pd.read_parquet(folder / "cases.parquet")
    pd.concat([table, table.assign(target="vessel")]).to_parquet(folder / "cases.parquet")
    found = compare_models(str(workspace.folder / "none"), str(folder), workspace.uri, confidence_level=0.95)
    assert found.of_one_alone == ("vessel",)
    assert {difference.target for difference in found.differences} == {"tumor"}
