"""Whether a model's words held: against scikit-learn, by hand, and on simulated models that are honest or not."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve

from lesionflow.evaluation import plots
from lesionflow.evaluation.figures import to_array
from lesionflow.evaluation.reliability import N_BINS, NOT_ASKED, SAID, count_bins, measure_reliability

SETTINGS = {"n_bootstrap": 300, "confidence_level": 0.95, "seed": 3}


def _counts(patients: dict[str, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    rows = [{"patient_id": patient, **one._asdict()} for patient, pair in patients.items() for one in count_bins(*pair)]
    return pd.DataFrame(rows, columns=["patient_id", "bin", "n", "sum_probability", "n_true"])


def _cases(n: int = 3, **columns) -> pd.DataFrame:
    plain = {"patient_id": [f"p{i}" for i in range(n)], "dice": 0.5, "reference_ml": 4.0, **dict.fromkeys(SAID, np.nan)}
    return pd.DataFrame({**plain, **columns})


def _voxels(seed: int, power: float = 1.0, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and a truth that is as frequent as they say to a power: 1 is honest."""
    random = np.random.default_rng(seed)
    said = random.uniform(0.02, 1.0, (4, n // 20, 5)).astype(np.float32)
    return said, random.random(said.shape) < said**power


def test_bins_are_scikit_learns() -> None:
    patients = {f"p{i}": _voxels(i, 2.0) for i in range(3)}
    said, true = (np.concatenate([pair[k].ravel() for pair in patients.values()]) for k in range(2))
    shares, means = calibration_curve(true, said, n_bins=N_BINS)
    found = measure_reliability(_counts(patients), _cases(), **SETTINGS)
    assert [b[0] for b in found.bins] == pytest.approx(means, abs=1e-5)
    assert [b[1] for b in found.bins] == pytest.approx(shares, abs=1e-9)
    assert sum(b[2] for b in found.bins) == said.size
    weights = np.histogram(said, N_BINS, (0, 1))[0] / said.size
    assert found.ece.mean == pytest.approx(float(weights @ np.abs(shares - means)), abs=1e-5)
    assert found.ece.low <= found.ece.mean <= found.ece.high


def test_an_honest_model_has_no_calibration_error_and_a_boaster_the_known_one() -> None:
    honest = measure_reliability(_counts({"p": _voxels(1, 1.0)}), _cases(1), **SETTINGS)
    # The standard error of a bin's share is 0.013 with 1,300 voxels.
    assert honest.ece.mean < 0.015
    boaster = measure_reliability(_counts({"p": _voxels(1, 2.0)}), _cases(1), **SETTINGS)
    # The mean of p - p^2 for p uniform between 0.02 and 1.
    expected = ((1 - 0.02**2) / 2 - (1 - 0.02**3) / 3) / 0.98
    assert boaster.ece.mean == pytest.approx(expected, abs=0.015)


def test_voxels_that_are_hardly_possible_are_not_asked_about() -> None:
    said = np.array([[[0.0, 0.019, 0.02, 0.98, 1.0]]], np.float32)
    truth = np.array([[[True, True, False, True, True]]])
    # The two voxels of the tumor that were hardly seen are counted by themselves.
    assert [(b.bin, b.n, b.n_true) for b in count_bins(said, truth)] == [(NOT_ASKED, 2, 2), (0, 1, 0), (14, 2, 2)]
    assert count_bins(said * 0, truth & False) == ()


def test_a_tumor_that_is_not_seen_at_all_is_counted_beside_the_calibration_error() -> None:
    # Two patients: of one 8 of 10 tumor voxels are seen, of the other none of 20.
    counts = pd.DataFrame(
        [("p-0", 14, 10, 9.0, 8), ("p-0", NOT_ASKED, 2, 0.01, 2), ("p-1", NOT_ASKED, 20, 0.02, 20)],
        columns=["patient_id", "bin", "n", "sum_probability", "n_true"],
    )
    cases = pd.DataFrame({"patient_id": ["p-0", "p-1"], "dice": [0.8, 0.0], "reference_ml": [1.0, 2.0]})
    cases = cases.assign(**dict.fromkeys(SAID, np.nan))
    found = measure_reliability(counts, cases, n_bootstrap=50, confidence_level=0.95, seed=1)
    assert found.ece.mean == pytest.approx(0.1)
    assert found.bins == ((0.9, 0.8, 10),)
    assert found.unseen.mean == pytest.approx(22 / 30)
    assert found.unseen.n == 2


def test_coverage_and_predicted_dice_by_hand() -> None:
    # Two of three volumes lie in their interval, whose ends belong to it; the fourth case says nothing.
    cases = _cases(
        4,
        dice=[0.5, 0.6, 0.7, 0.8],
        predicted_dice=[0.6, 0.6, 0.4, np.nan],
        stated_coverage=[0.9, 0.9, 0.9, np.nan],
        interval_low_ml=[4.0, 1.0, 5.0, np.nan],
        interval_high_ml=[6.0, 3.9, 9.0, np.nan],
        reference_ml=[4.0, 3.9, 4.0, 4.0],
        oddity=[0.2, 1.0, 1.4, np.nan],
    )
    found = measure_reliability(_counts({}), cases, **SETTINGS)
    assert found.coverage.mean == pytest.approx(2 / 3)
    assert (found.coverage.n, found.coverage.n_undefined, found.stated_coverage) == (3, 1, pytest.approx(0.9))
    assert found.dice_error.mean == pytest.approx((0.1 + 0.0 + 0.3) / 3)
    assert (found.n_flagged, found.n_cases, found.bins) == (1, 4, ())
    assert math.isnan(found.ece.mean)


def test_the_curve_of_a_boaster_lies_below_the_line() -> None:
    found = measure_reliability(_counts({"p": _voxels(1, 3.0)}), _cases(1), **SETTINGS)
    assert all(true < said for said, true, _ in found.bins[1:-1])
    image = to_array(plots.reliability_plot(found)).astype(int)
    blue = np.argwhere(np.abs(image - (0x00, 0x72, 0xB2)).max(axis=2) < 40)
    assert len(blue) > 100
