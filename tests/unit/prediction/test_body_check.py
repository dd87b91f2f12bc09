"""Lesions in air are counted by hand: boxes in a body of -500 HU and more, with a lung in it."""

import numpy as np
import pytest

from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.prediction.body_check import describe_outside

SHAPE = (5, 20, 30)
#: 1.2 mm3 a voxel.
GRID = Geometry.from_parts(SHAPE, (3.0, 0.8, 0.5))


@pytest.fixture
def volume():
    hu = np.full((1, *SHAPE), -1000.0, np.float32)
    hu[0, :, 3:17, 3:20] = 40.0
    hu[0, :, 6:12, 6:12] = -850.0  # a lung
    return Volume(hu, GRID)


def mask_of(*boxes):
    labels = np.zeros(SHAPE, np.uint8)
    for box in boxes:
        labels[box] = 1
    return Mask(labels, GRID)


IN_BODY = np.s_[1:3, 13:15, 10:14]
IN_LUNG = np.s_[1:3, 7:9, 7:9]
#: 2 x 10 x 5 = 100 voxels.
IN_AIR = np.s_[2:4, 3:13, 24:29]
#: A third of its columns lies in the body, two thirds outside; and the other way round.
MOSTLY_OUT, MOSTLY_IN = np.s_[1:3, 14:16, 18:24], np.s_[1:3, 14:16, 16:22]


@pytest.mark.parametrize("boxes", [(), (IN_BODY,), (IN_LUNG,), (IN_BODY, MOSTLY_IN)])
def test_what_lies_in_the_body_or_at_its_skin_is_no_news(volume, boxes):
    assert describe_outside(volume, mask_of(*boxes), ("ct",)) == ""


def test_what_lies_in_air_is_counted(volume):
    said = describe_outside(volume, mask_of(IN_BODY, IN_AIR), ("ct",))
    assert said.startswith("1 of 2 lesions (0.12 ml) lies outside the body")
    assert describe_outside(volume, mask_of(IN_AIR), ("ct",)).startswith("The only lesion (0.12 ml)")
    # 2 x 2 x 6 = 24 voxels more.
    both = describe_outside(volume, mask_of(IN_LUNG, IN_AIR, MOSTLY_OUT), ("ct",))
    assert both.startswith("2 of 3 lesions (0.15 ml) lie outside")


def test_without_a_ct_nobody_can_tell(volume):
    assert describe_outside(volume, mask_of(IN_AIR), ("mr",)) == ""
