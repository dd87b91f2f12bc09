import numpy as np
import pytest

from lesionflow.phantoms.anatomy.shapes import Blob


def test_volume_of_a_ball_and_of_an_ellipsoid() -> None:
    identity = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    assert Blob((1, 2, 3), (10, 10, 10), identity).volume_ml() == pytest.approx(4 / 3 * np.pi, rel=1e-6)
    assert Blob((0, 0, 0), (10, 20, 30), identity).volume_ml() == pytest.approx(4 / 3 * np.pi * 6, rel=1e-6)
