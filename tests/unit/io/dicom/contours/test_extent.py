import numpy as np
import pytest

from lesionflow.io.dicom.contours.extent import lost_area

SHAPE = (10, 20)


def box(top, left, bottom, right):
    return np.array([(top, left), (top, right), (bottom, right), (bottom, left)], dtype=float)


#: Images end one pixel beyond the outermost centers: rows -1 to 10, columns -1 to 20.
CASES = {
    "inside": (box(0, 0, 9, 19), 171, 0),
    "along the border": (box(-0.5, -0.5, 9.5, 19.5), 200, 0),
    "above": (box(-5, 2, 5, 4), 20, 8),
    "below": (box(5, 2, 15, 4), 20, 10),
    "to the left": (box(2, -3, 4, 3), 12, 4),
    "to the right": (box(2, 15, 4, 25), 20, 10),
    "all around": (box(-10, -10, 30, 30), 1600, 1600 - 11 * 21),
    "elsewhere": (box(40, 40, 50, 50), 100, 100),
    "a corner cut off": (np.array([(5.0, 18.0), (5.0, 22.0), (9.0, 18.0)]), 8, 2),
}


@pytest.mark.parametrize(("corners", "whole", "lost"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("sense", [1, -1])
def test_areas_by_hand(corners, whole, lost, sense):
    assert lost_area(corners[::sense], SHAPE) == pytest.approx((whole, lost))
