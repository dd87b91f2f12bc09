"""The step `promote` as a whole: who is scored, what is decided, where the decision stands."""

import hashlib
import json
import shutil

import mlflow
import numpy as np
import pandas as pd
import pytest

from lesionflow.data.ledger import EntryKind
from lesionflow.errors import ArtifactError, ConfigError, ConflictError
from lesionflow.io.stores.ledger import append_entry, read_ledger
from lesionflow.registry.registered_bundles import fetch_bundle
from lesionflow.registry.shared_state import latest_snapshot
from lesionflow.registry.succession import lift, promote_by_hand, roll_back
from lesionflow.registry.versions import set_alias, tag_version
from lesionflow.steps.promote import step
from support.promotions import NAME, PromotionWorkspace, broken

#: Paired differences of sixteen patients, 0.06 on average.
BY = {"name": "A. Smith", "reason": "the trial needs it"}
BETTER = 0.06 + np.linspace(-0.03, 0.03, 16)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    return PromotionWorkspace(tmp_path, monkeypatch)


def _decisions(workspace):
    return [entry for entry in read_ledger(workspace.ledger) if entry.kind == "decision"]


def test_the_first_that_reaches_the_floors_becomes_champion(workspace):
    workspace.dice = {"1": 0.8}
    decision = workspace.promote("1")
    assert (decision["promote"], decision["verdict"]) == (True, "first")
    assert decision["sentence"] == "First: it becomes champion. There was no champion to beat."
    assert (decision["champion_version_before"], decision["champion_version_after"]) == (None, "1")
    assert workspace.champion() == "1"
    client = mlflow.MlflowClient(workspace.uri)
    tags = client.get_run(decision["run_id"]).data.tags
    assert (tags["promotion"], tags["promotion.verdict"]) == ("promoted", "first")
    assert client.get_model_version(NAME, "1").tags["promotion"] == "promoted"


def test_the_change_plan_is_shared_before_it_decides_and_another_of_its_number_decides_nothing(workspace):
    splits = workspace.folder / "splits.json"
    splits.write_text(splits.read_text().replace('"model_name":""', f'"model_name":"{NAME}"'))
    workspace.dice = {"1": 0.8, "2": 0.9}
    workspace.promote("1")
    assert latest_snapshot(NAME, workspace.uri).files["change_plan.yaml"]
    with pytest.raises(ArtifactError, match="found version 1 with other content"):
        workspace.promote("2", alpha=0.2)
    assert (workspace.champion(), workspace.scored) == ("1", ["1"])
    assert workspace.promote("2", alpha=0.2, version=2)["change_plan_version"] == 2


def test_below_a_floor_nobody_is_champion(workspace):
    workspace.dice = {"1": 0.2}
    decision = workspace.promote("1")
    assert decision["promote"] is False
    assert "floor:tumor:dice" in broken(decision)
    assert workspace.champion() is None
    assert _decisions(workspace)[0].facts["verdict"] == "refused"


def test_a_better_challenger_succeeds_and_everything_says_so(workspace):
    workspace.dice = {"1": 0.7, "2": 0.7 + BETTER}
    workspace.promote("1")
    report = "<h1>Evaluation</h1><!-- decision -->later<!-- /decision --><p>rest</p>"
    (workspace.folder / "evaluation" / "report.html").write_text(report)
    decision = workspace.promote("2")
    assert (decision["verdict"], decision["promote"]) == ("superior", True)
    assert decision["figures"]["gain"] == pytest.approx(0.06)
    assert decision["look"] == 1
    assert workspace.champion() == "2"
    assert workspace.scored == ["1", "2", "1"]
    client = mlflow.MlflowClient(workspace.uri)
    described = client.get_model_version(NAME, "2").description
    assert "**Superior.** Version 2 of lesionflow-knees is the champion now; it was version 1." in described
    run = client.get_run(decision["run_id"])
    assert "**Superior.**" in run.data.tags["mlflow.note.content"]
    assert {a.path for a in client.list_artifacts(decision["run_id"], "decision")} == {
        f"decision/{name}"
        for name in (
            "change_plan.json",
            "decision.html",
            "decision.json",
            "decision.md",
            "scores_challenger.csv",
            "scores_champion.csv",
        )
    }
    shown = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/evaluation/report.html")
    assert "later" not in shown
    assert "is the champion now; it was version 1" in shown
    assert "is the champion now" in (workspace.folder / "decision.html").read_text()
    # The digest in the decision is that of the table beside it.
    scores = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/decision/scores_challenger.csv")
    assert hashlib.sha256(scores.encode()).hexdigest() == decision["scores"]["challenger"]
    assert float(next(f["challenger"] for f in decision["targets"] if f["metric"] == "dice")) == pytest.approx(0.76)


def test_an_equal_one_can_not_be_told_apart_and_a_worse_one_is_refused(workspace):
    scatter = np.linspace(-0.15, 0.15, 16)
    workspace.dice = {"1": 0.7, "2": 0.7 + scatter, "3": 0.6}
    workspace.promote("1")
    decision = workspace.promote("2")
    assert decision["verdict"] == "can't tell"
    assert "better_than_champion" in broken(decision)
    assert workspace.promote("3")["verdict"] == "worse"
    assert workspace.champion() == "1"
    assert [entry.facts["verdict"] for entry in _decisions(workspace)] == ["first", "can't tell", "worse"]


def test_what_the_evaluation_says_of_itself_does_not_count(workspace):
    """`cases.parquet` edited to 0.99 promoted once."""
    workspace.dice = {"1": 0.7, "2": 0.6}
    workspace.promote("1")
    edited = pd.DataFrame({"case_id": workspace.test, "patient_id": workspace.test, "target": "tumor", "dice": 0.99})
    edited.to_parquet(workspace.folder / "evaluation" / "cases.parquet")
    assert workspace.promote("2")["verdict"] == "worse"
    assert workspace.champion() == "1"


def test_who_learned_from_a_test_patient_is_refused_without_a_look(workspace):
    workspace.dice = {"1": 0.9}
    workspace.table.loc[workspace.table["case_id"] == workspace.test[0], "patient_id"] = "p-000001"
    decision = workspace.promote("1")
    assert decision["verdict"] == "refused"
    assert broken(decision) == ["not_learned_from:challenger"]
    assert workspace.scored == []
    assert workspace.champion() is None


def test_an_unsigned_bundle_is_refused_where_the_plan_refuses_it(workspace):
    workspace.dice = {"1": 0.9}
    decision = workspace.promote("1", unsigned_bundles="refused")
    assert broken(decision) == ["trusted:challenger"]
    assert "unsigned" in next(r["detail"] for r in decision["reasons"] if not r["held"])
    assert workspace.champion() is None


def test_a_change_that_the_plan_does_not_let_is_refused(workspace):
    workspace.dice = {"1": 0.7, "2": 0.9}
    workspace.promote("1")
    decision = workspace.promote("2", what_may_change=["data"])
    assert broken(decision) == ["change_permitted"]
    assert "does not let training change" in next(r["detail"] for r in decision["reasons"] if not r["held"])


def test_run_again_after_a_kill_the_decision_stands(workspace):
    workspace.dice = {"1": 0.7, "2": 0.7 + BETTER}
    workspace.promote("1")
    first = workspace.promote("2")
    again = workspace.promote("2")
    assert again == first
    assert workspace.scored == ["1", "2", "1"]
    assert len(_decisions(workspace)) == 2


def test_a_refused_one_is_not_let_in_by_a_plan_that_was_made_for_it(workspace):
    """Once `alpha: 0.2, looks: 2, noninferior_may_enter: true` of version 2 promoted who version 1 had refused."""
    workspace.dice = {"1": 0.7, "2": 0.7 + np.linspace(-0.15, 0.18, 16)}
    workspace.promote("1")
    first = workspace.promote("2")
    assert (first["verdict"], first["look"]) == ("can't tell", 1)
    workspace.scored.clear()
    easier = {"version": 2, "alpha": 0.2, "looks": 2, "noninferior_may_enter": True, "noninferiority": []}
    decision = workspace.promote("2", **easier)
    assert (decision["verdict"], broken(decision), workspace.scored) == ("refused", ["plan_came_first"], [])
    why = decision["sentence"]
    assert "Version 2 of the change plan" in why
    assert "was made after this challenger was judged" in why
    assert f"is by version 1 ({first['change_plan_sha256']:.12})" in why
    assert "models promote 2 --name NAME" in why
    assert workspace.champion() == "1"
    # By the plan of then the decision of then stands, as it was; a person may answer for another.
    assert workspace.promote("2") == first
    promote_by_hand(NAME, "2", **BY, ledger=workspace.ledger, tracking_uri=workspace.uri)
    assert workspace.champion() == "2"


def test_a_plan_that_was_made_after_evaluate_read_is_late_as_well(workspace):
    workspace.dice = {"1": 0.7, "2": 0.7 + BETTER}
    first = workspace.promote("1")
    read = {"step": "evaluate", "bundle_digest": workspace.version("2").bundle_digest, "run_id": "r", "n_cases": 16}
    read |= {"test_set_sha256": first["test_set_sha256"], "change_plan_sha256": first["change_plan_sha256"]}
    append_entry(workspace.ledger, EntryKind.TEST_READ, read)
    assert broken(workspace.promote("2", version=2, creep_margin=0.06)) == ["plan_came_first"]
    assert workspace.promote("2")["verdict"] == "superior"


def test_who_is_judged_again_takes_another_look_and_who_only_asks_again_is_told_the_same(workspace):
    workspace.dice = {"1": 0.7, "2": 0.7 + np.linspace(-0.15, 0.15, 16), "3": 0.7 + BETTER}
    workspace.promote("1")
    first = workspace.promote("2")
    assert [workspace.promote("2") for _ in range(2)] == [first, first]
    assert (workspace.scored, len(_decisions(workspace))) == (["1", "2", "1"], 2)
    third = workspace.promote("3")
    assert (first["look"], third["look"], third["promote"]) == (1, 2, True)
    # Against another champion it is another question.
    assert workspace.promote("2")["look"] == 3


def test_more_looks_of_a_new_plan_give_back_nothing_that_is_spent(workspace):
    workspace.dice = {"1": 0.7, "2": 0.7 + np.linspace(-0.15, 0.15, 16), "3": 0.7 + BETTER}
    workspace.promote("1", looks=1)
    assert workspace.promote("2", looks=1)["alpha"] == 0.025
    decision = workspace.promote("3", looks=1000, version=2)
    assert (decision["alpha"], decision["look"], decision["verdict"]) == (0.0, 2, "can't tell")
    assert "look_budget" in broken(decision)
    assert "have spent 0.025, and the change plan has 0.025 for all of them" in decision["sentence"]


def test_who_is_not_worse_enters_for_newer_data_alone(workspace):
    workspace.dice = {"1": 0.7, "2": 0.7 + np.linspace(-0.02, 0.02, 16)}
    workspace.promote("1")
    decision = workspace.promote("2", noninferior_may_enter=True)
    assert (decision["verdict"], decision["promote"]) == ("non-inferior", False)
    assert "learned_from_newer_data" in broken(decision)
    assert "learned from the same data as the champion" in decision["sentence"]


def test_many_small_losses_are_held_against_the_first_authorized_version(workspace):
    workspace.dice = {"1": 0.80, "2": 0.76, "3": 0.76 + BETTER - 0.05}
    workspace.promote("1")
    promote_by_hand(NAME, "2", **BY, ledger=workspace.ledger, tracking_uri=workspace.uri)
    decision = workspace.promote("3", creep_margin=0.01, noninferiority=[])
    assert [rule for rule in broken(decision) if rule.startswith("no_creep")] == ["no_creep:tumor"]
    assert workspace.scored[-3:] == ["3", "2", "1"]


def test_a_first_authorized_version_that_is_gone_lets_nobody_in(workspace):
    workspace.dice = {"1": 0.80, "2": 0.9}
    workspace.promote("1")
    gone = workspace.promote("2", first_authorized_version="9")
    assert "no_creep" in broken(gone)
    assert gone["verdict"] == "refused"


def test_two_promotions_at_once_the_second_is_judged_against_the_new_champion(workspace, monkeypatch):
    workspace.dice = {"1": 0.7, "2": 0.7 + BETTER, "3": 0.9}
    workspace.promote("1")
    original, calls = step.carry_out, []

    def overtaken(*arguments, **named):
        calls.append(arguments)
        if len(calls) == 1:
            original(NAME, "3", "1", {"promote": True}, workspace.ledger, workspace.uri)
            raise ConflictError("Expected version 1 to be the champion still.")
        return original(*arguments, **named)

    monkeypatch.setattr(step, "carry_out", overtaken)
    decision = workspace.promote("2")
    assert (decision["champion_version_before"], decision["verdict"]) == ("3", "worse")
    assert workspace.champion() == "3"
    # The challenger was not scored twice.
    assert workspace.scored.count("2") == 1


def test_a_run_that_was_deleted_stops_nothing(workspace):
    workspace.dice = {"1": 0.8}
    mlflow.MlflowClient(workspace.uri).delete_run(workspace.version("1").run_id)
    assert workspace.promote("1")["promote"] is True
    assert workspace.champion() == "1"


def test_a_rolled_back_version_does_not_come_back_by_itself(workspace):
    workspace.dice = {"1": 0.7, "2": 0.7 + BETTER}
    workspace.promote("1")
    workspace.promote("2")
    roll_back(NAME, workspace.ledger, workspace.uri, name="A. Smith", reason="misses small tumors")
    workspace.scored.clear()
    decision = workspace.promote("2")
    assert (decision["verdict"], broken(decision), workspace.scored) == ("refused", ["not_barred"], [])
    assert "`lesionflow models lift 2 --name NAME --reason REASON` lifts that" in decision["reasons"][0]["detail"]
    assert workspace.champion() == "1"


def test_who_learned_from_a_withdrawn_patient_is_refused_by_name_until_somebody_lifts_that(workspace):
    workspace.dice = {"1": 0.7, "2": 0.7 + BETTER}
    workspace.promote("1")
    told = {"patient": "t0mb", "learned": [f"{NAME} version 2: learned from the patient"]}
    append_entry(workspace.ledger, EntryKind.WITHDRAWAL, told)
    decision = workspace.promote("2")
    assert (decision["promote"], broken(decision)) == (False, ["not_barred"])
    assert "it learned from a patient who was withdrawn since" in decision["reasons"][0]["detail"]
    lift(
        NAME,
        "2",
        name="A. Smith",
        reason="the patient consents to this model",
        ledger=workspace.ledger,
        tracking_uri=workspace.uri,
    )
    assert workspace.promote("2")["promote"]
    assert workspace.champion() == "2"


def test_an_alias_that_was_moved_by_hand_is_not_taken_over(workspace):
    workspace.dice = {"1": 0.7, "2": 0.7 + BETTER}
    workspace.promote("1")
    set_alias(NAME, "champion", "3", workspace.uri)
    for version in ("2", "3"):
        with pytest.raises(
            ArtifactError, match=r"Expected version 1 to be champion .* found version 3.*lets that one stand"
        ):
            workspace.promote(version)
    assert (workspace.scored, len(_decisions(workspace))) == (["1"], 1)
    promote_by_hand(NAME, "3", **BY, ledger=workspace.ledger, tracking_uri=workspace.uri)
    assert workspace.promote("3")["verdict"] == "made champion by hand"


def test_a_champion_whose_files_are_gone_is_an_error_not_a_defeat(workspace):
    workspace.dice = {"1": 0.7, "2": 0.9}
    workspace.promote("1")
    set_alias(NAME, "champion", "3", workspace.uri)
    mlflow.MlflowClient(workspace.uri).delete_model_version(NAME, "3")
    with pytest.raises(ArtifactError):
        workspace.promote("2")


def test_a_champion_whose_files_and_digest_were_exchanged_together_is_no_easy_opponent(workspace, tmp_path):
    workspace.dice = {"1": 0.7, "2": 0.9}
    workspace.promote("1")
    # Somebody who may write to the store, and no keys: only the ledger knows what the champion was.
    shutil.copytree(workspace.version("3").source.removeprefix("file://"), tmp_path / "other")
    other = workspace.version("3")
    tags = {key: other.tags[key] for key in ("bundle_digest", "manifest_sha256")}
    place = workspace.version("1").source.removeprefix("file://")
    shutil.move(place, tmp_path / "champion")
    try:
        shutil.copytree(tmp_path / "other", place)
        tag_version(NAME, "1", tags, workspace.uri)
        assert fetch_bundle(NAME, "champion", workspace.uri).digest == other.bundle_digest
        with pytest.raises(ArtifactError, match=r"version 1 by the ledger.*models rollback"):
            workspace.promote("2")
    finally:
        shutil.rmtree(place)
        shutil.move(tmp_path / "champion", place)
    assert (workspace.champion(), workspace.scored) == ("1", ["1"])


def test_plans_and_params_that_do_not_fit_are_refused(workspace):
    workspace.dice = {"1": 0.8}
    with pytest.raises(ConfigError, match=r"floors\.0\.metric.*Did you mean dice"):
        workspace.promote("1", floors=[{"metric": "dise", "target": "all", "min_score": 0.3}])
    with pytest.raises(ConfigError, match=r"floors\.0\.target: expected one of all, tumor"):
        workspace.promote("1", floors=[{"metric": "dice", "target": "liver", "min_score": 0.3}])
    registration = json.loads((workspace.folder / "registration.json").read_text())
    (workspace.folder / "registration.json").write_text(json.dumps({**registration, "model_name": "other"}))
    assert workspace.champion() is None
