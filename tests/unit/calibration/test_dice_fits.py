"""Predicted Dice learns what simulated truth holds, and masks that fail are pointed at as often as is stated."""

from dataclasses import replace

import numpy as np
import pytest

from lesionflow.calibration.dice_fits import FAILED_DICE, fit_dice, fit_review, leave_patients_out
from lesionflow.inference.findings import predict_dice
from lesionflow.inference.lesion_probabilities import TargetProbabilities


def _names(n: int, studies: int = 1) -> list[str]:
    return [f"p-{i:03}" for i in range(n) for _ in range(studies)]


def _found(stability: float, certainty: float = 0.8) -> TargetProbabilities:
    """A mask of 10 ml with these signs, as round as a ball: its surface is not measured."""
    # 2 s / (p + s) of p = 10.
    sure = 10.0 * stability / (2.0 - stability)
    return TargetProbabilities("tumor", 10.0, 10.0, 10.0 * certainty, (), 10.0, sure)


EMPTY = TargetProbabilities("tumor", 0.0, 0.0, 0.0, ())


def test_predicted_dice_learns_how_it_rises_with_a_sign():
    random = np.random.default_rng(3)
    stability = random.uniform(0.3, 1.0, 60)
    dice = np.clip(0.9 * stability - 0.1 + random.normal(0, 0.03, 60), 0, 1)
    fitted = fit_dice([_found(s) for s in stability], dice, _names(60))
    for sign in (0.4, 0.8):
        assert predict_dice(_found(sign), fitted) == pytest.approx(0.9 * sign - 0.1, abs=0.03)
    # Mean absolute value of a normal deviate of 0.03 is 0.024.
    assert fitted.mean_absolute_error == pytest.approx(0.024, abs=0.01)
    assert predict_dice(_found(0.0, -9.0), fitted) == 0.0
    # 34 of the 60 have failed: below 0.6 lies what is less stable than 0.78; nearly all pairs are in order.
    assert fitted.review.n_failed == (dice < FAILED_DICE).sum()
    assert fitted.review.auroc > 0.97
    assert fitted.review.auroc_low < fitted.review.auroc < fitted.review.auroc_high <= 1.0


def test_a_handful_of_patients_moves_predicted_dice_only_part_of_the_way():
    fitted = fit_dice([_found(0.8)] * 4, np.full(4, 0.4), _names(4))
    assert 0.4 < predict_dice(_found(0.8), fitted) < 0.7


def test_its_error_is_that_of_patients_left_out_and_not_of_their_follow_ups():
    """Each patient's Dice is a number of its own at all follow-ups, which no sign tells: only others can be known from others."""
    random = np.random.default_rng(2)
    dice = np.repeat(random.uniform(0.2, 1.0, 12), 3)
    fitted = fit_dice([_found(0.8)] * 36, dice, _names(12, 3))
    errors = []
    for rest, own in leave_patients_out(_names(12, 3)):
        line = fit_dice([_found(0.8)] * len(rest), dice[rest], [f"p-{i:03}" for i in rest // 3])
        errors.append(abs(predict_dice(_found(0.8), line) - dice[own[0]]))
    assert fitted.mean_absolute_error == pytest.approx(np.mean(errors))


def test_an_empty_mask_is_told_by_how_often_such_were_right():
    # Three empty masks, two of them right, and six others that bend no share of them: (2 + 1/2) / (3 + 1).
    dice = np.array([1.0, 1.0, 0.0, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8])
    fitted = fit_dice([EMPTY] * 3 + [_found(0.8)] * 6, dice, _names(9))
    assert predict_dice(EMPTY, fitted) == fitted.when_empty == pytest.approx(0.625)
    assert predict_dice(_found(0.8), fitted) == pytest.approx(0.8)
    # Left out, a right one is told as (1 + 1/2) / (2 + 1), the wrong one as (2 + 1/2) / (2 + 1); the line makes no error.
    assert fitted.mean_absolute_error == pytest.approx((0.5 + 0.5 + 2.5 / 3) / 9)


def test_an_empty_mask_where_the_network_saw_something_is_told_by_such_ones_alone():
    # Of four empty masks where nothing was possible three were right, of four where the rules left nothing of what was possible none.
    seen = replace(EMPTY, expected_ml=0.6, possible_ml=0.8, sure_ml=0.4)
    dice = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.8, 0.8, 0.8, 0.8])
    fitted = fit_dice([EMPTY] * 4 + [seen] * 4 + [_found(0.8)] * 4, dice, _names(12))
    assert predict_dice(EMPTY, fitted) == pytest.approx(3.5 / 5)
    assert predict_dice(seen, fitted) == pytest.approx(0.5 / 5)


def test_three_patients_fit_nothing_however_many_their_studies():
    assert fit_dice([_found(0.8)] * 9, np.full(9, 0.8), _names(3, 3)) is None


def test_the_rule_by_hand():
    # Nine patients fail, predicted 0.1 ... 0.9, so that 0.9 of (9 + 1) is the ninth; three good ones, one of whom lies below it.
    told = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.85, 0.95, 0.99])
    dice = np.array([0.5] * 9 + [0.6, 0.7, 0.8])
    rule = fit_review(told, dice, _names(12))
    assert (rule.below, rule.recall, rule.precision, rule.flagged_fraction) == (0.9, 0.9, 0.9, pytest.approx(10 / 12))
    assert (rule.n_failed, rule.n_patients, rule.auroc) == (9, 12, pytest.approx(26 / 27))
    # The largest of nine: p^9.
    assert (rule.recall_low, rule.recall_high) == (pytest.approx(0.05 ** (1 / 9)), pytest.approx(0.95 ** (1 / 9)))


@pytest.mark.parametrize("n_failed", [0, 1])
def test_of_hardly_any_failure_nothing_is_said(n_failed):
    dice = np.array([0.3] * n_failed + [0.9] * (8 - n_failed))
    rule = fit_review(np.linspace(0.4, 0.9, 8), dice, _names(8))
    assert (rule.below, rule.recall, rule.precision, rule.flagged_fraction) == (None, None, None, 0.0)
    assert (rule.auroc is None, rule.n_failed) == (n_failed == 0, n_failed)


def test_failed_masks_of_new_patients_are_pointed_at_as_often_as_is_stated():
    """24 patients with two studies, a third of whom fail; what is predicted of a patient's studies is much alike."""
    random = np.random.default_rng(4)

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        own = np.repeat(random.normal(0.7, 0.15, n), 2)
        dice = np.clip(own + random.normal(0, 0.03, 2 * n), 0, 1)
        return dice + np.repeat(random.normal(0, 0.1, n), 2) + random.normal(0, 0.02, 2 * n), dice

    found, stated = [], []
    for _ in range(300):
        rule = fit_review(*draw(24), _names(24, 2))
        told, dice = draw(60)
        if rule.below is not None:
            found.append((told[dice < FAILED_DICE] <= rule.below).mean())
            stated.append(rule.recall)
    # 300 draws of a share that scatters by 0.12.
    assert np.mean(found) >= np.mean(stated) - 0.02
