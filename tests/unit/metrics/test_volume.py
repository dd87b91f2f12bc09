"""Volumes counted by hand."""

import pytest

from lesionflow.metrics import score_pair
from support.masks import SPACING_MM, box

REFERENCE = box((2, 2, 2), (4, 6, 8))  # 2 x 4 x 6 = 48 voxels


def test_volumes_counted_by_hand() -> None:
    found = score_pair(REFERENCE, box((2, 2, 2), (4, 6, 5)), SPACING_MM)
    assert found["reference_ml"] == pytest.approx(48 * 1.2e-3)
    assert found["volume_error_ml"] == pytest.approx(-24 * 1.2e-3)
    assert found["absolute_volume_error_ml"] == pytest.approx(24 * 1.2e-3)
    assert found["relative_volume_error"] == pytest.approx(-0.5)
