"""Figures that follow from the facts, against hand computation."""

import numpy as np
import pytest

from lesionflow.data.fingerprint import BackgroundContrast, Fingerprint


def fingerprint(**changes) -> Fingerprint:
    given = {
        "n_cases": 3, "median_spacing_mm": (3.0, 0.8, 0.5), "fine_slice_spacing_mm": 2.5, "median_body_mm": (120.0, 160.0, 200.0),
        "median_tumor_ml": 4.0, "body": np.arange(2002, dtype=np.float32).reshape(2, 1001),
        "tumor": np.arange(402, dtype=np.float32).reshape(2, 201), "contrasts": (), **changes,
    }  # fmt: skip
    return Fingerprint(**given)


def test_anisotropy_is_the_coarsest_by_the_finest() -> None:
    assert fingerprint().anisotropy == 6.0
    assert fingerprint(median_spacing_mm=(0.5, 0.5, 2.0)).anisotropy == 4.0


def test_bounds_hold_99_percent_of_the_tumor_of_that_channel() -> None:
    # 201 values in a row: 0.5 % of 200 steps is 1 step from each end.
    assert fingerprint().tumor_bounds(0) == (1.0, 199.0)
    assert fingerprint().tumor_bounds(1) == (202.0, 400.0)


def test_without_a_tumor_the_body_gives_the_bounds() -> None:
    none = fingerprint(tumor=np.zeros((2, 0), np.float32))
    assert none.tumor_bounds(1) == (1006.0, 1996.0)


@pytest.mark.parametrize(
    ("bright", "brighter", "as_is", "turned", "better"),
    [
        # Dark things on bright ground and bright things on dark ground: turning makes all alike.
        ([1, 1, 0, 0], [-1, -1, 1, 1], 0.5, 1.0, True),
        # Bright things on either ground: turning would part them.
        ([1, 1, 0, 0], [1, 1, 1, 1], 1.0, 0.5, False),
        # Nothing outlined has no say.
        ([1, 0, 0, 0], [0, 1, 1, -1], 2 / 3, 2 / 3, False),
        ([1, 1], [0, 0], 1.0, 1.0, False),
    ],
)
def test_pictures_are_turned_where_that_makes_them_agree(bright, brighter, as_is, turned, better) -> None:
    contrast = BackgroundContrast(np.array(bright, bool), np.array(brighter, float))
    assert contrast.agreement(turned=False) == pytest.approx(as_is)
    assert contrast.agreement(turned=True) == pytest.approx(turned)
    assert contrast.better_turned is better
