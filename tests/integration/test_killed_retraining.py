"""`lesionflow retrain`, killed twenty times on its way and given again, ends as if nobody had killed it.

Minutes of a processor: LESIONFLOW_TEST_WHOLE=1. The points of register, promote and rollback are in tests/faults/test_killed_promotions.py.
"""

import os

import pytest
import yaml
from mlflow import MlflowClient

from lesionflow.io.stores.ledger import read_ledger
from support.terminal import Terminal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(os.environ.get("LESIONFLOW_TEST_WHOLE") != "1", reason="twenty kills: LESIONFLOW_TEST_WHOLE=1"),
]
N_PATIENTS, N_NEW, N_KILLS = 24, 3, 20
#: A command has loaded its libraries by then; each next attempt lives a little longer, as a training of some seconds must end in one of them.
FIRST_S, LONGER_S = 3.0, 0.5
SMALL = {
    "split": {"test_fraction": 0.4},
    "train": {"max_epochs": 3, "batches_per_epoch": 8, "max_minutes": 600.0, "max_validation_slices_per_case": 4},
}
NETWORK = {"base_channels": 8, "depth": 3, "normalization": "instance"}
#: Anything becomes the first champion here.
FLOORS = [{"metric": "dice", "target": "all", "min_score": 0.0}]
NAME = "lesionflow-phantom-ct"


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    terminal = Terminal(tmp_path_factory.mktemp("killed"))
    terminal.give("phantom", "studies", "--cases", str(N_PATIENTS), "--seed", "7")
    terminal.give("phantom", "new", "--cases", str(N_NEW), "--seed", "7", "--first", "200")
    terminal.give("init", "work", "--preset", "phantom_ct")
    terminal.edit("params.yaml", **SMALL)
    options = yaml.safe_load((terminal.work / "params.yaml").read_text())["plan"]["architecture"]["options"]
    terminal.edit("params.yaml", plan={"architecture": {"name": "unet", "options": options | NETWORK}})
    terminal.edit("change_plan.yaml", floors=FLOORS)
    terminal.in_work("data", "add", "studies/dicom")
    terminal.in_work("run")
    terminal.in_work("data", "add", "new/dicom")
    return terminal


def test_retraining_killed_twenty_times_ends_as_if_undisturbed(terminal: Terminal) -> None:
    before = terminal.version("champion")
    n_killed = sum(
        terminal.kill_after(FIRST_S + LONGER_S * number, "retrain", "--because", "data") for number in range(N_KILLS)
    )
    terminal.in_work("retrain", "--because", "data")
    assert n_killed >= N_KILLS // 2, "most attempts ended by themselves: kill them earlier"
    client = MlflowClient(f"sqlite:///{terminal.work / 'mlflow.db'}")
    versions = client.search_model_versions(f"name='{NAME}'")
    runs = [version.run_id for version in versions]
    assert len(set(runs)) == len(runs), "a run has one version"
    decided = terminal.ledger("decision")
    assert sorted(facts["version"] for facts in decided) == sorted(str(version.version) for version in versions)
    assert len(versions) == 2
    champion = client.get_model_version_by_alias(NAME, "champion")
    assert str(champion.version) == (before["version"] if not decided[-1]["promote"] else decided[-1]["version"])
    assert read_ledger(terminal.work / "data" / "ledger.jsonl"), "its chain holds"
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    assert [run.info.status for run in client.search_runs(experiments) if run.info.status == "RUNNING"] == []
    assert "NOT HELD" not in terminal.in_work("models", "verify").out
    assert "Nothing is new" in terminal.in_work("retrain", "--because", "schedule").out
    assert terminal.ledger("decision") == decided
