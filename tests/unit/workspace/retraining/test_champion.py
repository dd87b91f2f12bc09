import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lesionflow.config import Settings
from lesionflow.data.ledger import FIRST, EntryKind, seal
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.io.stores.evaluations import ABOUT, CASES
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.evaluations import FOLDER
from lesionflow.registry.registered_bundles import register_bundle
from lesionflow.registry.tracking import Tracker
from lesionflow.registry.versions import find_version
from lesionflow.steps.promote.test_set_scoring import Scored
from lesionflow.workspace.retraining.champion import find_present_champion, measure_scatter
from support.bundles import small_bundle
from support.champions import set_champion
from support.change_plans import change_plan
from support.stores import empty_store

NAME = "lesionflow-knees"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Versions 1 (champion), 2 and 3: the first two scored on one test set, the last on another."""
    folder = tmp_path_factory.mktemp("champion")
    tracker = Tracker(empty_store(folder / "store"), "knees")
    for seed, dice, test_set in ((1, [0.5, 0.7, 0.9], "t"), (2, [0.6, 0.7, 0.6], "t"), (3, [0.1, 0.1, 0.1], "u")):
        run_id = tracker.start_run(f"train {seed}")
        write_bundle(folder / "candidate", small_bundle(seed, run_id))
        made = register_bundle(tracker, run_id, folder / "candidate", NAME, program=MLFLOW_PROGRAM, tags={})
        table = pd.DataFrame(
            {"case_id": ["c-1", "c-2", "c-3"], "patient_id": ["a", "b", "c"], "target": "tumor", "dice": dice}
        )
        (folder / "evaluation").mkdir(exist_ok=True)
        table.to_parquet(folder / "evaluation" / CASES)
        about = {"run_id": run_id, "test_set_sha256": test_set, "bundle_digest": made.bundle_digest}
        (folder / "evaluation" / ABOUT).write_text(json.dumps(about))
        tracker.log_artifacts(run_id, folder / "evaluation", FOLDER)
    set_champion(NAME, "1", tracker.tracking_uri)
    return tracker.tracking_uri


@pytest.fixture
def settings(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    return Settings()


def test_the_champion_is_named_by_its_number_as_the_alias_moves(settings):
    champion = find_present_champion(NAME, settings)
    assert champion.source == f"models:/{NAME}/1"
    assert champion.learned == {"c-000001", "c-000002", "c-000003"}
    assert find_present_champion("another", settings) is None


def test_without_a_store_there_is_no_champion_and_no_store_is_made(tmp_path):
    assert find_present_champion(NAME, Settings()) is None
    assert not list(tmp_path.glob("*.db"))


def decided(uri, version, before, dice):
    """An entry of a decision, its tables at the run as `promote` keeps them."""
    found = find_version(NAME, version, uri)
    scored = {}
    for who, values in (("challenger", dice), ("champion", [0.5] * len(dice))):
        rows = {"case_id": [f"c-{n}" for n in range(len(dice))], "patient_id": [f"p-{n}" for n in range(len(dice))]}
        table = pd.DataFrame(rows | {"target": "tumor", "dice": values})
        scored[who] = Scored(table, table)
    with tempfile.TemporaryDirectory() as folder:
        for who, one in scored.items():
            (Path(folder) / f"scores_{who}.csv").write_bytes(one.csv().encode())
        Tracker(uri, "knees").log_artifacts(found.run_id, Path(folder), "decision")
    facts = {"model_name": NAME, "version": version, "before": before, "run_id": found.run_id}
    facts |= {"scores": {who: one.sha256 for who, one in scored.items()}}
    return seal(1, "2026-02-03T04:05:06+00:00", EntryKind.DECISION, facts, FIRST)


def test_the_scatter_is_that_of_decisions_with_the_champion_in_them_and_their_tables_are_verified(settings):
    uri, champion = settings.tracking_uri, find_present_champion(NAME, settings)
    with_it = decided(uri, "2", "1", [0.6, 0.5, 0.2])
    without = decided(uri, "3", "2", [0.9, 0.8, 0.1])._replace(sequence=2)
    (scatter,) = measure_scatter(champion, change_plan(), settings, (with_it, without))
    assert scatter.sd == pytest.approx(np.std([0.1, 0.0, -0.3], ddof=1))
    assert scatter.between == "versions 2 and 1, as they were judged on 2026-02-03,"
    other = with_it._replace(facts={**with_it.facts, "scores": {"challenger": "0" * 64, "champion": "0" * 64}})
    (again,) = measure_scatter(champion, change_plan(), settings, (other,))
    assert again.between == "versions 2 and 1, as each was evaluated,"


def test_all_challengers_of_the_champion_are_looked_at(settings):
    """The last one may have been nearly the champion itself."""
    champion = find_present_champion(NAME, settings)
    entries = (
        decided(settings.tracking_uri, "2", "1", [0.9, 0.5, 0.1]),
        decided(settings.tracking_uri, "3", "1", [0.5001, 0.5, 0.5])._replace(sequence=2),
    )
    last, before = measure_scatter(champion, change_plan(), settings, entries)
    assert (last.sd, before.sd) == pytest.approx((np.std([0.0001, 0, 0], ddof=1), 0.4), abs=1e-6)


def test_the_scatter_is_that_of_differences_to_a_version_of_the_same_test_set(settings):
    (scatter,) = measure_scatter(find_present_champion(NAME, settings), change_plan(), settings)
    assert scatter.paired
    assert scatter.n == 3
    # Differences -0.1, 0, 0.3.
    assert scatter.sd == pytest.approx((((0.1667**2) + (0.0667**2) + (0.2333**2)) / 2) ** 0.5, abs=1e-3)
