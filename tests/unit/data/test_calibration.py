import numpy as np
import pytest

from lesionflow.data.calibration import VolumeInterval


def test_an_interval_by_hand() -> None:
    interval = VolumeInterval(coverage=0.9, log_ratio=np.log(2.0), offset_ml=1.0, n_cases=9)
    assert interval.around(5.0) == pytest.approx((2.0, 11.0))
    assert interval.around(0.0) == pytest.approx((0.0, 1.0))
