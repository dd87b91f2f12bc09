"""What the case table says of a case, against boxes and grids whose answers are known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from lesionflow.cohort.case_table import MEASURED
from lesionflow.data.case import Case
from lesionflow.data.geometry import Geometry
from lesionflow.data.volume import Mask, Volume
from lesionflow.steps.ingest.measurements import describe_orientation, measure_case
from support.bundles import DATASET

SHAPE = (6, 20, 30)
GRID = Geometry.from_parts(SHAPE, (3.0, 0.8, 0.5))


def case(tumor=None):
    image = np.full(SHAPE, -1000.0, np.float32)
    image[:, 3:17, 2:12] = 40.0
    labels = np.zeros(SHAPE, np.uint8)
    if tumor is not None:
        labels[tumor] = 1
    return Case("c-1", "p-1", ("CT",), Volume(image[None], GRID), None if tumor is None else Mask(labels, GRID))


def test_every_measured_column_has_a_value():
    assert set(measure_case(case(), DATASET)) == set(MEASURED)


def test_the_share_of_the_tumor_inside_the_body_is_counted():
    # Columns 8..15 of which 8..11 are body; mirrored left to right they are 14..21, all air; top to bottom as before.
    measured = measure_case(case(np.s_[1:3, 5:9, 8:16]), DATASET)
    assert measured["inside_body_fraction"] == 0.5
    assert measured["mirrored_inside_fraction"] == 0.5


def test_an_outline_that_was_mirrored_fits_better_the_other_way():
    # Body in columns 2..11; the outline in 18..27 is that of 2..11 seen in a mirror.
    measured = measure_case(case(np.s_[1:3, 5:9, 18:28]), DATASET)
    assert (measured["inside_body_fraction"], measured["mirrored_inside_fraction"]) == (0.0, 1.0)


def test_without_an_outline_nothing_lies_outside():
    measured = measure_case(case(), DATASET)
    assert (measured["inside_body_fraction"], measured["mirrored_inside_fraction"]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("direction", "letters"),
    [
        (None, "SPL"),
        ([[0, 0, -1], [0, -1, 0], [-1, 0, 0]], "IAR"),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], "LPS"),
        ([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], "ALS"),
    ],
)
def test_a_straight_grid_is_named_by_the_sides_it_grows_towards(direction, letters):
    grid = Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5), direction=direction)
    assert describe_orientation(grid) == (letters, 0.0)


def test_an_oblique_grid_says_by_how_much():
    turned = Rotation.from_euler("x", 20, degrees=True).as_matrix() @ [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    letters, degrees = describe_orientation(Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5), direction=turned))
    assert letters == "SPL"
    assert degrees == pytest.approx(20.0)


def test_each_axis_of_the_patient_is_named_once_however_a_grid_is_turned():
    # Turned far enough, two array axes come closest to one axis of the patient: by 18 of 100 of these, each axis alone.
    for turn in Rotation.random(40, random_state=3).as_matrix():
        letters, degrees = describe_orientation(Geometry.from_parts((5, 7, 11), (3.0, 0.8, 0.5), direction=turn))
        assert sorted("LPSRAI".index(letter) % 3 for letter in letters) == [0, 1, 2]
        assert 0 < degrees < 90
