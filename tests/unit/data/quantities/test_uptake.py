import pytest

from lesionflow.data.quantities.uptake import is_unusual, suv_fault


@pytest.mark.parametrize(
    ("span", "unusual"),
    [
        ((0.0, 12.0, 0.8), False),  # a body
        ((-0.4, 40.0, 9.0), False),  # a box round a hot lesion, with noise
        ((0.0, 900.0, 1.2), False),  # a bladder
        ((0.0, 1500.0, 1.2), True),
        ((0.0, 60.0, 20.0), True),
        ((0.0, 0.2, 0.1), True),
    ],
)
def test_what_a_pet_can_hold(span, unusual):
    assert suv_fault(*span) == ""
    assert is_unusual(*span[1:]) is unusual


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((0.0, 15_000.0, 1500.0), "Bq/ml"),  # 370 MBq in 70 kg are 5286 Bq/ml on the average
        ((0.0, 3e5, 40.0), "Bq/ml"),
        ((-100.0, 9000.0, 600.0), "Bq/ml"),
        ((0.0, 0.012, 0.001), "another unit"),
        ((0.0, 0.0, 0.0), "another unit"),
        ((-1000.0, 12.0, 0.8), "intercept"),
    ],
)
def test_what_none_can(span, expected):
    assert expected in suv_fault(*span)
