import pandas as pd
import pytest

from lesionflow.evaluation.froc import READ_OFF_AT, froc_curve
from lesionflow.evaluation.statistics.rates import clopper_pearson

SETTINGS = {"confidence_level": 0.9}


DETECTIONS = pd.DataFrame(
    # Patient a has one case with two lesions, b two cases with one lesion between them.
    [
        ("c0", "a", 0.9, 2, 0, 0), ("c0", "a", 0.5, 2, 1, 0), ("c0", "a", 0.1, 2, 2, 1),
        ("c1", "b", 0.9, 1, 0, 0), ("c1", "b", 0.5, 1, 0, 1), ("c1", "b", 0.1, 1, 0, 4),
        ("c2", "b", 0.9, 0, 0, 0), ("c2", "b", 0.5, 0, 0, 0), ("c2", "b", 0.1, 0, 0, 1),
    ],
    columns=["case_id", "patient_id", "threshold", "n_lesions", "n_found", "n_false_alarms"],
)  # fmt: skip


def test_the_curve_counted_by_hand() -> None:
    found = froc_curve(DETECTIONS, **SETTINGS)
    assert (found.n_lesions, found.n_cases) == (3, 3)
    seen = [(p.threshold, p.false_alarms_per_case, p.sensitivity) for p in found.points]
    assert seen == [
        (0.9, 0.0, 0.0),
        (0.5, pytest.approx(1 / 3), pytest.approx(1 / 3)),
        (0.1, 2.0, pytest.approx(2 / 3)),
    ]
    expected = {0.125: 0.0, 0.25: 0.0, 0.5: 1 / 3, 1.0: 1 / 3, 2.0: 2 / 3, 4.0: 2 / 3, 8.0: 2 / 3}
    assert dict(zip(READ_OFF_AT, found.read_off, strict=True)) == pytest.approx(expected)
    assert found.score == pytest.approx((2 * 1 / 3 + 3 * 2 / 3) / 7)
    # Nothing of three lesions of two patients: as sure as 0 of 9 / 5, since two of them are one patient's.
    assert (found.points[0].low, found.points[0].high) == pytest.approx(clopper_pearson(0.0, 9 / 5, 0.9))


def test_without_a_lesion_there_is_no_curve() -> None:
    assert froc_curve(DETECTIONS.assign(n_lesions=0, n_found=0), **SETTINGS) is None
    assert froc_curve(DETECTIONS[:0], **SETTINGS) is None
