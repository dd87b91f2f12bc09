"""A rule is kept when, and only when, it helps on the cases at hand."""

import numpy as np
import pytest

from lesionflow.calibration.mask_rules import RuleCase, choose_rules
from lesionflow.data.calibration import MaskRules
from lesionflow.data.case import Case
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.inference import NetworkAnswer
from lesionflow.preprocessing import find_way_back
from support.bundles import small_plan

SHAPE, SPACING_MM = (9, 24, 30), (3.0, 0.8, 0.5)
START = MaskRules(probability_threshold=0.5, min_lesion_ml=0.0, fill_holes=False)
TUMOR = (slice(2, 7), slice(5, 17), slice(6, 20))


def _case(
    number: int, probabilities: np.ndarray, labels: np.ndarray, in_plane_scale: float = 1.0, patient: str = ""
) -> RuleCase:
    thickness, row, column = SPACING_MM
    spacing_mm = (thickness, row * in_plane_scale, column * in_plane_scale)
    geometry = Geometry.from_parts(SHAPE, spacing_mm, (0.0, 0.0, 0.0))
    hu = np.full((1, *SHAPE), 40.0, np.float32)
    hu[0, :, :, 26:] = -1000.0
    hu[0, :, 12, 29] = 40.0  # the table's edge: not the body
    case = Case(f"c-{number}", patient or f"p-{number}", ("CT",), Volume(hu, geometry), Mask(labels, geometry))
    plan = small_plan().model_copy(update={"spacing_mm": (None, None, None)})
    way = find_way_back(case.volume, plan)
    inside = np.ascontiguousarray(way.view(probabilities[None].astype(np.float32)))
    return RuleCase.of(case, NetworkAnswer(inside, way, {}), plan)


def _truth() -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    labels[TUMOR] = 1
    return labels


def _choose(probabilities: np.ndarray, n: int = 3, start: MaskRules = START):
    return choose_rules([_case(i, probabilities, _truth()) for i in range(n)], start, 1.0)


def test_nothing_is_kept_where_nothing_helps() -> None:
    choice = _choose(np.where(_truth() > 0, 0.95, 0.01))
    assert choice.rules == START
    assert choice.dice_before == choice.dice_after == 1.0
    assert not any(trial.kept for trial in choice.trials)


def test_a_timid_network_gets_a_lower_threshold() -> None:
    choice = _choose(np.where(_truth() > 0, 0.45, 0.1))
    assert choice.rules.probability_threshold in (0.3, 0.4)
    assert (choice.dice_before, choice.dice_after) == (0.0, 1.0)
    kept = [trial for trial in choice.trials if trial.kept]
    assert [(t.rule, t.dice_before, t.dice_after, t.n_better, t.n_worse) for t in kept] == [
        ("probability_threshold", 0.0, 1.0, 3, 0)
    ]


def test_specks_bring_a_smallest_lesion() -> None:
    probabilities = np.where(_truth() > 0, 0.95, 0.01)
    probabilities[0::4, 0::4, 24:26] = 0.9  # specks of two voxels, 0.0024 ml each
    choice = _choose(probabilities)
    assert choice.rules == START.model_copy(update={"min_lesion_ml": 0.1})
    assert choice.dice_after == 1.0


def test_a_hollow_tumor_brings_hole_filling() -> None:
    probabilities = np.where(_truth() > 0, 0.95, 0.01)
    probabilities[4, 8:14, 9:17] = 0.1
    choice = _choose(probabilities)
    assert choice.rules == START.model_copy(update={"fill_holes": True})


def test_a_rule_of_the_params_that_harms_goes() -> None:
    start = START.model_copy(update={"min_lesion_ml": 2.0})  # the tumor has 840 voxels of 0.0012 ml
    choice = _choose(np.where(_truth() > 0, 0.95, 0.01), start=start)
    assert choice.rules.min_lesion_ml < 1.008
    assert (choice.dice_before, choice.dice_after) == (0.0, 1.0)


def test_a_rule_that_harms_more_cases_than_it_helps_is_not_kept() -> None:
    good, timid = np.where(_truth() > 0, 0.95, 0.01), np.where(_truth() > 0, 0.45, 0.01)
    # In two cases a thin shell of 0.45 lies around the tumor: a lower threshold takes it in.
    shell = good.copy()
    shell[1:8, 4:18, 5:21] = np.maximum(shell[1:8, 4:18, 5:21], 0.45)
    cases = [_case(0, timid, _truth()), _case(1, shell, _truth()), _case(2, shell, _truth())]
    assert choose_rules(cases, START, 1.0).rules.probability_threshold == 0.5


def test_the_sparse_case_gives_back_what_it_was_made_of() -> None:
    probabilities = np.random.default_rng(2).uniform(0.02, 1.0, SHAPE).astype(np.float32)
    case = _case(0, probabilities, _truth())
    np.testing.assert_array_equal(case.dense()[0], probabilities[:, :, :26])
    np.testing.assert_array_equal(case.reference(), _truth()[:, :, :26])
    labels = case.predict(START, 1.0)
    np.testing.assert_array_equal(labels, probabilities[:, :, :26] >= 0.5)
    both = (labels & case.reference()).sum()
    assert case.score(labels) == (pytest.approx(2 * both / (labels.sum() + case.reference().sum())),)


@pytest.mark.parametrize(("n_cases", "kept"), [(5, False), (9, False), (10, True)])
def test_found_lesions_are_thrown_away_only_where_patients_enough_say_so(n_cases, kept) -> None:
    # Another lesion too large for any smallest size that is tried, wrong in every case: five exclude chance, but are five.
    probabilities = np.where(_truth() > 0, 0.95, 0.01)
    probabilities[:, 20:24, 2:22] = 0.95
    truth = _truth()
    scale = 2.0  # voxels of 3.0 x 1.6 x 1.0 mm: the wrong lesion has 3.5 ml, the tumor 4.0
    choice = choose_rules([_case(i, probabilities, truth, scale) for i in range(n_cases)], START, 1.0)
    trial = next(trial for trial in choice.trials if trial.rule == "surest_only")
    assert (trial.n_better, trial.n_worse) == (n_cases, 0)
    assert trial.dice_after > trial.dice_before + 0.1
    assert choice.rules.surest_only is trial.kept is kept
    # Of ten patients each fold leaves eight to choose: too few to throw away.
    assert not any(rules.surest_only for rules in choice.rules_unseen)
    assert choice.dice_cross_fitted == pytest.approx(choice.dice_before)


def test_the_lesion_that_stays_is_the_surest_not_the_largest() -> None:
    """The wrong lesion has 960 voxels, the tumor 840; of the wrong one half is sure."""
    probabilities = np.where(_truth() > 0, 0.95, 0.01)
    probabilities[:8, 18:24, 2:22] = 0.6
    probabilities[:8, 18:21, 2:22] = 0.75
    start = START.model_copy(update={"probability_threshold": 0.5})
    case = _case(0, probabilities, _truth())
    by_size = case.predict(start.model_copy(update={"largest_only": True}), 1.0)
    by_sureness = case.predict(start.model_copy(update={"surest_only": True}), 1.0)
    assert (by_size.sum(), case.score(by_size)) == (960, (0.0,))
    assert (by_sureness.sum(), case.score(by_sureness)) == (840, (1.0,))
    # Logits divided by 4: three quarters become 0.57, of which it is not sure, 0.95 becomes 0.68; neither is, and the larger stays.
    assert case.predict(start.model_copy(update={"surest_only": True}), 4.0).sum() == 960


def test_patients_weigh_alike_and_are_counted_once() -> None:
    """Ten studies of one patient gain by a lower threshold, one study each of two others loses: that is one against two."""
    good, timid = np.where(_truth() > 0, 0.95, 0.01), np.where(_truth() > 0, 0.45, 0.01)
    shell = good.copy()
    shell[1:8, 4:18, 5:21] = np.maximum(shell[1:8, 4:18, 5:21], 0.45)
    cases = [_case(i, timid, _truth(), patient="one") for i in range(4)]
    cases += [_case(8, shell, _truth(), patient="two"), _case(9, shell, _truth(), patient="three")]
    choice = choose_rules(cases, START, 1.0)
    trial = next(trial for trial in choice.trials if (trial.rule, trial.value) == ("probability_threshold", 0.4))
    assert (trial.n_better, trial.n_worse, trial.kept) == (1, 2, False)
    # Dice 0 of the one, 1 of both others.
    assert choice.dice_before == pytest.approx(2 / 3)


def test_what_a_rule_is_worth_is_told_by_patients_who_did_not_choose_it() -> None:
    """One of two patients is timid, the other bold: what helps one harms the other, and each is segmented by the other's rule."""
    timid = np.where(_truth() > 0, 0.45, 0.01)
    bold = np.where(_truth() > 0, 0.95, 0.01)
    bold[1:8, 4:18, 5:21] = np.maximum(bold[1:8, 4:18, 5:21], 0.45)
    choice = choose_rules([_case(0, timid, _truth()), _case(1, bold, _truth())], START, 1.0)
    of_timid, of_bold = choice.rules_unseen
    assert (of_timid, of_bold.probability_threshold < 0.45) == (START, True)
    # Nothing is found of the timid one; of the bold one a box of 7 x 14 x 16 voxels about a tumor of 840.
    assert choice.dice_cross_fitted == pytest.approx((0.0 + 2 * 840 / (840 + 1568)) / 2)
    assert choice.dice_cross_fitted < choice.dice_after


def test_what_is_not_known_is_nothing_to_calibrate_by() -> None:
    """The network is sure of a second tumor there: it is neither right nor wrong."""
    labels, probabilities = _truth(), np.where(_truth() > 0, 0.95, 0.01)
    labels[8, 18:22, 20:24], probabilities[8, 18:22, 20:24] = 255, 0.99
    case = _case(0, probabilities, labels)
    assert case.score(case.predict(START, 1.0)) == (1.0,)
    assert case.reference().sum() == (_truth() > 0).sum()
    assert (case.dense() > 0.98).sum() == 0
