import math

import pytest

from lesionflow.evaluation.gate import prerequisites
from support.change_plans import change_plan
from support.paired_scores import scores_of

GOOD = [0.80, 0.85, 0.75, 0.90, 0.82, 0.78, 0.81, 0.86]
FEW = {"claim": False, "min_test_patients": 3}


def floor(dice, **changes):
    is_first = changes.pop("is_first", True)
    [found] = prerequisites.floors(scores_of(dice), change_plan(**changes), is_first=is_first)
    return found


def test_a_floor_is_reached_by_the_bound_where_a_claim_is_made() -> None:
    assert floor(GOOD).held
    near = floor([0.2, 0.5] * 4)
    assert not near.held
    assert not near.refuses, "the mean of 0.35 reaches 0.3; eight patients don't know it well"
    assert near.figures["score"] == pytest.approx(0.35)
    assert near.figures["score_bound"] < 0.3
    below = floor([0.2] * 8)
    assert (below.held, below.refuses) == (False, True)
    assert floor([0.2, 0.5] * 4, is_first=False).held, "a champion that is worse must not stay for lack of patients"


def test_without_a_claim_half_must_reach_it() -> None:
    found = floor([0.0, 0.0, 0.91], **FEW)
    assert (found.held, found.refuses) == (False, True)
    assert "1 of 3 patients reach it" in found.detail
    assert floor([0.2, 0.4, 0.9], **FEW).held


def test_a_ceiling_is_a_floor_turned() -> None:
    plan = change_plan(floors=[{"metric": "hd95_mm", "target": "tumor", "min_score": 5.0}])
    near, far = (scores_of(GOOD, hd95_mm=[mm] * 8) for mm in (4.0, 6.0))
    assert prerequisites.floors(near, plan, is_first=True)[0].held
    assert not prerequisites.floors(far, plan, is_first=True)[0].held
    [nobody] = prerequisites.floors(scores_of(GOOD, hd95_mm=math.nan), plan, is_first=True)
    assert (nobody.held, nobody.refuses) == (False, True)


def test_patients_are_counted_not_cases() -> None:
    table = scores_of(GOOD).assign(patient_id=["p0"] * 4 + ["p1"] * 4)
    found = prerequisites.enough_patients(table, change_plan())
    assert (found.held, found.refuses, found.figures) == (False, False, {"n_patients": 2.0})
    assert prerequisites.enough_patients(scores_of([]), change_plan()).refuses
    assert "no claim" in prerequisites.enough_patients(scores_of(GOOD), change_plan(**FEW)).detail


def test_what_the_plan_names_must_be_there() -> None:
    plan = change_plan(noninferiority=[{"metric": "surface_dice_2mm", "target": "liver", "margin": 0.1}])
    found = prerequisites.metrics_scored(scores_of(GOOD), None, plan)
    assert not found.held
    assert "surface_dice_2mm, liver" in found.detail


def test_the_unpaired_and_undefined_are_named() -> None:
    found = prerequisites.compared_alike(scores_of(GOOD), scores_of(GOOD[:6]), same_test_set=True)
    assert not found.held
    assert "c6, c7" in found.detail
    assert not prerequisites.compared_alike(scores_of(GOOD), None, same_test_set=False).held
    undefined = prerequisites.scores_defined(scores_of(GOOD), scores_of([*GOOD[:7], math.nan]), "dice")
    assert not undefined.held
    assert "c7" in undefined.detail
