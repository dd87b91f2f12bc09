import mlflow
import pytest

from lesionflow.data.plan import Decision
from lesionflow.errors import ArtifactError
from lesionflow.io.stores.bundles import write_bundle
from lesionflow.prediction import MLFLOW_PROGRAM
from lesionflow.registry.differences import diff_versions
from lesionflow.registry.registered_bundles import register_bundle
from lesionflow.registry.tracking import Tracker
from support.bundles import small_bundle
from support.stores import empty_store

NAME = "lesionflow-knees"


def test_each_value_that_differs_is_told_under_its_part(tmp_path):
    tracker = Tracker(empty_store(tmp_path / "store"), "knees")
    for seed, dice in ((1, 0.61234), (2, 0.7)):
        run_id = tracker.start_run(f"train {seed}")
        tracker.log_metrics(run_id, {"test/dice": dice, "train/loss": 0.1 * seed})
        bundle = small_bundle(seed, run_id)
        why = (Decision(what="batch_size", value=str(2 * seed), why=f"measured, {seed}"),)
        plan = bundle.plan.model_copy(update={"batch_size": 2 * seed, "decisions": why})
        cases = ("c-000001", f"c-00000{seed + 3}")
        card = bundle.card.model_copy(
            update={"data_revision": f"{seed}" * 64, "trained_cases": cases, "plan_sha256": plan.digest()}
        )
        write_bundle(tmp_path / "bundle", type(bundle)(plan, bundle.weights, card))
        register_bundle(
            tracker,
            run_id,
            tmp_path / "bundle",
            NAME,
            program=MLFLOW_PROGRAM,
            tags={"test_dice": f"{dice}", "test_set_sha256": f"{seed}" * 64},
        )
    first, second, found = diff_versions(NAME, "1", "challenger", tracker.tracking_uri)
    assert (first, second) == ("1", "2")
    by_key = {(part, key): (one, other) for part, key, one, other in found}
    assert by_key.pop(("data", "in one alone")) == ("c-000004", "c-000005")
    assert by_key.pop(("data", "trained on")) == ("2 cases", "2 cases")
    assert by_key.pop(("data", "revision")) == ("1" * 57 + "...", "2" * 57 + "...")
    told = "the set {}: no figure can be compared"
    assert by_key.pop(("data", "tested on")) == (told.format("1" * 12), told.format("2" * 12))
    assert by_key.pop(("params", "seed")) == ("1", "2")
    assert by_key.pop(("plan", "batch_size")) == ("2", "4")
    assert by_key.pop(("figures", "test_dice")) == ("0.61234", "0.7")
    assert by_key.pop(("figures", "test/dice")) == ("0.6123", "0.7")
    assert {key for _, key in by_key} == {"plan_sha256", "run_id"}
    assert diff_versions(NAME, "2", "2", tracker.tracking_uri)[2] == ()
    mlflow.MlflowClient(tracker.tracking_uri).delete_run(run_id)
    assert ("figures", "test/dice", "0.6123", "0.7") in diff_versions(NAME, "1", "2", tracker.tracking_uri)[2]
    with pytest.raises(ArtifactError, match="'9'"):
        diff_versions(NAME, "1", "9", tracker.tracking_uri)
