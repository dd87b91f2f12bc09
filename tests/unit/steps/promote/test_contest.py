"""From scores to a judgement, and what the decision keeps of it."""

import pandas as pd
import pytest

from lesionflow.data.split import Fold, Split
from lesionflow.evaluation.gate import Reason, Verdict
from lesionflow.evaluation.promotion_documents.decision_page import decision_markdown
from lesionflow.io.stores.registrations import Registration
from lesionflow.steps.promote.contest import (
    CHALLENGER,
    CHAMPION,
    Contest,
    Spent,
    admit,
    decision_of_judgement,
    judge_scored,
    metrics_of,
    refuse_unadmitted,
)
from lesionflow.steps.promote.test_set_scoring import LockedSet, Scored
from support.bundles import small_bundle
from support.case_tables import case_table
from support.change_plans import change_plan
from support.promotions import scores_of_cases

TABLE = case_table(20)
TEST = tuple(TABLE["case_id"][4:])
SPLIT = Split(
    seed=1,
    fold=0,
    folds=(Fold(train=("c-000001", "c-000002"), validation=("c-000003",)),),
    test=TEST,
    test_patients=tuple(TABLE["patient_id"][4:]),
    other_patients=tuple(TABLE["patient_id"][:4]),
)
REGISTRATION = Registration(model_name="m", version="2", run_id="r", bundle_digest="b" * 64, alias="challenger")


@pytest.fixture
def locked(tmp_path):
    return LockedSet(tmp_path / "cases", tmp_path / "splits.json", SPLIT, TABLE)


def _scored(dice):
    found = scores_of_cases(TABLE, TEST, dice)
    return Scored(found.cases, found.lesions)


def test_admission_asks_of_both_models(locked):
    both = Contest({CHALLENGER: small_bundle(1), CHAMPION: small_bundle(2)}, "1")
    rules = [reason.rule for reason in admit(both, change_plan(), locked)]
    assert rules == [
        "not_barred",
        "plan_came_first",
        "trusted:challenger",
        "change_permitted",
        "same_meaning",
        "not_learned_from:challenger",
        "not_learned_from:champion",
    ]
    assert all(reason.held for reason in admit(both, change_plan(), locked))
    alone = [reason.rule for reason in admit(Contest({CHALLENGER: small_bundle(1)}, None), change_plan(), locked)]
    assert alone == ["not_barred", "plan_came_first", "trusted:challenger", "not_learned_from:challenger"]


def test_what_was_asked_before_stands_before_the_gates_rules():
    admitted = (Reason("trusted:challenger", held=True, detail="It is.", figures={}),)
    scores = {CHALLENGER: _scored(0.9), CHAMPION: _scored(0.7)}
    judged = judge_scored(scores, change_plan(), admitted, Spent(3), Contest({}, "1"), TABLE)
    assert judged.reasons[0] == admitted[0]
    assert (judged.verdict, judged.promote, judged.look) == (Verdict.SUPERIOR, True, 4)
    missing = judge_scored(scores, change_plan(), admitted, Spent(3), Contest({}, "1", "The first one is gone."), TABLE)
    assert (missing.verdict, missing.promote) == (Verdict.REFUSED, False)
    assert missing.reasons[-1].detail == "The first one is gone."


def test_figures_are_means_over_patients_of_both(locked):
    scores = {CHALLENGER: _scored([0.5] * 8 + [0.9] * 8), CHAMPION: _scored(0.6)}
    judged = judge_scored(scores, change_plan(), (), Spent(0), Contest({}, "1"), TABLE)
    decision = decision_of_judgement(judged, change_plan(), REGISTRATION, Contest({}, "1"), locked, scores, ())
    dice = next(one for one in decision.targets if one.metric == "dice")
    assert (dice.challenger, dice.champion) == (pytest.approx(0.7), pytest.approx(0.6))
    assert decision.scores == {name: one.sha256 for name, one in scores.items()}
    assert decision.change_plan_sha256 == change_plan().digest
    assert decision.champion_version_after == "1"


def test_who_is_not_admitted_spends_no_look(locked):
    reason = Reason("trusted:challenger", held=False, detail="Unsigned.", figures={}, refuses=True)
    decision = decision_of_judgement(
        refuse_unadmitted((reason,)), change_plan(), REGISTRATION, Contest({}, None), locked, {}, ()
    )
    assert (decision.verdict, decision.promote, decision.look, decision.alpha) == ("refused", False, 0, 0.0)
    assert decision.targets == ()


def test_a_new_target_stands_in_the_decision_without_a_champions_figure(locked):
    theirs, found = _scored(0.7), _scored([0.9, 0.85] * 8)
    new = found.cases.assign(target="vessel", dice=[0.3, 0.5] * 8)
    ours = Scored(pd.concat([found.cases, new], ignore_index=True), found.lesions)
    scores, plan = {CHALLENGER: ours, CHAMPION: theirs}, change_plan(what_may_change=["data", "targets"])
    judged = judge_scored(scores, plan, (), Spent(0), Contest({}, "1"), TABLE)
    assert judged.verdict is Verdict.SUPERIOR
    decision = decision_of_judgement(judged, plan, REGISTRATION, Contest({}, "1"), locked, scores, ())
    dice = {one.target: (one.challenger, one.champion) for one in decision.targets if one.metric == "dice"}
    assert dice == {"tumor": (pytest.approx(0.875), pytest.approx(0.7)), "vessel": (pytest.approx(0.4), None)}
    assert decision.figures["gain"] == pytest.approx(0.175)
    assert "| vessel | Dice | 0.4 | – |" in decision_markdown(decision)


def test_the_plans_metrics_come_first():
    plan = change_plan(floors=[{"metric": "lesion_f1", "target": "all", "min_score": 0.1}])
    assert metrics_of(plan, _scored(0.5).cases)[:3] == ("dice", "lesion_f1", "surface_dice_2mm")
