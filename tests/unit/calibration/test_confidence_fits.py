"""Intervals cover what they promise, predicted Dice and lesion confidence learn what simulated truth holds."""

import numpy as np
import pytest

from lesionflow.calibration.confidence_fits import CaseOutcome, fit_dice, fit_lesions, fit_targets, fit_volume
from lesionflow.data.dataset import Target
from lesionflow.inference.findings import lesion_confidence, predict_dice
from lesionflow.inference.lesion_probabilities import TargetProbabilities


def _volumes(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true volumes: some healthy, some missed, errors of a heavy tail."""
    true = np.where(rng.random(n) < 0.15, 0.0, rng.lognormal(3.0, 1.2, n))
    predicted = true * np.exp(0.25 * rng.standard_t(3, n)) * (rng.random(n) > 0.05) + (rng.random(n) < 0.1) * 3.0
    return predicted, true


@pytest.mark.parametrize("n_calibration", [6, 9, 24])
def test_volume_intervals_cover_what_they_promise_within_two_points(n_calibration: int) -> None:
    rng = np.random.default_rng(7)
    covered, promised = [], []
    for _ in range(600):
        fitted = fit_volume(*_volumes(rng, n_calibration))
        predicted, true = _volumes(rng, 40)
        bounds = np.array([fitted.around(volume) for volume in predicted])
        covered.append(((true >= bounds[:, 0] - 1e-9) & (true <= bounds[:, 1] + 1e-9)).mean())
        promised.append(fitted.coverage)
    # 0.9 of 24 lies between ranks 22 and 23: the next one covers up to 1 / 25 more.
    assert (
        np.mean(promised) - 0.02
        <= np.mean(covered)
        <= np.mean(promised) + 0.02 + 1 / (n_calibration + 1) * (n_calibration == 24)
    )


def test_too_few_cases_fit_nothing() -> None:
    three = np.array([1.0, 2.0, 3.0])
    assert fit_volume(three, three) is None
    assert fit_dice(three / 4, three / 4, three < 0) is None
    assert fit_lesions([[(0.9, True)], [(0.2, False)]]) is None


def test_predicted_dice_learns_that_the_model_promises_too_much() -> None:
    rng = np.random.default_rng(3)
    expected = rng.uniform(0.3, 1.0, 60)
    dice = np.clip(expected - 0.2 + rng.normal(0, 0.03, 60), 0, 1)
    fitted = fit_dice(expected, dice, np.zeros(60, bool))
    assert predict_dice(0.8, fitted, empty=False) == pytest.approx(0.6, abs=0.03)
    # Mean absolute value of a normal deviate of 0.03 is 0.024.
    assert fitted.mean_absolute_error == pytest.approx(0.024, abs=0.01)
    assert predict_dice(-9.0, fitted, empty=False) == 0.0
    assert predict_dice(9.0, fitted, empty=False) == 1.0


def test_a_handful_of_cases_moves_predicted_dice_only_part_of_the_way() -> None:
    expected, dice = np.full(4, 0.8), np.full(4, 0.4)
    assert 0.4 < predict_dice(0.8, fit_dice(expected, dice, np.zeros(4, bool)), empty=False) < 0.7


def test_an_empty_mask_is_told_by_how_often_such_were_right() -> None:
    # Three empty masks, two of them right, and six others that bend no share of them: (2 + 1/2) / (3 + 1).
    expected = np.array([0.0, 0.1, 0.0, 0.8, 0.7, 0.9, 0.8, 0.7, 0.9])
    dice = np.array([1.0, 1.0, 0.0, 0.8, 0.7, 0.9, 0.8, 0.7, 0.9])
    fitted = fit_dice(expected, dice, np.arange(9) < 3)
    assert fitted.when_empty == pytest.approx(0.625)
    assert predict_dice(0.0, fitted, empty=True) == pytest.approx(0.625)
    assert predict_dice(0.8, fitted, empty=False) == pytest.approx(0.8)
    # Left out, a right one is told as (1 + 1/2) / (2 + 1), the wrong one as (2 + 1/2) / (2 + 1); the line makes no error.
    assert fitted.mean_absolute_error == pytest.approx((0.5 + 0.5 + 2.5 / 3) / 9)


def test_lesion_confidence_is_the_share_of_real_ones() -> None:
    rng = np.random.default_rng(9)
    found = rng.uniform(0.3, 0.95, 600)
    real = rng.random(600) < found**2
    every = [(float(p), bool(r)) for p, r in zip(found, real, strict=True)]
    lesions = [every[i : i + 30] for i in range(0, 600, 30)]
    fitted = fit_lesions(lesions)
    for probability in (0.5, 0.7, 0.9):
        assert lesion_confidence(probability, fitted) == pytest.approx(probability**2, abs=0.07)
    assert fitted.brier < fitted.brier_before
    assert (fitted.n_lesions, fitted.n_real) == (600, int(real.sum()))


def test_each_target_has_figures_of_its_own() -> None:
    targets = (Target(name="WT", labels=(1, 2)), Target(name="ET", labels=(2,)))
    outcomes = [
        CaseOutcome(
            (TargetProbabilities("WT", v, v, 0.9 * v, ()), TargetProbabilities("ET", 1.0, 1.0, 0.5, ())),
            (0.9, 0.2),
            (2.0 * v, 1.0),
        )
        for v in (10.0, 20.0, 40.0, 80.0)
    ]
    whole, enhancing = fit_targets(targets, outcomes)
    assert (whole.name, enhancing.name) == ("WT", "ET")
    assert whole.volume.log_ratio == pytest.approx(np.log(161 / 81))
    assert enhancing.volume.log_ratio == pytest.approx(0.0)
    assert whole.lesions is None
